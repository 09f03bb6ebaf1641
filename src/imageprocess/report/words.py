"""English sentences for a record, from the texts of the pages (web/assets/texts), so that both agree."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..model.calibrate import percent
from ..types import Grade

Item = tuple[
    str, str | None, Mapping[str, Any]
]  # an item of evidence: its kind, what it points to, its detail

_TEXTS = Path(__file__).parents[1] / "web" / "assets" / "texts"
# Deciders that are statements rather than estimates, with the kinds of evidence they come from.
STATED = {"c2pa": ("c2pa",), "watermark": ("watermark",), "metadata": ("iptc", "generator_metadata", "c2pa")}
_MAX_MAKER = 60  # characters of a headline
_LIKELY = 0.15  # a family that is less likely is not named among the closest
_UNGRADED: dict[str, Grade] = {"ai": "likely_ai", "real": "likely_real", "unsure": "cannot_tell"}


@cache
def texts() -> Mapping[str, str]:
    parts = (_TEXTS / name for name in ("en.json", "report.en.json"))
    return {key: text for part in parts for key, text in json.loads(part.read_text(encoding="utf-8")).items()}


def t(key: str, **values: object) -> str:
    """The text of `key` with its {placeholders} filled in; the key itself if there is no such text."""
    text = texts().get(key, key)
    return re.sub(r"\{(\w+)\}", lambda found: str(values.get(found[1], found[0])), text)


def grade_of(label: str, grade: Grade | None) -> Grade:
    """Verdicts built by hand or stored by older versions have no grade."""
    return grade or _UNGRADED[label]


def headline(label: str, by: str, grade: Grade | None, items: Iterable[Item]) -> str:
    """The verdict in a few words, as wording.js says it: what a statement decides sounds different from what the model
    estimates, and names the maker where a record or a mark gives one."""
    for kind, points_to, detail in items if label == "ai" else ():
        maker = detail.get("generator")
        if kind in STATED.get(by, ()) and points_to == "ai" and maker:
            maker = re.sub(r" \(.*\)$", "", str(maker))[:_MAX_MAKER]
            return t("verdict.ai.mark" if by == "watermark" else "verdict.ai.file", maker=maker)
    stated = f"verdict.{label}.stated"
    return t(stated if by in STATED and stated in texts() else f"grade.{grade_of(label, grade)}")


def maker(detail: Mapping[str, Any]) -> str | None:
    """`detail.maker` in one sentence; None where nothing can be said."""
    if detail["family"]:
        return t("maker.named", name=detail["name"], p=percent(detail["probability"]))
    likely = [
        one["name"] for one in detail["top3"] if one["family"] != "other" and one["probability"] >= _LIKELY
    ]
    return t("maker.open", names=", ".join(likely)) if likely else None


def explained(details: Mapping[str, Any]) -> list[str]:
    """`detail.explain` in sentences: the copies, each view, the closest training sources."""
    copies = details["copies"]
    low, high = percent(copies["lowest"]), percent(copies["highest"])
    told_of = {"same": copies["same_side"], "total": copies["total"], "low": low, "high": high}
    sentences = [t(f"explain.copies.{copies['side']}", **told_of)]
    if views := [view for view in details.get("views", ()) if "side" in view]:
        names = [
            t("explain.view.crop" if number else "explain.view.whole", number=number)
            for number in range(len(views))
        ]
        each = [t(f"explain.side.{one['side']}", view=name) for one, name in zip(views, names, strict=True)]
        sentences.append(t("explain.views", views="; ".join(each)))
    if sources := details.get("closest_sources"):
        names = [t(f"explain.source.{one['label']}", name=one["source"]) for one in sources]
        sentences.append(t("explain.sources", names=", ".join(names)))
    return sentences


def meaning(measured: Mapping[str, Any], grade: Grade) -> str:
    """What the grade has meant on pictures of known origin, as "In our test, 93 of 100 ..."."""
    is_real = grade.endswith("_real")
    share = 1 - measured["ai_share"] if is_real else measured["ai_share"]
    return t("measured.real" if is_real else "measured.ai", count=_of_100(share))


def basis(measured: Mapping[str, Any]) -> str:
    return t("measured.basis", pictures=f"{measured['pictures']:,}", sources=f"{measured['sources']:,}")


def _of_100(share: float) -> str:
    """Never 0 or 100 of 100, because the next image may be the first exception."""
    if share > 0.99:
        return t("measured.over", count=99)
    return t("measured.under", count=1) if share < 0.01 else f"{100 * share:.0f}"
