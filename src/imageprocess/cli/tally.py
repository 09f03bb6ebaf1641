"""Counts results for the exit status and the summary line."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from ..errors import remedy_in
from ..types import GRADES, Result
from .output import count_of

_ALL_ANALYSED, _SOME_FAILED, _MATCHED = 0, 1, 3


class Tally:
    """Counts of the results that pass through `count`."""

    def __init__(self, fail_on: str | None) -> None:
        self.total = 0
        self.failed = False  # whether an input failed, or its heat map or report
        self._labels: Counter[str] = Counter()
        self._grades: Counter[str] = Counter()
        self.remedies: Counter[str] = Counter()  # command that enables a missing check -> images that need it
        self._fatal = {"ai": {"ai"}, "unsure": {"ai", "unsure"}}.get(fail_on or "", set())

    def count(self, results: Iterable[Result]) -> Iterator[Result]:
        for result in results:
            self.total += 1
            self.failed |= result.status == "error"
            self._labels[result.verdict.label if result.verdict else "failed"] += 1
            self._grades[_grade(result)] += 1
            self.remedies.update(_remedies(result))
            yield result

    @property
    def exit_code(self) -> int:
        if self._fatal & self._labels.keys():
            return _MATCHED
        return _SOME_FAILED if self.failed or not self.total else _ALL_ANALYSED

    def __str__(self) -> str:
        """As "7 images: 2 likely AI-made, 4 very likely real, 1 cannot tell"."""
        from ..report.words import t

        words = {grade: t(f"grade.{grade}") for grade in GRADES} | {"failed": "failed"}
        words = {grade: word[0].lower() + word[1:] for grade, word in words.items()}
        counts = [f"{self._grades[grade]:,} {word}" for grade, word in words.items() if self._grades[grade]]
        return f"{count_of(self.total, 'image')}: {', '.join(counts)}"


def _grade(result: Result) -> str:
    from ..report.words import grade_of

    return grade_of(result.verdict.label, result.verdict.grade) if result.verdict else "failed"


def _remedies(result: Result) -> set[str]:
    remedies = {item.detail.get("remedy") for item in result.evidence}
    remedies.add(remedy_in(result.error.message) if result.error else None)
    return {remedy for remedy in remedies if remedy}


def remarks(
    arguments: Iterable[str], recursive: bool, total: int, remedies: Mapping[str, int]
) -> Iterator[str]:
    """Notes on inputs that were skipped or not fully checked. `remedies`: install command -> number of images."""
    from ..sources import has_pictures_below

    for remedy, count in remedies.items():
        files = "1 file holds" if count == 1 else f"{count:,} files hold"
        yield f"{files} data that this installation cannot read or check; to enable it: {remedy}"

    if not recursive:
        for argument in arguments:
            if os.path.isdir(argument) and has_pictures_below(argument):  # noqa: PTH112 (is_dir raises)
                yield f"{argument}: images in subfolders were skipped; use -r to include them."
    if not total:
        yield "No image found."
