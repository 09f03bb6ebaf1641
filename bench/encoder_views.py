"""Accuracy of the encoder model with more crops and on downscaled images, measured on open_test.

python -m bench.encoder_views DATA     writes two tables between the markers in docs/encoder.md
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track
from sklearn.metrics import roc_auc_score

from bench.markers import write_between
from imageprocess.data.sampling import source_weights
from imageprocess.data.tiers import open_original
from imageprocess.errors import InputError
from imageprocess.evaluate.pictures import Picture, read_dataset
from imageprocess.model import registry
from imageprocess.model.evidence import probability_ai
from imageprocess.model.session import Session
from imageprocess.model.views import cut_views

PAGE = Path(__file__).parents[1] / "docs" / "encoder.md"
SIDES = (96, 128, 160, 200, 256, 320, 480, 640)  # px, longer side after reduction
CROPS = 3
PER_SOURCE = 4
Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]


def main(data: Path) -> None:
    session = Session(registry.resolve("clip"))
    pictures = read_dataset(data, "open_test", per_source=PER_SOURCE).pictures
    opened = _opened(pictures)
    by_crops: list[tuple[Picture, Floats]] = []
    by_side: list[tuple[Picture, Floats]] = []
    for picture, pixels in track(opened, description="judging", total=len(pictures)):
        by_crops.append((picture, _with_crops(pixels, session)))
        if max(pixels.shape[:2]) >= SIDES[-1]:
            by_side.append((picture, _reduced(pixels, session)))
    write_between(PAGE, "crops", _table(session, by_crops, "crops", _crop_rows(session, by_crops)))
    sides = [(f"{side} px", column) for side, column in zip(SIDES, _columns(by_side), strict=True)]
    write_between(PAGE, "sides", _table(session, by_side, "longer side", sides))


def _opened(pictures: tuple[Picture, ...]) -> Iterator[tuple[Picture, Pixels]]:
    for picture in pictures:
        try:
            yield picture, open_original(picture.path.read_bytes(), picture.path.name).pixels
        except InputError:
            continue


def _with_crops(pixels: Pixels, session: Session) -> Floats:
    """Logits from the whole image and its first 1 to CROPS crops."""
    (output,) = session.run([cut_views(pixels, session.spec.input, CROPS)])
    return np.cumsum(output.view_logits) / np.arange(1, CROPS + 1)


def _reduced(pixels: Pixels, session: Session) -> Floats:
    """Logits at each of SIDES: downscaled with Lanczos, saved as JPEG 90."""
    logits = []
    for side in SIDES:
        image = Image.fromarray(pixels)
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=90)
        (output,) = session.run([session.prepare(np.asarray(Image.open(stream)))])
        logits.append(output.logits[0] - output.logits[1])
    return np.array(logits)


def _crop_rows(session: Session, rows: list[tuple[Picture, Floats]]) -> list[tuple[str, Floats]]:
    columns = _columns(rows)
    cut = session.spec.thresholds["balanced"]
    first = _chances(session, columns[0])
    unsure = (first < cut.ai) & (first > cut.real)
    adaptive = np.where(unsure, columns[-1], columns[0])
    named = [(str(number), column) for number, column in enumerate(columns, 1)]
    return [*named, (f"1, and {CROPS} where unsure ({unsure.mean():.0%})", adaptive)]


def _columns(rows: list[tuple[Picture, Floats]]) -> list[Floats]:
    return list(np.array([logits for _, logits in rows]).T)


def _chances(session: Session, logits: Floats) -> Floats:
    spec = session.spec
    return np.array([probability_ai(float(logit), spec.temperature, spec.bias) for logit in logits])


def _table(
    session: Session, rows: list[tuple[Picture, Floats]], name: str, columns: list[tuple[str, Floats]]
) -> str:
    is_ai = np.array([picture.is_ai for picture, _ in rows])
    source = np.array([picture.source for picture, _ in rows])
    weights = source_weights(source)
    cut = session.spec.thresholds["balanced"]
    lines = [
        f"{is_ai.sum()} AI and {(~is_ai).sum()} real pictures of {len(set(source))} sources of open_test:",
        "",
        f"| {name} | AUROC, sources alike | coverage (balanced thresholds) | real called AI | AI called real |",
        "|---|---|---|---|---|",
    ]
    for label, logits in columns:
        chances = _chances(session, logits)
        ai, real = chances >= cut.ai, chances <= cut.real
        lines.append(
            f"| {label} | {roc_auc_score(is_ai, logits, sample_weight=weights):.3f} "
            f"| {(ai | real).mean():.0%} | {ai[~is_ai].mean():.1%} | {real[is_ai].mean():.1%} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
