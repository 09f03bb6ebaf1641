"""Anyone's detector, run as a command over files: it prints `path<TAB>probability of AI`, a line a picture.

The pictures lie in a temporary folder under neutral names, degraded as the tier demands. `{folder}` in the
command stands for it; where it is not named, it is the last argument. The command is not run by a shell.
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

_AT_ONCE = 1000  # pictures a call: bounds the disk that is used, and spreads the cost of starting a command
_SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif"}


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    line: str

    @property
    def facts(self) -> ModelFacts:
        return ModelFacts(self.name, "", "", {BEST_GUESS: Thresholds(ai=0.5, real=0.5)})


def parse_command(text: str) -> Command:
    """`NAME=COMMAND LINE`, or a command line alone, whose first word is its name then."""
    name, equals, line = text.partition("=")
    if not equals or " " in name.strip():
        name, line = text.split()[0] if text.split() else "", text
    if not line.strip():
        raise ModelError(f"{text!r}: not a command; expected NAME=COMMAND LINE")
    return Command(Path(name.strip()).name, line.strip())


def score_by_command(
    command: Command, pictures: Sequence[Picture], tiers: Sequence[str], *, jobs: int
) -> NDArray[np.float64]:
    """-> (tiers, N) probabilities; NaN where a picture does not decode or the command says nothing of it.

    Raises ModelError where the command cannot be run, fails, or prints something else.
    """
    scores = np.full((len(tiers), len(pictures)), np.nan)
    # Names in the data set's order would tell the classes apart: ai lies before real.
    numbers = np.random.default_rng(0).permutation(len(pictures))
    with _mapper(jobs) as each:
        for line, tier in enumerate(tiers):
            for start in range(0, len(pictures), _AT_ONCE):
                chunk = range(start, min(start + _AT_ONCE, len(pictures)))
                with tempfile.TemporaryDirectory(prefix="imageprocess-") as folder:
                    stems = [Path(folder) / f"{numbers[i]:06d}" for i in chunk]
                    paths = [pictures[i].path for i in chunk]
                    names = list(each(_write, paths, stems, [tier] * len(chunk)))
                    said = _run(command, Path(folder))
                for index, name in zip(chunk, names, strict=True):
                    scores[line, index] = said.get(name, math.nan)
    return scores


@contextmanager
def _mapper(jobs: int) -> Iterator[Callable[..., Iterator[str]]]:
    """`map`, in worker processes where there is more than one job."""
    if jobs == 1:
        yield map
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        yield pool.map


def _write(path: Path, stem: Path, tier: str) -> str:
    """Write the picture, degraded as `tier`, and return the file's name; empty if the picture does not decode."""
    try:
        data = apply_tier(open_original(path.read_bytes(), path.name), tier).data
    except (OSError, InputError):
        return ""
    kind = sniff(data) or ""
    target = stem.with_suffix(_SUFFIXES.get(kind, f".{kind.lower()}"))
    target.write_bytes(data)
    return target.name


def _run(command: Command, folder: Path) -> dict[str, float]:
    """-> what the command says of each file, by its name."""
    words = shlex.split(command.line)
    named = any("{folder}" in word for word in words)
    words = [word.replace("{folder}", str(folder)) for word in words] + ([] if named else [str(folder)])
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    except OSError as error:
        raise ModelError(f"{command.name}: cannot be run ({error})") from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["nothing on standard error"])[-1]
        raise ModelError(f"{command.name}: exit status {error.returncode} ({last})") from error
    return dict(_parse(command, line) for line in done.stdout.splitlines() if line.strip())


def _parse(command: Command, line: str) -> tuple[str, float]:
    path, _, text = line.rpartition("\t")
    try:
        probability = float(text)
    except ValueError:
        probability = math.nan
    if not path or not 0 <= probability <= 1:
        raise ModelError(f"{command.name}: printed {line[:80]!r}; expected path<TAB>probability from 0 to 1")
    return Path(path).name, probability
