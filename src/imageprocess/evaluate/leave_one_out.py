"""Leave one generator out: accuracy of a network on a family of generators that it was not trained on.

One short training per family of generators, and one with all families for comparison. The only module of this package
that uses torch, through `train`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data.categories import GENERATORS
from ..data.index import IndexRow, data_id, read_index
from ..errors import DataError
from ..extras import require_extra
from . import runner
from .metrics import BEST_GUESS, Scored, measure_with_intervals
from .pictures import picture_of
from .scorers import open_scorer
from .study import as_record

# Generators of a family share an architecture or a training set, so a network that was trained on one member knows the
# family. The manifest has the family; for sources of several families, which belong to each, and for data sets without
# it, families are searched in the generator's name, in lower case.
_FAMILIES = (
    (GENERATORS["gan_face"], ("stylegan",)),
    ("DALL-E mini", ("dall-e mini", "craiyon")),
    (GENERATORS["dalle"], ("dall-e 2", "dall-e 3")),
    (GENERATORS["gpt_image"], ("gpt-image", "gpt image", "gpt-4o")),
    (GENERATORS["gemini_imagen"], ("nano banana", "gemini", "imagen")),
    (GENERATORS["midjourney"], ("midjourney",)),
    (GENERATORS["flux"], ("flux",)),
    (GENERATORS["seedream"], ("seedream", "doubao", "jimeng")),
    (GENERATORS["qwen"], ("qwen",)),
    (GENERATORS["sd_3"], ("stable diffusion 3", "sd3", "sd 3")),
    (GENERATORS["sdxl"], ("sdxl",)),
    (GENERATORS["sd_1_2"], ("stable diffusion 1", "stable diffusion 2", "stable diffusion beta", "sd1", "sd2",
                                  "sd 1", "sd 2", "sd checkpoints", "and stable diffusion", "(automatic1111)")),
    ("latent diffusion, GLIDE", ("latent-diffusion", "glid-3")),
)  # fmt: skip
_TIER = "equalised"
_MIN_PICTURES = 40  # of a family, for a run
_MAX_TESTED = 600  # of a family, and of the real images
NOTHING = "nothing"

Report = Callable[[str, int, int], None]  # (family that is left out, runs done, total)


@dataclass(frozen=True, slots=True)
class Plan:
    """The options of all runs."""

    net: str = "cnn"
    epochs: int = 2
    sample: int = 4000  # training images per run, half of each class
    seed: int = 0


def families_of(origin: str, generator: str = "") -> frozenset[str]:
    """The families in the name `origin` of a generator; `origin` itself if none is known. `generator`: one of
    GENERATORS, or ""."""
    if generator in GENERATORS and generator not in ("mixed", "other"):
        return frozenset({GENERATORS[generator]})
    lower = origin.lower()
    families = frozenset(family for family, words in _FAMILIES if any(word in lower for word in words))
    return families or frozenset({origin})


def leave_one_out(
    data: Path,
    plan: Plan,
    *,
    jobs: int = 2,
    resamples: int = 1000,
    report: Report = lambda family, done, total: None,
) -> dict[str, Any]:
    """The results as a record with one row per family. Raises DataError or MissingExtraError.

    A family is tested on its images and real images of the test split, degraded as in training. `left_out`: the network
    was trained without the family, and is tested on all its images; `seen`: trained with it, tested on its test split.
    """
    rows = [row for row in read_index(data) if row.split != "open_test"]
    families = _families(rows)
    if len(families) < 2:
        raise DataError(
            f"{data}: {len(families)} families of generators with at least {_MIN_PICTURES} pictures; two are needed"
        )
    reals = _sample(
        [row for row in rows if row.label == "real" and row.split == "test"], _MAX_TESTED, plan.seed
    )
    report(NOTHING, 0, len(families) + 1)
    with tempfile.TemporaryDirectory(prefix="imageprocess-") as work:
        full_model = _train(data, rows, plan, Path(work) / "all", jobs)
        table = []
        for done, family in enumerate(families, start=1):
            report(family, done, len(families) + 1)
            members = [row for row in rows if _is_only_of(row, family)]
            others = [row for row in rows if not _is_of(row, family)]
            model = _train(data, others, plan, Path(work) / str(done), jobs)
            tested = _sample(members, _MAX_TESTED, plan.seed)
            test_split = [row for row in members if row.split == "test"]
            table.append(
                {
                    "family": family,
                    "sources": sorted({row.source for row in members}),
                    "n": len(tested),
                    "left_out": _measure(data, model, tested + reals, jobs, resamples),
                    "seen": _measure(data, full_model, test_split + reals, jobs, resamples)
                    if test_split
                    else None,
                }
            )
    return {
        "data_id": data_id(rows),
        "net": plan.net,
        "epochs": plan.epochs,
        "sample": plan.sample,
        "seed": plan.seed,
        "tier": _TIER,
        "n_real": len(reals),
        "rows": table,
    }


def render_table(record: dict[str, Any]) -> str:
    """A Markdown table of the record of `leave_one_out`. "trained": figures of the network that was trained with the
    family."""
    lines = [
        "| left out | pictures | AUROC | AUROC, trained | TPR | TPR, trained |",
        "|---|---|---|---|---|---|",
    ]
    for row in record["rows"]:
        left_out, seen = row["left_out"], row["seen"]
        low, high = left_out["intervals"].get("auroc", (left_out["auroc"],) * 2)
        lines.append(
            f"| {row['family']} | {row['n']} | {left_out['auroc']:.3f} [{low:.3f}, {high:.3f}] "
            f"| {'' if seen is None else format(seen['auroc'], '.3f')} | {left_out[_TPR]:.1%} "
            f"| {'' if seen is None else format(seen[_TPR], '.1%')} |"
        )
    mean = np.mean([row["left_out"]["auroc"] for row in record["rows"]])
    return "\n".join([*lines, f"| mean | | {mean:.3f} | | | |"])


_TPR = f"tpr@{BEST_GUESS}"


def _families(rows: Sequence[IndexRow]) -> list[str]:
    counts: dict[str, int] = {}
    for row in rows:
        if row.label == "ai" and len(families := families_of(row.origin, row.generator)) == 1:
            (family,) = families
            counts[family] = counts.get(family, 0) + 1
    return sorted(family for family, count in counts.items() if count >= _MIN_PICTURES)


def _is_of(row: IndexRow, family: str) -> bool:
    return row.label == "ai" and family in families_of(row.origin, row.generator)


def _is_only_of(row: IndexRow, family: str) -> bool:
    return row.label == "ai" and families_of(row.origin, row.generator) == {family}


def _sample(rows: list[IndexRow], max_rows: int, seed: int) -> list[IndexRow]:
    if len(rows) <= max_rows:
        return rows
    indices = np.random.default_rng(seed).choice(len(rows), max_rows, replace=False)
    return [rows[i] for i in sorted(indices)]


def _train(data: Path, rows: list[IndexRow], plan: Plan, out: Path, jobs: int) -> Path:
    """Train on a sample of `rows`. Returns the model folder."""
    with require_extra("train"):
        from ..train.export import export
        from ..train.loop import train
        from ..train.recipes import recipe_of
        from ..train.samples.options import LoaderOptions
    sample: list[IndexRow] = []
    for split, size in (("train", plan.sample), ("val", plan.sample // 8)):
        for label in ("ai", "real"):
            members = [row for row in rows if row.split == split and row.label == label]
            sample += _sample(members, size // 2, plan.seed)
    recipe = replace(recipe_of(plan.net), epochs=plan.epochs, seed=plan.seed)
    result = train(data, out, recipe, rows=sample, loader=LoaderOptions(workers=jobs))
    return export(result, out / "model", name=plan.net)


def _measure(data: Path, model: Path, rows: list[IndexRow], jobs: int, resamples: int) -> dict[str, Any]:
    pictures = [picture_of(data, row) for row in rows]
    scores = runner.score(pictures, [model], [_TIER], jobs=jobs)
    facts = open_scorer(model).facts
    scored = Scored(
        np.array([picture.is_ai for picture in pictures]),
        scores.scores[0, 0],
        np.array([picture.source for picture in pictures]),
        facts.too_small(scores.sides[0]),
    ).where(scores.is_complete)
    return as_record(measure_with_intervals(scored, facts.thresholds, resamples=resamples))
