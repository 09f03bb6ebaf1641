"""English sentences for a record, from the same texts as the web pages (web/assets/texts)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..model.evidence import percent
from ..types import Grade

Item = tuple[str, str | None, Mapping[str, Any]]  # kind, points_to and detail of an item of evidence

_TEXTS = Path(__file__).parents[1] / "web" / "assets" / "texts"
# Values of decided_by that stand for statements rather than estimates -> the kinds of evidence with the statements.
STATED = {"c2pa": ("c2pa",), "watermark": ("watermark",), "metadata": ("iptc", "generator_metadata", "c2pa")}
_MAX_MAKER = 60  # characters of a headline
_LIKELY = 0.15  # minimum probability of families that are listed if none is likely enough
_UNGRADED: dict[str, Grade] = {"ai": "likely_ai", "real": "likely_real", "unsure": "cannot_tell"}


@cache
def texts() -> Mapping[str, str]:
    """Key -> English text."""
    parts = (_TEXTS / name for name in ("en.json", "report.en.json"))
    return {key: text for part in parts for key, text in json.loads(part.read_text(encoding="utf-8")).items()}


def t(key: str, **values: object) -> str:
    """The text of `key` with its {placeholders} filled in; the key itself if there is no such text."""
    text = texts().get(key, key)
    return re.sub(r"\{(\w+)\}", lambda match: str(values.get(match[1], match[0])), text)


def grade_of(label: str, grade: Grade | None) -> Grade:
    """`grade`, or one that fits `label` if it is None, as in verdicts that other code constructs."""
    return grade or _UNGRADED[label]


def headline(label: str, by: str, grade: Grade | None, items: Iterable[Item]) -> str:
    """The verdict in a few words, as in wording.js: statements and estimates are worded differently, and the generator
    is named if metadata or a watermark give it. `by`: the verdict's `decided_by`."""
    for kind, points_to, detail in items if label == "ai" else ():
        maker = detail.get("generator")
        if kind in STATED.get(by, ()) and points_to == "ai" and maker:
            maker = re.sub(r" \(.*\)$", "", str(maker))[:_MAX_MAKER]
            return t("verdict.ai.mark" if by == "watermark" else "verdict.ai.file", maker=maker)
    statement = f"verdict.{label}.stated"
    return t(statement if by in STATED and statement in texts() else f"grade.{grade_of(label, grade)}")


def maker(detail: Mapping[str, Any]) -> str | None:
    """`detail.maker` in one sentence; None if no family is likely."""
    if detail["family"]:
        return t("maker.named", name=detail["name"], p=percent(detail["probability"]))
    likely = [
        one["name"] for one in detail["top3"] if one["family"] != "other" and one["probability"] >= _LIKELY
    ]
    return t("maker.open", names=", ".join(likely)) if likely else None


def explanation(details: Mapping[str, Any]) -> list[str]:
    """`detail.explain` in sentences: the copies, each view, the closest training sources."""
    copies = details["copies"]
    low, high = percent(copies["lowest"]), percent(copies["highest"])
    values = {"same": copies["same_side"], "total": copies["total"], "low": low, "high": high}
    sentences = [t(f"explain.copies.{copies['side']}", **values)]
    if views := [view for view in details.get("views", ()) if "side" in view]:
        names = [
            t("explain.view.crop" if number else "explain.view.whole", number=number)
            for number in range(len(views))
        ]
        parts = [
            t(f"explain.side.{view['side']}", view=name) for view, name in zip(views, names, strict=True)
        ]
        sentences.append(t("explain.views", views="; ".join(parts)))
    if sources := details.get("closest_sources"):
        names = [t(f"explain.source.{source['label']}", name=source["source"]) for source in sources]
        sentences.append(t("explain.sources", names=", ".join(names)))
    return sentences


def meaning(measured: Mapping[str, Any], grade: Grade) -> str:
    """The measured accuracy of the grade in one sentence, as "In our test, 93 of 100 ..."."""
    is_real = grade.endswith("_real")
    share = 1 - measured["ai_share"] if is_real else measured["ai_share"]
    return t("measured.real" if is_real else "measured.ai", count=_of_100(share))


def basis(measured: Mapping[str, Any]) -> str:
    """The number of images and sources behind `meaning`."""
    return t("measured.basis", pictures=f"{measured['pictures']:,}", sources=f"{measured['sources']:,}")


def _of_100(share: float) -> str:
    """A share as a number of 100; never 0 or 100, because the next image may be the first exception."""
    if share > 0.99:
        return t("measured.over", count=99)
    return t("measured.under", count=1) if share < 0.01 else f"{100 * share:.0f}"
