"""Counts of a data set, and its data card (Gebru et al., Datasheets for Datasets, 2021)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from .categories import CATEGORIES, GENERATORS, HELD_OUT_GENERATORS
from .index import SPLITS, IndexRow, data_id
from .manifest import SourceEntry, load_manifest

LEAST_SOURCES = 4  # per class, in each category of _NEEDED; with fewer, a model can learn the sources
_NEEDED = ("photo", "portrait", "art")
_TRAINED, _MEASURED = "trained on", "measured on"
_SIDES = (256, 512, 1024, 2048)  # pixels; bounds of the size classes


def _generator(row: IndexRow) -> str:
    return GENERATORS.get(row.generator, "not named") if row.label == "ai" else ""


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
    "generator": lambda row: _generator(row),
    "test set": lambda row: row.test_set,
}
_MAX_LICENCES = 20  # listed in the card; the rest is summed

_INTRODUCTION = """\
Pictures made by AI generators, and pictures made without them: photographs, human art, graphics, scans. They were
collected from public repositories for training and measuring a detector. The files remain in these repositories; this
project distributes none of them. The accuracy on unknown sources depends on the number of training sources, so there
are many, with about 100 pictures each at most.

- **Collection.** `imageprocess data build` reads each source at a fixed commit and keeps the files unchanged; contact
  sheets are split, captions and logos are cropped. It drops files that do not decode or are too small, exact and near
  duplicates within and across sources, and sources that mostly duplicate others.
- **Splits.** Training sources are divided into train, val and test; pictures of one prompt or of one group of near
  duplicates are in the same split. The sources of `open_test` are not used for training, tuning or calibration. It
  contains test sets of different dates; compare figures on the same test set. AI edits of real photographs are a
  separate test set.
- **Limitations.** It is not a representative sample of the pictures that people see: sources were chosen because they
  are public and state the origin of their pictures. The pictures of a generator are often from the prompts of one or
  two people. Labels are those stated by the sources; `confidence` in the manifest marks doubtful ones.
- **Licences and people.** Many sources state no licence for their pictures; `data build --licence permissive` uses only
  sources with a stated permissive licence. Sources in which private people can be recognised are marked and excluded
  from reports.
"""


def counts(rows: Sequence[IndexRow]) -> dict[str, dict[str, dict[str, int]]]:
    """{key: {value: {"ai": n, "real": n}}}: by split, source, category, generator and more."""
    return {name: count(rows, name) for name in _KEYS}


def count(rows: Sequence[IndexRow], name: str) -> dict[str, dict[str, int]]:
    """One key of `counts`. Splits in their order, other values by number of images."""
    key = _KEYS[name]
    counted = Counter((key(row), row.label) for row in rows if key(row))
    totals = Counter[str]()
    for (value, _), n in counted.items():
        totals[value] += n
    most_first = [value for value, _ in totals.most_common()]
    values = [split for split in SPLITS if split in most_first] or most_first
    return {value: {label: counted[value, label] for label in ("ai", "real")} for value in values}


def sources_by_category(rows: Sequence[IndexRow]) -> dict[str, dict[str, dict[str, int]]]:
    """{category: {"ai" or "real": {"trained on", "measured on": sources}}}, in the order of CATEGORIES."""
    sources = {(row.source, row.label, row.category, row.split == "open_test") for row in rows}
    counted = Counter((category, label, measured) for _, label, category, measured in sources)
    names = sorted(
        {row.category for row in rows},
        key=lambda name: (CATEGORIES.index(name) if name in CATEGORIES else len(CATEGORIES), name),
    )
    return {
        name: {
            label: {
                _TRAINED: counted[name, label, False],
                _MEASURED: counted[name, label, True],
            }
            for label in ("ai", "real")
        }
        for name in names
    }


def scarce_categories(rows: Sequence[IndexRow]) -> list[str]:
    """The required categories in which one class has too few training sources.

    Empty for a set whose sources have no category.
    """
    counts = sources_by_category(rows)
    if not counts.keys() & set(CATEGORIES):
        return []
    return [
        name
        for name in _NEEDED
        if name not in counts or min(by[_TRAINED] for by in counts[name].values()) < LEAST_SOURCES
    ]


def by_source(rows: Sequence[IndexRow]) -> list[tuple[IndexRow, list[str]]]:
    """For each source and class a describing row, and its number of images in each of SPLITS."""
    counted = Counter((row.source, row.label, row.split) for row in rows)
    described = {
        (row.source, row.label): row for row in sorted(rows, key=lambda row: (row.label, row.source))
    }
    return [
        (row, [f"{n:,}" if (n := counted[(*which, split)]) else "" for split in SPLITS])
        for which, row in described.items()
    ]


def render_card(rows: Sequence[IndexRow], name: str) -> str:
    """The data card as Markdown. Sources of the built-in manifest are listed with repository and commit."""
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
    lines += _sources_table(rows)
    for key in ("split", "test set", "category", "generator", "format", "long side", "licence"):
        lines += _pictures_table(rows, key)
    return (
        "\n".join([*lines, *_held_out_generators(rows), "", "## Sources", "", *_sources(rows, known)]) + "\n"
    )


def _sources_table(rows: Sequence[IndexRow]) -> list[str]:
    kinds = [(label, use) for label in ("ai", "real") for use in (_TRAINED, _MEASURED)]
    head = ["category", *(f"{'AI' if label == 'ai' else label}, {use}" for label, use in kinds)]
    lines = ["", "## Sources by category", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    counts = sources_by_category(rows)
    lines += [
        f"| {name} | {' | '.join(str(by[label][use]) for label, use in kinds)} |"
        for name, by in counts.items()
    ]
    sums = [sum(by[label][use] for by in counts.values()) for label, use in kinds]
    return [*lines, f"| all | {' | '.join(map(str, sums))} |"]


def _held_out_generators(rows: Sequence[IndexRow]) -> list[str]:
    measured = [row for row in rows if row.split == "open_test"]
    lines = []
    for name in HELD_OUT_GENERATORS:
        matching = [row for row in measured if name in row.origin]
        if matching:
            sources = ", ".join(sorted({row.source for row in matching}))
            lines.append(f"- {name}: {len(matching)} pictures ({sources})")
    if not lines:
        return []
    return ["", "## Generators in no training source", "", *lines]


def _pictures_table(rows: Sequence[IndexRow], key: str) -> list[str]:
    counted = list(count(rows, key).items())
    if not counted:
        return []
    lines = ["", f"## By {key}", "", f"| {key} | AI | real |", "|---|---|---|"]
    named = counted[:_MAX_LICENCES] if key == "licence" else counted
    lines += [f"| {_cell(value)} | {n['ai']:,} | {n['real']:,} |" for value, n in named]
    if rest := counted[len(named) :]:
        ai, real = (sum(n[label] for _, n in rest) for label in ("ai", "real"))
        lines.append(f"| {len(rest)} others | {ai:,} | {real:,} |")
    return lines


def _sources(rows: Sequence[IndexRow], known: Mapping[str, SourceEntry]) -> list[str]:
    head = ("source", "label", "made by or from", "category", "shows", "era", "licence", "from", *SPLITS)
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row, numbers in by_source(rows):
        entry = known.get(row.source)
        described = (entry.shows, entry.era) if entry else ("", "")
        facts = (row.source, row.label, row.origin, row.category, *described, row.licence, _place(entry))
        lines.append(f"| {' | '.join([*map(_cell, facts), *numbers])} |")
    return lines


def _place(entry: SourceEntry | None) -> str:
    return f"{entry.repo} at {entry.commit[:10]}" if entry else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
