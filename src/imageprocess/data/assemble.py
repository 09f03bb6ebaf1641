"""Turns the images of all sources into index rows: removes duplicates, and keeps each group within one split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .categories import EDIT
from .dedupe import DUPLICATE_BITS, RELATED_BITS, Groups, near_pairs
from .index import IndexRow
from .manifest import SourceEntry
from .pieces import Piece
from .splits import assign_splits

_MAX_DUPLICATE_SHARE = (
    0.5  # share of a source that duplicates others; above it, the source is a copy of existing collections
)


@dataclass(frozen=True, slots=True)
class Assembled:
    rows: list[IndexRow]
    dropped: dict[str, int]  # reason -> images
    copies: dict[str, str]  # excluded source -> how much of which other sources it duplicates


def assemble(pictures: Sequence[Piece], entries: Mapping[str, SourceEntry], seed: int) -> Assembled:
    """Drop duplicates, form groups, assign splits."""
    # Test images come first, the oldest test set before all others, so that of a pair the training image is dropped
    # and new sources do not change the figures of old test sets.
    ordered = sorted(pictures, key=lambda piece: (_rank(entries[piece.source]), piece.path))
    unique, dropped, copies = _without_duplicates(ordered, entries)
    related, excluded = _relate(unique, entries)
    dropped["varies a picture of open_test"] = len(excluded)
    rows = [
        _index_row(piece, entries[piece.source], f"g{related.find(i):06d}")
        for i, piece in enumerate(unique)
        if i not in excluded
    ]
    training = [row for row in rows if row.split == "train"]
    splits = assign_splits([row.group for row in training], [row.source for row in training], seed)
    chosen = {row.path: split for row, split in zip(training, splits, strict=True)}
    return Assembled([replace(row, split=chosen.get(row.path, row.split)) for row in rows], dropped, copies)


def _rank(entry: SourceEntry) -> tuple[bool, bool, str]:
    return entry.split == "train", entry.category == EDIT, entry.test_set


def _without_duplicates(
    pictures: list[Piece], entries: Mapping[str, SourceEntry]
) -> tuple[list[Piece], dict[str, int], dict[str, str]]:
    """Keep the first of each set of duplicates. Sources that mostly duplicate others are excluded, worst first: images
    that they displaced in other sources are kept."""
    hashes = [(piece.phash, piece.dhash) for piece in pictures]
    pairs = [
        (i, j)
        for i, j in near_pairs(hashes, DUPLICATE_BITS)
        if not _may_be_edited(entries[pictures[i].source], entries[pictures[j].source])
    ]
    size = Counter(piece.source for piece in pictures)
    copies: dict[str, str] = {}
    while True:
        duplicate_of = _duplicates(pictures, pairs, copies)
        duplicates: dict[str, Counter[str]] = {}
        for i, original in duplicate_of.items():
            if pictures[i].source != pictures[original].source:
                duplicates.setdefault(pictures[i].source, Counter())[pictures[original].source] += 1
        shares = {source: others.total() / size[source] for source, others in duplicates.items()}
        worst = max(shares, key=lambda source: (shares[source], source), default=None)
        if worst is None or shares[worst] <= _MAX_DUPLICATE_SHARE:
            break
        named = ", ".join(f"{source} ({count})" for source, count in duplicates[worst].most_common(3))
        copies[worst] = (
            f"{duplicates[worst].total()} of its {size[worst]} pictures are duplicates of other sources: {named}"
        )
    exact = sum(pictures[i].sha256 == pictures[original].sha256 for i, original in duplicate_of.items())
    dropped = {"exact duplicate": exact, "near duplicate": len(duplicate_of) - exact}
    if copies:
        dropped["in a source that repeats others"] = sum(size[source] for source in copies)
    unique = [p for i, p in enumerate(pictures) if i not in duplicate_of and p.source not in copies]
    return unique, dropped, copies


def _duplicates(
    pictures: list[Piece], pairs: list[tuple[int, int]], without: Mapping[str, str]
) -> dict[int, int]:
    """{index of a dropped duplicate: index of the image that stays}; sources in `without` are ignored."""
    duplicate_of: dict[int, int] = {}
    for i, j in pairs:  # ordered by i, then j
        if i in duplicate_of or j in duplicate_of:
            continue
        if not {pictures[i].source, pictures[j].source} & without.keys():
            duplicate_of[j] = i
    return duplicate_of


def _may_be_edited(one: SourceEntry, other: SourceEntry) -> bool:
    """Whether a pair is an AI edit and its original, which have the same hash: both are kept, in the same split."""
    return (one.category == EDIT) != (other.category == EDIT) and one.split == other.split


def _relate(unique: list[Piece], entries: Mapping[str, SourceEntry]) -> tuple[Groups, set[int]]:
    """Groups of near-duplicates and shared prompts, and the training images that are variants of open_test images."""
    is_test = [entries[piece.source].split == "open_test" for piece in unique]
    related = Groups(len(unique))
    excluded: set[int] = set()
    for i, j in near_pairs([(piece.phash, piece.dhash) for piece in unique], RELATED_BITS):
        if is_test[i] != is_test[j]:
            excluded.add(j if is_test[i] else i)
        else:
            related.join(i, j)
    by_name: dict[str, int] = {}
    for i, piece in enumerate(unique):
        if piece.group:
            related.join(by_name.setdefault(piece.group, i), i)
    return related, excluded


def _index_row(piece: Piece, entry: SourceEntry, group: str) -> IndexRow:
    return IndexRow(
        **piece.file_facts(),
        label=entry.label,
        source=entry.id,
        origin=entry.origin,
        category=entry.category,
        licence=entry.licence,
        split=entry.split,
        group=group,
        generator=entry.generator,
        test_set=entry.test_set,
        private_people=entry.private_people,
    )
