"""What is asked of a picture, checked before the first one is looked at."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from numbers import Real

from .errors import UsageError
from .model.spec import ModelSpec
from .types import MODES, WITNESSES, Mode, Thresholds, Witness


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, checked."""

    witnesses: frozenset[Witness]
    thresholds: Thresholds | None  # None: the model is not asked
    heatmap: bool
    explain: bool  # the model looks at re-saved copies as well, see model/looks.py


def ask(
    spec: Callable[[], ModelSpec],
    mode: Mode,
    threshold: float | None,
    only: Collection[Witness] | None,
    *,
    heatmap: bool,
    explain: bool,
) -> Question:
    """`spec` loads the model, so that a broken one is told before the first picture; it is called where the model is
    asked. Raises UsageError, or what `spec` raises."""
    if mode not in MODES:
        raise UsageError(f"mode is {mode!r}; it must be one of {', '.join(MODES)}")
    if threshold is not None and not _is_share(threshold):
        raise UsageError(f"threshold is {threshold!r}; it must be a number between 0 and 1")
    witnesses = frozenset(WITNESSES if only is None else only)
    if not witnesses or not witnesses <= set(WITNESSES):
        raise UsageError(f"only must name at least one of {', '.join(WITNESSES)}, and nothing else")
    if "model" not in witnesses:
        return Question(witnesses, None, heatmap=False, explain=False)
    facts = spec()
    if heatmap and not facts.has_heatmap:
        raise UsageError(f"the model {facts.name} gives no heat map")
    thresholds = facts.thresholds[mode] if threshold is None else Thresholds(ai=threshold, real=threshold)
    return Question(witnesses, thresholds, heatmap, explain)


def _is_share(value: object) -> bool:
    return isinstance(value, Real) and 0 <= float(value) <= 1
