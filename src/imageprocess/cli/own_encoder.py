"""`imageprocess train --encoder FILE`: train a head on the user's own vision transformer (ONNX)."""

from __future__ import annotations

from pathlib import Path

import click

from ..extras import require_extra
from .output import progress_bar
from .taps import numbers_or_names

_FOLDER = click.Path(file_okay=False, path_type=Path)


def _triple(text: str | None, option: str) -> tuple[float, float, float] | None:
    if text is None:
        return None
    try:
        red, green, blue = (float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not three numbers such as 0.5,0.5,0.5", param_hint=option
        ) from None
    return red, green, blue


@click.command("train")
@click.option("--encoder", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True,
              metavar="FILE", help="A vision transformer as ONNX: DINOv3, SigLIP 2, Perception Encoder...")  # fmt: skip
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True,
              help="A folder made by `data build` or `data import`.")  # fmt: skip
@click.option("--out", type=_FOLDER, required=True, metavar="MODEL_DIR", help="Model folder to write.")
@click.option(
    "--taps", metavar="5,6,9-11|NAME,...",
    help="Blocks whose tokens the head reads, counted from 1, or names of tensors. Default: middle and later blocks.",
)  # fmt: skip
@click.option(
    "--pool", type=click.Choice(["cls", "mean"]),
    help="CLS token, or mean of the patch tokens. Default: the CLS token if the encoder has one.",
)  # fmt: skip
@click.option(
    "--input", "side", type=click.IntRange(16), metavar="PIXELS", help="Input size. Default: as in the file."
)
@click.option("--normalise", type=click.Choice(["clip", "imagenet", "siglip"]),
              help="Pixel normalisation: clip; imagenet (DINOv2, DINOv3); siglip (-1 to 1).")  # fmt: skip
@click.option("--mean", metavar="R,G,B", help="With --std, instead of --normalise; for pixels from 0 to 1.")
@click.option("--std", metavar="R,G,B")
@click.option(
    "--precision", type=click.Choice(["float", "dynamic8", "static8"]), default="float", show_default=True,
    help="float: as in the file. dynamic8, static8: linear layers in 8 bits, with ranges per batch or fixed ranges.",
)  # fmt: skip
@click.option(
    "--work", type=_FOLDER, help="Folder for features and other intermediate results. Default: OUT-work."
)
@click.option(
    "--per-source",
    type=click.IntRange(1),
    help="At most this many images per source and class. Default: all.",
)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True)
@click.option("--name", default=None, help="Model name in model.json. Default: the file name.")
@click.option(
    "--version", "model_version", default="1.0.0", show_default=True, help="Model version in model.json."
)
def train_on_encoder(
    file: Path,
    data: Path,
    out: Path,
    taps: str | None,
    pool: str | None,
    side: int | None,
    normalise: str | None,
    mean: str | None,
    std: str | None,
    precision: str,
    work: Path | None,
    per_source: int | None,
    jobs: int,
    name: str | None,
    model_version: str,
) -> None:
    """Train a head on your own encoder. OUT becomes a model folder for `detect --model OUT`.

    An interrupted run is continued from --work. The encoder's weights are copied into OUT/model.onnx.
    """
    with require_extra("train"):
        from ..train.encoder.own import NORMALISATIONS, OwnEncoder, train_on
    means, deviations = _triple(mean, "--mean"), _triple(std, "--std")
    if normalise and not (means or deviations):
        means, deviations = NORMALISATIONS[normalise]
    elif normalise or means is None or deviations is None:
        raise click.UsageError(
            "the pixel normalisation is missing: give --normalise clip, imagenet or siglip, or both --mean and --std"
        )
    own = OwnEncoder(
        file, means, deviations, numbers_or_names(taps) if taps else (), pool, side, precision  # type: ignore[arg-type]
    )  # fmt: skip
    with progress_bar("features") as progress:
        folder = train_on(
            own, data, out, work or out.with_name(f"{out.name}-work"),
            name=name or file.stem, version=model_version, per_source=per_source, jobs=jobs,
            message=lambda text: click.echo(text, err=True), progress=progress,
        )  # fmt: skip
    click.echo(str(folder))
