"""The command line. Each command is a module that is imported when it is run, so that `--help` stays fast."""

from __future__ import annotations

import contextlib
import errno
import importlib
import importlib.util
import os
import sys
import warnings
from pathlib import Path

import click

from ..errors import ImageProcessError, ModelError, UsageError

# Command -> its line in `--help`. The command `x` is the attribute `x` of the module `x` of this package; a command
# without a module is not listed.
_COMMANDS = {
    "detect": "Detect whether images were made by AI, and why.",
    "inspect": "Show the metadata and Content Credentials of a file, without the model.",
    "serve": "Run the HTTP service and its web pages.",
    "batch": "Analyse very many images, resumably, on one machine or on Ray.",
    "watch": "Analyse new images in a folder as they arrive.",
    "data": "Build, audit, import and describe data sets.",
    "train": "Train a network on a data set.",
    "encoder": "Extract features of a pretrained encoder and train a head on them.",
    "evaluate": "Measure models on a data set and write a report.",
    "model": "List, get, describe, verify and export models.",
    "trust": "Manage the list of trusted signers of Content Credentials.",
    "completion": "Print the script that adds tab completion to a shell.",
}
_INTERRUPTED = 130  # 128 + SIGINT, as in shells


class _UsageProblem(click.ClickException):
    exit_code = 2


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in _COMMANDS if importlib.util.find_spec(f"{__name__}.{name}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = getattr(importlib.import_module(f"{__name__}.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ImageProcessError as error:
            is_usage = isinstance(error, UsageError | ModelError)
            raise (_UsageProblem if is_usage else click.ClickException)(str(error)) from error
        except click.FileError as error:
            raise _UsageProblem(f"{error.ui_filename}: {error.message}") from error
        except OSError as error:
            if error.errno == errno.ENOSPC:
                _discard_stdout()
            if error.errno == errno.EPIPE or not (error.filename or error.errno == errno.ENOSPC):
                raise  # click handles a closed pipe; an OSError without a file name is a bug
            raise _UsageProblem(_message(error)) from error
        except KeyboardInterrupt:
            raise click.exceptions.Exit(_INTERRUPTED) from None


def _message(error: OSError) -> str:
    name = error.filename2 or error.filename  # filename2 is the target of a rename
    return f"{name}: {error.strerror}" if name else str(error.strerror)


def _discard_stdout() -> None:
    """Discard buffered output: flushing it at exit would fail again, with a traceback."""
    with contextlib.suppress(OSError, ValueError):  # stdout is not a file
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _show_version(ctx: click.Context, _: click.Parameter, requested: bool) -> None:
    if not requested or ctx.resilient_parsing:
        return
    from .. import __version__
    from ..model import registry
    from ..model.spec import load_spec

    try:
        info = load_spec(registry.resolve()).info
        model = f"model {info.name} {info.version}, sha256 {info.sha256[:12]}"
    except ModelError:
        model = "no model installed"
    click.echo(f"imageprocess {__version__} ({model})")
    ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the versions of the program and its model, and exit.",
)
def main() -> None:
    """Was this image made by an AI, or by a camera or a human hand?"""
    # Pillow warns of large images and unusual metadata; limits, errors and evidence report what matters.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    if sys.stdin is None:  # closed by the shell; the next file to be opened would get its descriptor
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 (open until the process ends)
