"""Tables printed by `imageprocess data`: the counts of a data set and the results of an audit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from ..data.card import by_source, count, sources_by_category
from ..data.index import SPLITS, UNLABELLED, IndexRow

if TYPE_CHECKING:
    from ..data.audit import AuditReport
    from ..data.manifest import SourceEntry
    from ..data.sheet import SourceSample

_PLAIN_WIDTH = 160  # columns, if the output is not a terminal
_MAX_VALUES = 5  # in one cell


def show_counts(rows: Sequence[IndexRow]) -> None:
    """Print the numbers of images by split, source, format and size."""
    console = _console()
    for name in ("split", "source", "format", "long side"):
        console.print(_counts_table(name, rows))
    console.print(_categories_table(rows))


def show_set(rows: Sequence[IndexRow]) -> None:
    """Print the numbers of images by split, the sources and the licences; of images without labels, their number."""
    console = _console()
    if unlabelled := sum(row.split == UNLABELLED for row in rows):
        console.print(f"{unlabelled:,} images without labels")
    rows = [row for row in rows if row.split != UNLABELLED]
    if not rows:
        return
    console.print(_counts_table("split", rows))
    console.print(_categories_table(rows))
    table = Table("source", "label", "made by or from", "category", "licence", title="sources")
    for split in SPLITS:
        table.add_column(split, justify="right")
    for row, numbers in by_source(rows):
        table.add_row(row.source, row.label, row.origin, row.category, row.licence, *numbers)
    console.print(table)
    console.print(_counts_table("licence", rows))


def show_audit(report: AuditReport) -> None:
    """Print how well metadata features alone separate the classes, overall and within each category."""
    title = (
        f"metadata features alone: {report.pictures:,} pictures, standard error {report.standard_error:.3f}"
    )
    informative = "most informative (AUROC lost without)"
    table = Table("features of", "AUROC, random folds", "AUROC, folds by source", informative, title=title)
    leaks = {
        "original files": report.raw,
        "after equalisation (decides)": report.equalised,
        "after equalisation, without file size": report.equalised_without_bytes,
    }
    for name, leak in leaks.items():
        most_important = list(leak.importance.items())[:_MAX_VALUES]
        by_source = "too few sources" if leak.auroc_by_source is None else f"{leak.auroc_by_source:.3f}"
        features = ", ".join(f"{feature} {loss:.3f}" for feature, loss in most_important)
        table.add_row(name, f"{leak.auroc:.3f}", by_source, features)
    _console().print(table)
    if report.by_category:
        within = Table(
            "category", "pictures", "AUROC, without file size (decides)", "with file size", "limit",
            title="the same within each category, random folds",
        )  # fmt: skip
        for name, category in report.by_category.items():
            mark = "" if category.passed else "  FAILED"
            decisive = f"{category.auroc_without_bytes:.3f}{mark}"
            numbers = (f"{category.auroc:.3f}", f"{category.limit:.3f}")
            within.add_row(name, f"{category.pictures:,}", decisive, *numbers)
        _console().print(within)


def _categories_table(rows: Sequence[IndexRow]) -> Table:
    table = Table("category", title="sources by category")
    kinds = [(label, use) for label in ("ai", "real") for use in ("trained on", "measured on")]
    for label, use in kinds:
        table.add_column(f"{label}, {use}", justify="right")
    for name, numbers in sources_by_category(rows).items():
        table.add_row(name, *(str(numbers[label][use]) for label, use in kinds))
    return table


def _counts_table(name: str, rows: Sequence[IndexRow]) -> Table:
    table = Table(name, title=f"pictures by {name}")
    for column in ("ai", "real", "both"):
        table.add_column(column, justify="right")
    total = Counter[str]()
    for value, by_label in count(rows, name).items():
        table.add_row(value, f"{by_label['ai']:,}", f"{by_label['real']:,}", f"{sum(by_label.values()):,}")
        total.update(by_label)
    table.add_section()
    table.add_row("all", f"{total['ai']:,}", f"{total['real']:,}", f"{total.total():,}")
    return table


def _console() -> Console:
    """A console that prints names and licences literally, without rich markup."""
    terminal = Console().is_terminal
    return Console(width=None if terminal else _PLAIN_WIDTH, markup=False, highlight=False)


def show_look(entry: SourceEntry, look: SourceSample) -> None:
    """Print the properties of a sampled source."""
    table = Table(
        "property", "value", title=f"{entry.id}: {entry.label}, {entry.repo} at {entry.commit[:10]}"
    )
    table.add_row("files that match", f"{look.files:,}")
    table.add_row("files read", f"{look.files_read:,}")
    table.add_row("pictures in these", f"{len(look.thumbs):,}")
    table.add_row("duplicates among them", f"{look.repeats:,}")
    for reason, files in look.dropped.most_common():
        table.add_row(f"excluded, {reason}", f"{files:,}")
    if look.bytes:
        table.add_row("bytes per file, median", f"{int(median(look.bytes)):,}")
    for name, counts in (("formats", look.formats), ("sizes", look.sizes), ("cameras", look.cameras)):
        most_common = counts.most_common(_MAX_VALUES)
        more = len(counts) - len(most_common)
        parts = [f"{value} ({times})" for value, times in most_common]
        table.add_row(name, ", ".join([*parts, *([f"{more} more"] if more > 0 else [])]) or "none")
    _console().print(table)
