"""`imageprocess train`: train a network on a data set and export it as a model folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..extras import require_extra

if TYPE_CHECKING:
    from ..train.devices import DeviceOptions
    from ..train.progress import Progress
    from ..train.result import TrainResult
    from ..train.samples.options import LoaderOptions


class _Train(click.Command):
    """With --encoder it is a different command with its own options."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if any(arg == "--encoder" or arg.startswith("--encoder=") for arg in args):
            from .own_encoder import train_on_encoder

            return train_on_encoder.make_context(info_name, args, parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=_Train)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True,
              help="A folder made by `data build` or `data import`.")  # fmt: skip
@click.option(
    "--net",
    default="cnn",
    show_default=True,
    help="cnn, or small32 for 32 x 32 images.",
)
@click.option("--epochs", type=click.IntRange(1), default=None, help="Default: as in the recipe.")
@click.option("--batch-size", type=click.IntRange(2), default=None)
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), default=None)
@click.option("--seed", type=click.IntRange(0), default=None)
@click.option(
    "--teacher", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Table sha256,probability_ai of a larger model, as `encoder teacher` writes it; the network is trained on its "
    "probabilities beside the labels.",
)  # fmt: skip
@click.option(
    "--teacher-share", type=click.FloatRange(0, 1, min_open=True), default=0.5, show_default=True,
    help="Weight of the teacher's probabilities; the rest is on labels.",
)  # fmt: skip
@click.option("--precision", type=click.Choice(["32-true", "bf16-mixed"]), default=None)
@click.option(
    "--workers", type=click.IntRange(0), default=2, show_default=True, help="Data loader processes."
)
@click.option(
    "--devices", type=click.IntRange(1), default=1, show_default=True,
    help="Train on N GPUs, or in N processes on a CPU (data parallel).",
)  # fmt: skip
@click.option(
    "--nodes", type=click.IntRange(1), default=1, show_default=True,
    help="Number of machines. Run this command on each, with NODE_RANK 0 to N-1 and the first machine's MASTER_ADDR "
    "and MASTER_PORT; --data and --out must be on shared storage.",
)  # fmt: skip
@click.option(
    "--resized", is_flag=True,
    help="Also store the prepared images as arrays (150 KB each), so that training does not wait for decoding.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Output folder. Default: runs/NET."
)
@click.option("--name", default=None, help="Model name in model.json. Default: NET.")
@click.option(
    "--version", "model_version", default="1.0.0", show_default=True, help="Model version in model.json."
)
@click.option("--resume", is_flag=True, help="Continue the interrupted run in --out.")
def train(
    data: Path,
    net: str,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    seed: int | None,
    teacher: Path | None,
    teacher_share: float,
    precision: str | None,
    workers: int,
    devices: int,
    nodes: int,
    resized: bool,
    out: Path | None,
    name: str | None,
    model_version: str,
    resume: bool,
) -> None:
    """Train a network. Writes the model folder OUT/model and the learning curves OUT/curves.png.

    With --encoder FILE.onnx, trains a head on that vision transformer; see `train --encoder FILE --help`.
    """
    with require_extra("train"):
        from ..train.devices import DeviceOptions, is_follower
        from ..train.export import export
        from ..train.samples.options import LoaderOptions
    overrides = {
        "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed,
        "precision": precision, "teacher_share": teacher_share if teacher else None,
    }  # fmt: skip
    overrides = {key: value for key, value in overrides.items() if value is not None}
    out = out or Path("runs") / net
    result = _train_network(
        net,
        data,
        out,
        overrides,
        resume,
        LoaderOptions(workers, resized),
        DeviceOptions(devices, nodes),
        teacher,
    )
    if is_follower():
        return
    folder = export(result, out / "model", name=name or net, version=model_version)
    best = result.log[result.best_epoch - 1]
    click.echo(f"epoch {result.best_epoch}: validation accuracy {best['val_accuracy']:.4f}", err=True)
    click.echo(str(folder))


def _train_network(
    net: str,
    data: Path,
    out: Path,
    overrides: dict[str, Any],
    resume: bool,
    loader: LoaderOptions,
    devices: DeviceOptions,
    teacher: Path | None,
) -> TrainResult:
    from ..train.loop import train as run
    from ..train.recipes import RECIPES

    if net not in RECIPES:
        raise click.BadParameter(f"{net!r} is not one of {', '.join(RECIPES)}", param_hint="--net")
    recipe = replace(RECIPES[net], **overrides)
    bars = _Bars(recipe.epochs)
    try:
        with bars:
            return run(
                data,
                out,
                recipe,
                resume=resume,
                loader=loader,
                devices=devices,
                teacher=teacher,
                report=bars.step,
                caching=bars.cache,
            )
    except KeyboardInterrupt:
        if (resume or bars.begun) and (out / "last.ckpt").exists():
            click.echo(f"interrupted; run the same command with --resume to continue from {out}", err=True)
        else:
            click.echo(
                "interrupted before the first checkpoint; the images prepared so far are kept", err=True
            )
        raise click.exceptions.Exit(130) from None


class _Bars:
    """Progress of preparing images and of training on stderr: two bars on a terminal, else a line every 100 steps."""

    def __init__(self, epochs: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        from ..train.devices import is_follower

        self.begun = False
        self._epochs = epochs
        # Only the first of several processes reports.
        self._console = Console(stderr=True, quiet=is_follower())
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._cache = self._bars.add_task("preparing images", total=None, visible=False)
        self._epoch = self._bars.add_task("epoch 1", total=None, visible=False)

    def __enter__(self) -> _Bars:
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()

    def cache(self, done: int, total: int) -> None:
        self._bars.update(self._cache, completed=done, total=total, visible=done < total)

    def step(self, at: Progress) -> None:
        self.begun = True
        text = (
            f"epoch {at.epoch + 1}/{self._epochs}  loss {at.loss:.4f}  accuracy {at.accuracy:.4f}"
            f"  {at.images_per_s:.0f} images/s"
        )
        self._bars.update(self._epoch, description=text, completed=at.step, total=at.steps, visible=True)
        if not (self._console.is_terminal or self._console.quiet) and (
            at.step == at.steps or at.step % 100 == 0
        ):
            click.echo(f"{text}  step {at.step}/{at.steps}", err=True)
