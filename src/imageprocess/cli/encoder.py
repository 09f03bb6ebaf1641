"""imageprocess encoder: features of a pretrained encoder, and a head trained on them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from .output import progress_bar
from .taps import block_numbers

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
    "--taps", metavar="5,6,9-11", help="The blocks whose tokens are kept, 1 = the first. Default: 5-11."
)
@click.option(
    "--per-source", type=click.IntRange(1), default=60, show_default=True,
    help="Pictures of each class a source.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True)
def features(
    data: Path,
    weights: Path,
    out: Path,
    quantisation: Path | None,
    taps: str | None,
    per_source: int,
    jobs: int,
) -> None:
    """Keep the features of a data set's pictures, of every view and of several degraded copies."""
    from ..data.index import read_index
    from ..model.base.quantise import load_quantisation
    from ..model.base.tensors import read_tensors
    from ..model.base.vit import ClipTower
    from ..model.registry import file_sha256
    from ..train.encoder import clip
    from ..train.encoder.features import FeatureSpec, build_extractor, extract
    from ..train.encoder.ranges import fit_quantisation

    blocks = block_numbers(taps) if taps else clip.TAPS
    out.mkdir(parents=True, exist_ok=True)
    if quantisation is None:
        quantisation = out / "quantisation.npz"
        if not quantisation.exists():
            click.echo("fitting the quantisation", err=True)
            fit_quantisation(weights, blocks, data, read_index(data), clip.INPUT, quantisation)
    spec = FeatureSpec(file_sha256(weights), file_sha256(quantisation), blocks, clip.INPUT, clip.CROPS)
    tower = ClipTower(read_tensors(weights), blocks, load_quantisation(quantisation))
    with tempfile.TemporaryDirectory() as temporary, progress_bar("features") as progress:
        graph = Path(temporary) / "features.onnx"
        build_extractor(tower, graph)
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
