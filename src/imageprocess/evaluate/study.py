"""Runs one evaluation: computes all figures of the report on given images, tiers and models, as plain records."""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.tiers import TIERS
from ..errors import DataError, MissingExtraError
from . import runner, sanity
from .commands import Command, score_by_command
from .grades import grade_table
from .groups import consistency, group_rows, keys_of
from .metrics import Measured, Scored, confusion, measure_with_intervals
from .pictures import Dataset, Picture
from .runner import Progress, Scores
from .scorers import ModelFacts, open_scorer

SCHEMA = 1
CONTROL = "blank"
RESAMPLES = 1000  # customary; intervals of fewer than 200 bootstrap resamples are too noisy


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """The results of an evaluation. `record` is the JSON report; its plots are drawn from the arrays."""

    dataset: Dataset
    pictures: tuple[Picture, ...]  # (N) that were scored
    models: tuple[ModelFacts, ...]
    tiers: tuple[str, ...]
    scores: NDArray[np.float64]  # (models, tiers, N)
    sides: NDArray[np.float64]  # (tiers, N) the longer side of each degraded copy in pixels
    is_ai: NDArray[np.bool_]  # (N,)
    sources: NDArray[np.str_]  # (N,)
    record: dict[str, Any]

    def scored(self, model: int, tier: int) -> Scored:
        too_small = self.models[model].too_small(self.sides[tier])
        return Scored(self.is_ai, self.scores[model, tier], self.sources, too_small)


def evaluate(
    dataset: Dataset,
    models: Sequence[Path],
    tiers: Sequence[str],
    *,
    commands: Sequence[Command] = (),
    jobs: int = 2,
    resamples: int = RESAMPLES,
    progress: Progress = lambda done, total: None,
) -> Study:
    """Measure `models` (folders) and `commands` on `dataset`, degraded according to each tier.

    Raises DataError, ModelError, CrashedError or MissingExtraError.
    """
    if find_spec("sklearn") is None:
        raise MissingExtraError("scikit-learn", "report")
    began = time.perf_counter()
    facts = tuple(open_scorer(folder).facts for folder in models) + tuple(
        command.facts for command in commands
    )
    measured_tiers = (*tiers, *(() if CONTROL in tiers else (CONTROL,)))
    raw = runner.score(dataset.pictures, models, measured_tiers, jobs=jobs, progress=progress)
    for command in commands:
        command_scores = score_by_command(command, dataset.pictures, measured_tiers, jobs=jobs)
        raw = raw.with_model(command_scores, command.name)
    mask = raw.is_complete
    pictures = tuple(p for p, is_complete in zip(dataset.pictures, mask, strict=True) if is_complete)
    is_ai = np.array([p.is_ai for p in pictures], dtype=bool)
    if not is_ai.any() or is_ai.all():
        reason = next(iter(raw.failed.values()), "no picture")
        raise DataError(f"{dataset.name}: fewer than two classes could be scored ({reason})")
    sources = np.array([p.source for p in pictures])
    scores, sides = raw.scores[:, :, mask], raw.sides[:, mask]
    reported = slice(len(tiers))
    study = Study(
        dataset, pictures, facts, tuple(tiers), scores[:, reported], sides[reported], is_ai, sources, {}
    )
    index = measured_tiers.index(CONTROL)
    control = replace(study, tiers=(CONTROL,), scores=scores[:, [index]], sides=sides[[index]])
    study.record.update(
        schema=SCHEMA,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        imageprocess=version("imageprocess"),
        data=_describe(study, raw),
        tiers={tier: (TIERS[tier].__doc__ or "").strip() for tier in tiers},
        resamples=resamples,
        models=[
            _measure_model(study, m, control.scored(m, 0), raw.sizes[mask], resamples)
            for m in range(len(facts))
        ],
        honesty=_baselines(study, raw.file_facts[: len(tiers), mask], resamples),
        elapsed_s=round(time.perf_counter() - began, 1),
    )
    return study


def _describe(study: Study, raw: Scores) -> dict[str, Any]:
    return {
        "name": study.dataset.name,
        "split": study.dataset.split,
        "id": study.dataset.id,
        "n_ai": int(study.is_ai.sum()),
        "n_real": int((~study.is_ai).sum()),
        "sources_ai": len(np.unique(study.sources[study.is_ai])),
        "sources_real": len(np.unique(study.sources[~study.is_ai])),
        "not_scored": [
            {"path": study.dataset.pictures[i].path.name, "why": reason}
            for i, reason in sorted(raw.failed.items())
        ],
    }


def _measure_model(
    study: Study, model: int, blank: Scored, sizes: NDArray[np.float64], resamples: int
) -> dict[str, Any]:
    facts = study.models[model]
    keys = keys_of(study.pictures, sizes)
    by_tier = [study.scored(model, index) for index in range(len(study.tiers))]
    tiers = {}
    for tier, scored in zip(study.tiers, by_tier, strict=True):
        tiers[tier] = {
            "by_picture": as_record(measure_with_intervals(scored, facts.thresholds, resamples=resamples)),
            "by_source": as_record(
                measure_with_intervals(scored, facts.thresholds, resamples=resamples, by_source=True)
            ),
            "confusion": confusion(scored, facts.thresholds),
            "grades": grade_table(scored, facts.thresholds),
            "groups": {
                key: [row.as_record() for row in group_rows(scored, names, facts.thresholds, resamples)]
                for key, names in keys.items()
            },
        }
    return {
        "name": facts.name,
        "version": facts.version,
        "sha256": facts.sha256,
        "thresholds": {mode: asdict(limits) for mode, limits in facts.thresholds.items()},
        "smallest_px": facts.smallest_px,
        "tiers": tiers,
        "consistency": consistency(by_tier, study.tiers, facts.thresholds, resamples),
        "honesty": {
            "blank": {
                **as_record(measure_with_intervals(blank, facts.thresholds, resamples=resamples)),
                "mean_score": float(blank.scores.mean()),
            },
            "shuffled_labels": sanity.shuffled_labels(by_tier[0], facts.thresholds),
        },
    }


def _baselines(study: Study, facts: NDArray[np.float64], resamples: int) -> dict[str, Any]:
    """Baselines that do not depend on a model."""
    unscored = Scored(study.is_ai, np.zeros(len(study.is_ai)), study.sources)
    by_tier = {
        tier: sanity.file_facts_alone(unscored, facts[index], resamples=resamples)
        for index, tier in enumerate(study.tiers)
    }
    return {
        "always_real": sanity.always_real(study.is_ai, np.ones(len(study.is_ai))),
        "file_facts": {tier: as_record(measured) for tier, measured in by_tier.items() if measured},
    }


def as_record(measured: Measured) -> dict[str, Any]:
    """Metric -> value, and all intervals under `intervals`."""
    return {**measured.values, "intervals": {name: list(pair) for name, pair in measured.intervals.items()}}
