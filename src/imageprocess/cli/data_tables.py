"""What `imageprocess data` prints: counts of a set, and an audit's findings, as tables on standard output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from ..data.card import by_source, count
from ..data.index import SPLITS, IndexRow

if TYPE_CHECKING:
    from ..data.audit import AuditReport

_PLAIN_WIDTH = 160  # columns, where the output is not a terminal
_FACTS_SHOWN = 5


def show_counts(rows: Sequence[IndexRow]) -> None:
    """What an audit looks at: pictures by split, source, format and size."""
    console = _console()
    for name in ("split", "source", "format", "long side"):
        console.print(_counts_table(name, rows))


def show_set(rows: Sequence[IndexRow]) -> None:
    """What is there: pictures by split, the sources, the licences."""
    console = _console()
    console.print(_counts_table("split", rows))
    table = Table("source", "label", "made by or from", "shows", "licence", title="sources")
    for split in SPLITS:
        table.add_column(split, justify="right")
    for row, numbers in by_source(rows):
        table.add_row(row.source, row.label, row.origin, row.category, row.licence, *numbers)
    console.print(table)
    console.print(_counts_table("licence", rows))


def show_audit(report: AuditReport) -> None:
    title = f"could a model cheat? {report.pictures:,} pictures, standard error {report.standard_error:.3f}"
    telling = "what tells most (AUROC lost without)"
    table = Table("file facts", "AUROC, random folds", "AUROC, folds by source", telling, title=title)
    leaks = {
        "as they are": report.raw,
        "after equalisation (this one gates)": report.equalised,
        "after equalisation, bytes withheld": report.equalised_without_bytes,
    }
    for name, leak in leaks.items():
        first = list(leak.importance.items())[:_FACTS_SHOWN]
        by_source = "too few sources" if leak.auroc_by_source is None else f"{leak.auroc_by_source:.3f}"
        facts = ", ".join(f"{fact} {lost:.3f}" for fact, lost in first)
        table.add_row(name, f"{leak.auroc:.3f}", by_source, facts)
    _console().print(table)


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
    """Names and licences are shown as they are, never read as rich's markup."""
    terminal = Console().is_terminal
    return Console(width=None if terminal else _PLAIN_WIDTH, markup=False, highlight=False)
