"""The options of a detection, validated before the first image is read."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from numbers import Real

from .errors import UsageError
from .model.spec import ModelSpec
from .types import CHECKS, MODES, Check, Mode, Thresholds


@dataclass(frozen=True, slots=True)
class Options:
    """Valid options."""

    checks: frozenset[Check]
    thresholds: Thresholds | None  # None: without the model
    heatmap: bool
    explain: bool  # run the model on re-saved copies too, see model/looks.py


def check_options(
    spec: Callable[[], ModelSpec],
    mode: Mode,
    threshold: float | None,
    only: Collection[Check] | None,
    *,
    heatmap: bool,
    explain: bool,
) -> Options:
    """`spec` loads the model, and is called if the model is among the checks, so that a broken model fails before the
    first image. Raises UsageError, or what `spec` raises."""
    if mode not in MODES:
        raise UsageError(f"mode is {mode!r}; it must be one of {', '.join(MODES)}")
    if threshold is not None and not _is_share(threshold):
        raise UsageError(f"threshold is {threshold!r}; it must be a number between 0 and 1")
    checks = frozenset(CHECKS if only is None else only)
    if not checks or not checks <= set(CHECKS):
        raise UsageError(f"only is {only!r}; it must contain one or more of {', '.join(CHECKS)}")
    if "model" not in checks:
        return Options(checks, None, heatmap=False, explain=False)
    model = spec()
    if heatmap and not model.has_heatmap:
        raise UsageError(f"the model {model.name} has no heat map; choose another model or omit the heat map")
    thresholds = model.thresholds[mode] if threshold is None else Thresholds(ai=threshold, real=threshold)
    return Options(checks, thresholds, heatmap, explain)


def _is_share(value: object) -> bool:
    return isinstance(value, Real) and 0 <= float(value) <= 1
