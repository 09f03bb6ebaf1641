"""What a data set holds: counts, and the data card (Gebru et al., Datasheets for Datasets, 2021) written from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from .index import SPLITS, IndexRow, data_id
from .manifest import SourceEntry, load_manifest

_SIDES = (256, 512, 1024, 2048)  # pixels; bounds of the size classes


def _size_class(row: IndexRow) -> str:
    side = max(row.width, row.height)
    bounds = [bound for bound in _SIDES if side >= bound]
    return f"from {bounds[-1]} px" if bounds else f"under {_SIDES[0]} px"


_KEYS: dict[str, Callable[[IndexRow], str]] = {
    "split": lambda row: row.split,
    "source": lambda row: row.source,
    "format": lambda row: row.format,
    "long side": _size_class,
    "licence": lambda row: row.licence,
    "category": lambda row: row.category,
}

_INTRODUCTION = """\
Pictures that an AI made, and pictures that none made: photographs, human art, graphics, scans. Gathered to train and to
measure a detector, from public repositories; the files stay where they are, and this project ships none of them.

- **How it was gathered.** `imageprocess data build` takes each source at a fixed commit, files as they are; contact
  sheets are cut apart, captions and logos cut off, what does not decode or is too small is left out, exact and near
  duplicates are left out within and across sources.
- **Splits.** Sources of training are divided into train, val and test by prompt or by groups of near duplicates, never
  one group in two splits. The sources of `open_test` are never trained, tuned or calibrated on.
- **What it is not.** No sample of the pictures that people meet: the sources were chosen because they are public and
  say what made their pictures. A generator's pictures are one or two people's choice of prompts. Labels are the
  sources' own word.
- **Licences and people.** Many sources state no licence for their pictures; `data build --licence permissive` keeps to
  those that state a permissive one. Sources that show private people are marked in their licence, and are shown
  nowhere.
"""


def counts(rows: Sequence[IndexRow]) -> dict[str, dict[str, dict[str, int]]]:
    """{key: {value: {"ai": n, "real": n}}}: by split, source, format, long side, licence and category."""
    return {name: count(rows, name) for name in _KEYS}


def count(rows: Sequence[IndexRow], name: str) -> dict[str, dict[str, int]]:
    """One key of `counts`. Splits in their order, other values by how many pictures they have."""
    key = _KEYS[name]
    counted = Counter((key(row), row.label) for row in rows)
    most_first = [value for value, _ in Counter(key(row) for row in rows).most_common()]
    values = [split for split in SPLITS if split in most_first] or most_first
    return {value: {label: counted[value, label] for label in ("ai", "real")} for value in values}


def by_source(rows: Sequence[IndexRow]) -> list[tuple[IndexRow, list[str]]]:
    """For each source and class one row that describes it, and how many pictures it has in each of SPLITS."""
    counted = Counter((row.source, row.label, row.split) for row in rows)
    described = {
        (row.source, row.label): row for row in sorted(rows, key=lambda row: (row.label, row.source))
    }
    return [
        (row, [f"{n:,}" if (n := counted[(*which, split)]) else "" for split in SPLITS])
        for which, row in described.items()
    ]


def render_card(rows: Sequence[IndexRow], name: str) -> str:
    """The data card as Markdown. Sources of the built-in manifest are named with their repository and commit."""
    labels = Counter(row.label for row in rows)
    known = {entry.id: entry for entry in load_manifest()}
    lines = [
        f"# Data card: {name} ({data_id(rows)})",
        "",
        f"{len(rows):,} pictures, {labels['ai']:,} AI-made and {labels['real']:,} real, from "
        f"{len({row.source for row in rows})} sources. Written by `imageprocess data info DIR --card FILE`.",
        "",
        *(_INTRODUCTION.splitlines() if known.keys() & {row.source for row in rows} else ()),
    ]
    for key in ("split", "category", "format", "long side", "licence"):
        lines += ["", f"## By {key}", "", f"| {key} | AI | real |", "|---|---|---|"]
        lines += [
            f"| {_cell(value)} | {n['ai']:,} | {n['real']:,} |" for value, n in count(rows, key).items()
        ]
    return "\n".join([*lines, "", "## Sources", "", *_sources(rows, known)]) + "\n"


def _sources(rows: Sequence[IndexRow], known: Mapping[str, SourceEntry]) -> list[str]:
    head = ("source", "label", "made by or from", "shows", "licence", "from", *SPLITS)
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row, numbers in by_source(rows):
        facts = (row.source, row.label, row.origin, row.category, row.licence, _place(known.get(row.source)))
        lines.append(f"| {' | '.join([*map(_cell, facts), *numbers])} |")
    return lines


def _place(entry: SourceEntry | None) -> str:
    return f"{entry.repo} at {entry.commit[:10]}" if entry else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
