"""Fill a folder from the manifest: read each source at its commit, keep what is sound, index it.

DIR/images/<label>/<source>/<n>.<ext>   the files as they are (sheets and crops: lossless PNG)
DIR/parts/<source>.jsonl                what a finished source gave; an interrupted build goes on behind these
DIR/clones/                             where sources are cloned when no --git-root holds them
DIR/index.csv                           the result, written last
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ..errors import DataError, UsageError
from .dedupe import DUPLICATE_BITS, RELATED_BITS, Groups, near_pairs, need_imagehash
from .git_objects import clone, find_git_dir, has_commit, list_tree, read_blobs
from .index import IndexRow, write_index
from .manifest import SourceEntry, load_manifest, read_blob_list
from .pieces import Piece, cut_pieces
from .splits import assign_splits

Progress = Callable[[str, int, int], None]  # (what, done, of)
_CHUNK = 32  # files read ahead of the decoding workers: bounds memory at about 32 x the largest file


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build gave."""

    rows: list[IndexRow]
    failed: dict[str, str]  # source id -> why
    dropped: dict[str, int] = field(default_factory=dict)  # reason -> pictures


def build(
    out: Path,
    *,
    git_root: Path | None = None,
    manifest: Path | None = None,
    only: frozenset[str] | None = None,
    permissive_only: bool = False,
    jobs: int = 2,
    seed: int = 0,
    progress: Progress = lambda what, done, of: None,
) -> BuildReport:
    """Build or go on building the data set in `out`.

    A source that fails is named in the report and does not stop the rest. `only` names sources. Raises DataError when
    nothing at all could be built.
    """
    need_imagehash()
    listed = load_manifest(manifest)
    if unknown := sorted((only or frozenset()) - {entry.id for entry in listed}):
        raise UsageError(f"--only {', '.join(unknown)}: no such source in {manifest or 'sources.json'}")
    entries = [entry for entry in listed if _wanted(entry, only, permissive_only)]
    (out / "parts").mkdir(parents=True, exist_ok=True)
    dropped: dict[str, int] = {}
    failed: dict[str, str] = {}
    pictures: list[Piece] = []
    for number, entry in enumerate(entries):
        progress(entry.id, number, len(entries))
        part = out / "parts" / f"{entry.id}.jsonl"
        try:
            fingerprint = _fingerprint(entry, manifest)
            if not _is_finished(part, fingerprint):
                git_dir = _locate(entry, git_root, out)
                _build_source(entry, select_files(entry, git_dir, manifest), git_dir, part, fingerprint, jobs)
            found, lost = _read_part(part)
        except (DataError, OSError, BrokenExecutor) as error:
            failed[entry.id] = str(error)
            continue
        pictures += found
        for reason, count in lost.items():
            dropped[reason] = dropped.get(reason, 0) + count
    progress("comparing pictures", len(entries), len(entries))
    if not pictures:
        raise DataError(
            f"{out}: not one picture could be built; " + "; ".join(f"{k}: {v}" for k, v in failed.items())
        )
    rows = _finish(out, pictures, {entry.id: entry for entry in entries}, dropped, seed)
    return BuildReport(rows, failed, dropped)


def _wanted(entry: SourceEntry, only: frozenset[str] | None, permissive_only: bool) -> bool:
    return (only is None or entry.id in only) and (entry.permissive or not permissive_only)


def _locate(entry: SourceEntry, git_root: Path | None, out: Path) -> Path:
    if git_root is not None:
        git_dir = find_git_dir(git_root, entry.repo)
        if git_dir is None:
            raise DataError(
                f"{entry.repo} is not below {git_root} (looked for {entry.repo.replace('/', '+')})"
            )
    else:
        git_dir = find_git_dir(out / "clones", entry.repo) or clone(entry.repo, entry.commit, out / "clones")
    if not has_commit(git_dir, entry.commit):
        raise DataError(f"{git_dir} does not hold commit {entry.commit}")
    return git_dir


def select_files(entry: SourceEntry, git_dir: Path, manifest: Path | None = None) -> list[tuple[str, str]]:
    """[(blob id, path)] that the manifest names, in a seeded order (so that a cap takes a fair sample)."""
    if entry.blobs:
        files = read_blob_list(entry, manifest)
    else:
        files = [(blob, path) for blob, path in list_tree(git_dir, entry.commit) if entry.takes(path)]
    unique = {blob: path for blob, path in reversed(files) if entry.narrows(path)}
    return sorted(unique.items(), key=lambda file: hashlib.sha256(f"{entry.id}:{file[0]}".encode()).digest())


def _fingerprint(entry: SourceEntry, manifest: Path | None) -> str:
    """Of all that decides which pictures a source gives."""
    blobs = read_blob_list(entry, manifest) if entry.blobs else None
    facts = json.dumps([asdict(entry), blobs], sort_keys=True, default=sorted)  # sets become lists
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def _is_finished(part: Path, fingerprint: str) -> bool:
    return part.exists() and json.loads(part.read_text("utf-8").splitlines()[-1])["entry"] == fingerprint


def _build_source(
    entry: SourceEntry,
    files: list[tuple[str, str]],
    git_dir: Path,
    part: Path,
    fingerprint: str,
    jobs: int,
) -> None:
    """Write the pictures of one source, and `part`, which lists them, when all are there."""
    out = part.parents[1]
    folder = out / "images" / entry.label / entry.id
    shutil.rmtree(folder, ignore_errors=True)  # what an interruption left half done
    folder.mkdir(parents=True)
    if not files:
        raise DataError(f"{entry.repo}: no file matches the manifest at {entry.commit}")
    lost: Counter[str] = Counter()
    taken = 0
    temporary = part.with_suffix(".part")
    # A pool a source: a decoder that dies on a hostile file takes its own source with it and no other.
    with ProcessPoolExecutor(jobs) as pool, temporary.open("w", encoding="utf-8") as stream:
        for chunk in _chunks(files, git_dir):
            there = [(path, data) for path, data in chunk if data is not None]
            lost["missing from the clone"] += len(chunk) - len(there)
            futures = [pool.submit(cut_pieces, entry, path, data, out) for path, data in there]
            for pieces, reason in (future.result() for future in futures):
                if taken == entry.cap:  # the chunk had more than were wanted
                    for piece in pieces:
                        (out / piece.path).unlink()
                    continue
                lost.update([reason] if reason else [])
                taken += bool(pieces)
                stream.writelines(json.dumps(asdict(piece)) + "\n" for piece in pieces)
            if taken == entry.cap:
                break
        stream.write(json.dumps({"entry": fingerprint, "lost": {k: n for k, n in lost.items() if n}}) + "\n")
    temporary.replace(part)


def _chunks(files: list[tuple[str, str]], git_dir: Path) -> Iterator[list[tuple[str, bytes | None]]]:
    contents = read_blobs(git_dir, (blob for blob, _ in files))
    for start in range(0, len(files), _CHUNK):
        chunk = files[start : start + _CHUNK]
        yield [(path, next(contents)) for _, path in chunk]


def _read_part(part: Path) -> tuple[list[Piece], dict[str, int]]:
    """The pictures of a finished source. Those that the index leaves out stay on the disk: another choice of
    sources may take them, and the same one must come to the same groups and splits again."""
    *lines, last = part.read_text("utf-8").splitlines()
    return [Piece(**json.loads(line)) for line in lines], json.loads(last)["lost"]


def _finish(
    out: Path, pictures: list[Piece], entries: dict[str, SourceEntry], dropped: dict[str, int], seed: int
) -> list[IndexRow]:
    """Drop duplicates, form groups, assign splits, write the index."""
    # What measures comes first, so that of a pair across splits it is the training picture that goes.
    pictures.sort(key=lambda piece: (entries[piece.source].split == "train", piece.path))
    kept = _drop_duplicates(pictures, dropped)
    measures = [entries[piece.source].split == "open_test" for piece in kept]
    related = Groups(len(kept))
    barred: set[int] = set()  # training pictures that vary one of open_test
    for i, j in near_pairs([(piece.phash, piece.dhash) for piece in kept], RELATED_BITS):
        if measures[i] != measures[j]:
            barred.add(j if measures[i] else i)
        else:
            related.join(i, j)
    dropped["varies a picture of open_test"] = len(barred)
    by_name: dict[str, int] = {}
    for i, piece in enumerate(kept):
        if piece.group:
            related.join(by_name.setdefault(piece.group, i), i)
    rows = [
        _index_row(piece, entries[piece.source], f"g{related.find(i):06d}")
        for i, piece in enumerate(kept)
        if i not in barred
    ]
    training = [row for row in rows if row.split == "train"]
    splits = assign_splits([row.group for row in training], [row.source for row in training], seed)
    chosen = {row.path: split for row, split in zip(training, splits, strict=True)}
    rows = [replace(row, split=chosen.get(row.path, row.split)) for row in rows]
    write_index(out, rows)
    return rows


def _drop_duplicates(pictures: list[Piece], dropped: dict[str, int]) -> list[Piece]:
    gone: set[int] = set()
    first: dict[str, int] = {}
    for i, piece in enumerate(pictures):
        if first.setdefault(piece.sha256, i) != i:
            gone.add(i)
    dropped["exact duplicate"] = len(gone)
    for i, j in near_pairs([(piece.phash, piece.dhash) for piece in pictures], DUPLICATE_BITS):
        if i not in gone:
            gone.add(j)
    dropped["near duplicate"] = len(gone) - dropped["exact duplicate"]
    return [piece for i, piece in enumerate(pictures) if i not in gone]


def _index_row(piece: Piece, entry: SourceEntry, group: str) -> IndexRow:
    return IndexRow(
        path=piece.path,
        label=entry.label,
        source=entry.id,
        origin=entry.origin,
        category=entry.category,
        licence=entry.licence,
        sha256=piece.sha256,
        bytes=piece.bytes,
        width=piece.width,
        height=piece.height,
        format=piece.format,
        jpeg_quality=piece.jpeg_quality,
        split=entry.split,
        group=group,
    )
