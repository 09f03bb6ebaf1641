"""Does the heat map show that a part of a photograph was generated? Measured on edited images and photographs.

python -m bench.edited_parts DATA STORE CACHE.npz     writes the table between the markers in docs/encoder.md

An image is flagged if the model leans to real and the statistic of its heat map exceeds a threshold. The threshold is
set so that SHARE of held-out photographs of training sources (not in STORE) are flagged; photographs of open_test and
the edited sources are only measured. CACHE stores the heat maps.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.markers import write_between
from imageprocess.data.categories import EDIT
from imageprocess.data.index import IndexRow, read_index
from imageprocess.data.tiers import apply_tier, open_original
from imageprocess.errors import InputError
from imageprocess.model import registry
from imageprocess.model.evidence import probability_ai
from imageprocess.model.session import Session

ROOT = Path(__file__).parents[1]
SHARE = 0.02
TIERS = ("raw", "web")
PHOTOS = ("photo", "portrait")
Float = NDArray[np.float64]


def main(data: Path, store: Path, cache: Path) -> None:
    session = Session(registry.resolve("clip"))
    if not cache.exists():
        _extract(data, _chosen(read_index(data), _seen(store)), session, cache)
    with np.load(cache) as arrays:
        arrays_by_name = {name: arrays[name] for name in arrays.files}
    spec = session.spec
    chances = np.array(
        [probability_ai(float(logit), spec.temperature, spec.bias) for logit in arrays_by_name["logit"]]
    )
    lines = _table(arrays_by_name, chances < 0.5)
    write_between(ROOT / "docs" / "encoder.md", "edited", "\n".join(lines))


def _seen(store: Path) -> set[str]:
    seen: set[str] = set()
    for path in store.glob("*.npz"):
        with np.load(path) as arrays:
            seen |= set(arrays["sha256"].tolist()) if "sha256" in arrays.files else set()
    return seen


def _chosen(rows: list[IndexRow], seen: set[str]) -> list[tuple[str, IndexRow]]:
    """(kind, image): "fit" and "open" photographs, and edits."""
    rng = random.Random(5)
    photos = [row for row in rows if row.label == "real" and row.category in PHOTOS]
    unseen = [row for row in photos if row.split != "open_test" and row.sha256 not in seen]
    edits = [row for row in rows if row.category == EDIT]
    shown = [row for row in photos if row.split == "open_test"]
    kinds = (("fit", unseen, 600, 12), ("edit", edits, 600, 40), ("open", shown, 400, 10))
    return [
        (kind, row) for kind, candidates, most, cap in kinds for row in _spread(candidates, most, cap, rng)
    ]


def _spread(rows: list[IndexRow], most: int, cap: int, rng: random.Random) -> list[IndexRow]:
    """At most `cap` images of a source and `most` in all."""
    by_source: dict[str, list[IndexRow]] = {}
    for row in rows:
        by_source.setdefault(row.source, []).append(row)
    chosen: list[IndexRow] = []
    for source in sorted(by_source):
        rng.shuffle(by_source[source])
        chosen += by_source[source][:cap]
    rng.shuffle(chosen)
    return chosen[:most]


def _extract(data: Path, chosen: list[tuple[str, IndexRow]], session: Session, cache: Path) -> None:
    arrays_by_name: dict[str, list[object]] = {
        name: [] for name in ("heat", "logit", "kind", "source", "tier")
    }
    for kind, row in chosen:
        try:
            original = open_original((data / row.path).read_bytes(), row.path)
        except InputError:
            continue
        for tier in TIERS:
            output = session.run([session.prepare(apply_tier(original, tier).pixels)])[0]
            values = (output.heatmap, output.logits[0] - output.logits[1], kind, row.source, tier)
            for name, value in zip(arrays_by_name, values, strict=True):
                arrays_by_name[name].append(value)
    np.savez(cache, **{name: np.array(values) for name, values in arrays_by_name.items()})  # type: ignore[arg-type]


def _statistics(heat: Float) -> dict[str, Float]:
    """heat (N, h, w), signed contributions to "AI" -> candidate statistics for a rule."""
    middle = np.median(heat, axis=(1, 2))
    statistics: dict[str, Float] = {}
    for side in (2, 3, 4, 5):
        windows = np.lib.stride_tricks.sliding_window_view(heat, (side, side), axis=(1, 2))
        best = windows.mean(axis=(3, 4)).max(axis=(1, 2))
        statistics[f"best {side} x {side} places less the map's median"] = best - middle
        statistics[f"best {side} x {side} places"] = best
    return {**statistics, "mean of the whole map (no place at all)": heat.mean(axis=(1, 2))}


def _table(arrays_by_name: dict[str, NDArray[np.generic]], leans_real: NDArray[np.bool_]) -> list[str]:
    kind, source = arrays_by_name["kind"], arrays_by_name["source"]
    fit, shown, edits = (kind == name for name in ("fit", "open", "edit"))
    lines = [
        f"Photographs: {fit.sum() // 2} of {len(set(source[fit]))} training sources, {shown.sum() // 2} of "
        f"{len(set(source[shown]))} sources of open_test; edits: {edits.sum() // 2} of {len(set(source[edits]))} "
        "sources. Each as it is and as a web copy. The model leans to real for "
        f"{leans_real[shown].mean():.0%} of the photographs of open_test and {leans_real[edits].mean():.0%} of the "
        "edits. Flagged:",
        "",
        "| statistic | training photographs | open_test photographs | edits | edits that look real |",
        "|---|---|---|---|---|",
    ]
    for name, values in _statistics(arrays_by_name["heat"].astype(np.float64)).items():
        candidates = np.sort(values[fit & leans_real])[::-1]
        flagged = leans_real & (values > candidates[min(int(SHARE * fit.sum()), len(candidates) - 1)])
        shares = [flagged[mask].mean() for mask in (fit, shown, edits, edits & leans_real)]
        lines.append(f"| {name} | {' | '.join(f'{share:.1%}' for share in shares)} |")
    return lines


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
