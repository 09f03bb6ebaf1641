"""Runs an external detector as a command on files; it prints `path<TAB>probability of AI`, one line per image.

The images are in a temporary folder under neutral names, degraded according to the tier. `{folder}` in the command is
replaced by that folder; without it, the folder is the last argument. The command is not run in a shell.
"""

from __future__ import annotations

import math
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data.tiers import apply_tier, open_original
from ..decode import sniff
from ..errors import InputError, ModelError
from ..types import Thresholds
from .metrics import BEST_GUESS
from .pictures import Picture
from .scorers import ModelFacts

_PER_CALL = 1000  # images per call: limits the disk space, and amortises the start of the command
_SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif"}


@dataclass(frozen=True, slots=True)
class Command:
    """An external detector."""

    name: str
    line: str

    @property
    def facts(self) -> ModelFacts:
        return ModelFacts(self.name, "", "", {BEST_GUESS: Thresholds(ai=0.5, real=0.5)})


def parse_command(text: str) -> Command:
    """Parse `NAME=COMMAND LINE`, or only a command line, whose first word is then the name. Raises ModelError."""
    name, equals, line = text.partition("=")
    if not equals or " " in name.strip():
        name, line = text.split()[0] if text.split() else "", text
    if not line.strip():
        raise ModelError(f"{text!r}: not a command; expected NAME=COMMAND LINE")
    return Command(Path(name.strip()).name, line.strip())


def score_by_command(
    command: Command, pictures: Sequence[Picture], tiers: Sequence[str], *, jobs: int
) -> NDArray[np.float64]:
    """Probabilities of AI (tiers, N); NaN for images that do not decode, or for which the command prints no line.

    Raises ModelError if the command cannot be run, fails, or prints invalid lines.
    """
    scores = np.full((len(tiers), len(pictures)), np.nan)
    # Names in the order of the data set would reveal the classes: ai precedes real.
    numbers = np.random.default_rng(0).permutation(len(pictures))
    with _mapper(jobs) as parallel_map:
        for row, tier in enumerate(tiers):
            for start in range(0, len(pictures), _PER_CALL):
                chunk = range(start, min(start + _PER_CALL, len(pictures)))
                with tempfile.TemporaryDirectory(prefix="imageprocess-") as folder:
                    stems = [Path(folder) / f"{numbers[i]:06d}" for i in chunk]
                    paths = [pictures[i].path for i in chunk]
                    names = list(parallel_map(_write, paths, stems, [tier] * len(chunk)))
                    probabilities = _run(command, Path(folder))
                for index, name in zip(chunk, names, strict=True):
                    scores[row, index] = probabilities.get(name, math.nan)
    return scores


@contextmanager
def _mapper(jobs: int) -> Iterator[Callable[..., Iterator[str]]]:
    """`map`, in worker processes if `jobs` is more than 1."""
    if jobs == 1:
        yield map
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        yield pool.map


def _write(path: Path, stem: Path, tier: str) -> str:
    """Write the image, degraded according to `tier`. Returns the file name; "" if the image does not decode."""
    try:
        data = apply_tier(open_original(path.read_bytes(), path.name), tier).data
    except (OSError, InputError):
        return ""
    kind = sniff(data) or ""
    target = stem.with_suffix(_SUFFIXES.get(kind, f".{kind.lower()}"))
    target.write_bytes(data)
    return target.name


def _run(command: Command, folder: Path) -> dict[str, float]:
    """File name -> probability, as printed by the command."""
    words = shlex.split(command.line)
    has_folder = any("{folder}" in word for word in words)
    words = [word.replace("{folder}", str(folder)) for word in words] + ([] if has_folder else [str(folder)])
    try:
        process = subprocess.run(words, capture_output=True, text=True, check=True)
    except OSError as error:
        raise ModelError(f"{command.name}: cannot be run ({error})") from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["nothing on standard error"])[-1]
        raise ModelError(f"{command.name}: exit status {error.returncode} ({last})") from error
    return dict(_parse(command, line) for line in process.stdout.splitlines() if line.strip())


def _parse(command: Command, line: str) -> tuple[str, float]:
    path, _, text = line.rpartition("\t")
    try:
        probability = float(text)
    except ValueError:
        probability = math.nan
    if not path or not 0 <= probability <= 1:
        raise ModelError(f"{command.name}: printed {line[:80]!r}; expected path<TAB>probability from 0 to 1")
    return Path(path).name, probability
