"""Fakes of our own: real pictures passed through autoencoders that are trained here.

A fake has its real twin's subject, size and file; only what a decoder leaves behind differs, so that nothing else can
be learnt from the pair (AlignedForensics 2024, DDA 2025). Several kinds of decoder, since each leaves another trace.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from ..data.equalise import prepare
from ..data.index import IndexRow, read_index, rows_id, write_index
from ..errors import DataError
from .dataset import root_weights
from .devices import keep_memory
from .recipes import fastest_precision
from .store import decoded

FAKES_NAME = "fakes.csv"  # beside index.csv, of the same columns
_FOLDER = "fakes"
_WIDTHS = (32, 64, 96)  # channels at half, a quarter and an eighth of the size
_CROP, _BATCH = 128, 16
_LEVELS = 3  # a quantised latent is one of -3 to 3

Progress = Callable[[str, int, int], None]  # what, done, of


@dataclass(frozen=True, slots=True)
class Kind:
    """What decides which traces an autoencoder leaves."""

    factor: Literal[4, 8]  # by which the latents are smaller a side
    up: Literal["nearest", "transposed", "shuffle"]  # how the decoder enlarges
    codebook: bool = False  # latents rounded to levels (finite scalar quantisation, Mentzer et al. 2024)

    @property
    def name(self) -> str:
        return f"{self.up}_{self.factor}x" + ("_codebook" if self.codebook else "")


KINDS = (
    Kind(4, "nearest"),
    Kind(8, "nearest"),
    Kind(4, "transposed", codebook=True),
    Kind(8, "transposed"),
    Kind(4, "shuffle"),
    Kind(8, "shuffle", codebook=True),
)


class Autoencoder(nn.Module):
    """(N, 3, H, W) in -1 to 1 -> the same, through latents of half as many values. H and W: multiples of the factor."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind
        widths = _WIDTHS[: kind.factor.bit_length() - 1]
        latents = kind.factor**2 * 3 // 2
        encoder: list[nn.Module] = []
        for inputs, outputs in pairwise((3, *widths)):
            encoder += [*_layers(inputs, outputs, 4, 2), *_layers(outputs, outputs)]
        self.encoder = nn.Sequential(*encoder, nn.Conv2d(widths[-1], latents, 1))
        decoder: list[nn.Module] = _layers(latents, widths[-1])
        for inputs, outputs in pairwise((*reversed(widths), _WIDTHS[0] // 2)):
            decoder += [*_enlarging(kind.up, inputs, outputs), *_layers(outputs, outputs)]
        self.decoder = nn.Sequential(*decoder, nn.Conv2d(_WIDTHS[0] // 2, 3, 3, padding=1))

    def forward(self, pixels: Tensor) -> Tensor:
        latents = self.encoder(pixels)
        if self.kind.codebook:
            bounded = _LEVELS * torch.tanh(latents)
            latents = bounded + (bounded.round() - bounded).detach()  # the gradient goes straight through
        remade: Tensor = self.decoder(latents)
        return remade


def _layers(inputs: int, outputs: int, side: int = 3, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, side, stride, 1), nn.GroupNorm(8, outputs), nn.SiLU()]


def _enlarging(up: str, inputs: int, outputs: int) -> list[nn.Module]:
    if up == "nearest":
        return [nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(inputs, outputs, 3, padding=1)]
    if up == "transposed":
        return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1)]
    return [nn.Conv2d(inputs, 4 * outputs, 3, padding=1), nn.PixelShuffle(2)]


def make_fakes(
    data: Path,
    *,
    count: int = 2000,
    steps: int = 1000,
    kinds: Sequence[Kind] = KINDS,
    jobs: int = 2,
    seed: int = 0,
    progress: Progress = lambda what, done, of: None,
) -> list[IndexRow]:
    """Fill `data`/fakes with fakes of `count` real pictures of the train split, and list them in fakes.csv.

    Each kind is trained on the pictures and remakes its share of them, at a long side of 512 pixels at most. A kind
    that is done is not made again. Raises DataError where the set has too few real pictures.
    """
    reals = [row for row in read_index(data) if row.label == "real" and row.split == "train"]
    if len(reals) < max(count, len(kinds)):
        raise DataError(
            f"{data}: {count} fakes need as many real pictures to train on; there are {len(reals)}"
        )
    drawn = np.random.default_rng(seed).choice(len(reals), count, replace=False, p=root_weights(reals))
    chosen = [reals[i] for i in drawn.tolist()]
    pictures: list[NDArray[np.uint8]] = []
    rows: list[IndexRow] = []
    for number, kind in enumerate(kinds):
        mine = range(number, count, len(kinds))
        # Of these pictures, made so: other ones lie elsewhere.
        folder = f"{_FOLDER}/{kind.name}-{count}-{steps}-{seed}-{rows_id(reals)}"
        part = f"{folder}.csv"
        if not (data / part).exists():
            if not pictures:
                pictures = list(_read(data, chosen, jobs, progress))
            network = _train(kind, pictures, steps, seed + number, progress)
            made = [
                _write(data, folder, kind, chosen[i], _remake(network, pictures[i]))
                for i in _told(mine, f"fakes, {kind.name}", progress)
            ]
            write_index(data, made, part)
        rows += read_index(data, part)
    write_index(data, rows, FAKES_NAME)
    return rows


def read_fakes(data: Path, training: Sequence[IndexRow]) -> list[IndexRow]:
    """What `make_fakes` has listed of the pictures of `training`. A fake of one that is held out today, or left out of
    a run, would show what must not be seen. Raises DataError where nothing has been made of any."""
    if not (data / FAKES_NAME).exists():
        raise DataError(
            f"{data}: no {FAKES_NAME} in it; make the fakes with `imageprocess data fakes {data}`"
        )
    twins = {_twin_name(row): row for row in training}
    fakes = [
        replace(fake, split="train", group=twin.group)  # of today's build
        for fake in read_index(data, FAKES_NAME)
        if (twin := twins.get(Path(fake.path).stem))
    ]
    if not fakes:
        raise DataError(
            f"{data}: no fake in {FAKES_NAME} is of a picture that is trained on; make them anew with "
            f"`imageprocess data fakes {data}`"
        )
    return fakes


def folds_of_fakes(
    fakes: Sequence[IndexRow], rows: Sequence[IndexRow], folds: NDArray[np.intp]
) -> NDArray[np.intp]:
    """The fold of each fake of `rows`, (N,): that of its twin. Who has not seen the one has not seen the other."""
    fold_of = {_twin_name(row): fold for row, fold in zip(rows, folds.tolist(), strict=True)}
    return np.array([fold_of[Path(fake.path).stem] for fake in fakes], dtype=np.intp)


def _twin_name(real: IndexRow) -> str:
    """By which a fake's file tells what it was made of."""
    return real.sha256[:20]


def _read(data: Path, rows: Sequence[IndexRow], jobs: int, progress: Progress) -> Iterator[NDArray[np.uint8]]:
    with ProcessPoolExecutor(jobs) as pool:
        found = pool.map(_read_one, [data] * len(rows), rows, chunksize=16)
        for done, pixels in enumerate(found, start=1):
            progress("reading real pictures", done, len(rows))
            yield pixels


def _read_one(data: Path, row: IndexRow) -> NDArray[np.uint8]:
    return prepare(decoded(data, row))


def _told(numbers: Sequence[int], what: str, progress: Progress) -> Iterator[int]:
    for done, number in enumerate(numbers, start=1):
        yield number
        progress(what, done, len(numbers))


def _train(
    kind: Kind, pictures: Sequence[NDArray[np.uint8]], steps: int, seed: int, progress: Progress
) -> Autoencoder:
    """By the absolute error of the pixels and of their differences to the next, which keeps edges sharp."""
    keep_memory()
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = Autoencoder(kind).to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=2e-3, total_steps=max(2, steps))
    for step in _told(range(steps), f"autoencoder, {kind.name}", progress):
        crops = np.stack([_crop(pictures[int(rng.integers(len(pictures)))], rng) for _ in range(_BATCH)])
        wanted = _to_tensor(crops).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=fastest_precision() == "bf16-mixed"):
            found = network(wanted)
        error = found.float() - wanted
        loss = error.abs().mean() + error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step + 1 < steps:
            schedule.step()
    network.eval()
    return network


def _crop(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A random square of _CROP pixels; a picture that is too small is mirrored at its edge."""
    missing = [max(0, _CROP - side) for side in pixels.shape[:2]]
    if any(missing):
        pixels = np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
    y, x = (int(rng.integers(side - _CROP + 1)) for side in pixels.shape[:2])
    return pixels[y : y + _CROP, x : x + _CROP]


def _remake(network: Autoencoder, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 -> the same picture as the autoencoder has it."""
    height, width = pixels.shape[:2]
    factor = network.kind.factor
    padded = np.pad(pixels, ((0, -height % factor), (0, -width % factor), (0, 0)), mode="symmetric")
    device = next(network.parameters()).device
    with torch.inference_mode():
        found = network(_to_tensor(padded[None]).to(device)).float()[0, :, :height, :width]
    levels = ((found.clamp(-1, 1) + 1) * 127.5).round().byte()
    return np.asarray(levels.permute(1, 2, 0).cpu().numpy())


def _to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float32 in -1 to 1."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def _write(data: Path, folder: str, kind: Kind, real: IndexRow, pixels: NDArray[np.uint8]) -> IndexRow:
    path = Path(folder) / f"{_twin_name(real)}.png"
    (data / path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(data / path)
    content = (data / path).read_bytes()
    return replace(
        real,
        path=path.as_posix(),
        label="ai",
        source=f"own_{kind.name}",
        origin=f"an autoencoder of our own, {kind.name}",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        height=pixels.shape[0],
        width=pixels.shape[1],
        format="PNG",
        jpeg_quality=None,
    )
