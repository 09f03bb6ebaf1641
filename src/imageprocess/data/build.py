"""Builds a data set from the manifest: reads each source at its commit, keeps valid images, writes the index.

DIR/images/<label>/<source>/<n>.<ext>   the unchanged files (of contact sheets and crops: lossless PNG)
DIR/parts/<source>.jsonl                the images of a finished source; an interrupted build continues after these
DIR/clones/                             clones of sources that are not in --git-root
DIR/index.csv                           the result, written last
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ..errors import DataError, UsageError
from .assemble import assemble
from .categories import EDIT, EDIT_SET
from .dedupe import require_imagehash
from .git_objects import list_tree, locate, read_blobs
from .index import IndexRow, write_index
from .manifest import DEFAULT_CAP, SourceEntry, load_manifest, read_blob_list
from .pieces import Piece, cut_pieces

Progress = Callable[[str, int, int], None]  # (what, done, of)
_DECIDING = frozenset(
    {"id", "label", "repo", "commit", "include", "exclude", "blobs", "keep_paths", "drop_paths"}
    | {"min_side", "cap", "grid", "crop", "group"}
)
_CHUNK = 32  # files read ahead of the decoding workers: bounds memory at about 32 x the largest file


@dataclass(frozen=True, slots=True)
class BuildReport:
    """The result of a build."""

    rows: list[IndexRow]
    failed: dict[str, str]  # source id -> why
    dropped: dict[str, int] = field(default_factory=dict)  # reason -> images
    copies: dict[str, str] = field(
        default_factory=dict
    )  # excluded source -> how much of others it duplicates


def build(
    out: Path,
    *,
    git_root: Path | None = None,
    manifest: Path | None = None,
    only: frozenset[str] | None = None,
    permissive_only: bool = False,
    train_on_edits: bool = False,
    cap: int = DEFAULT_CAP,
    jobs: int = 2,
    seed: int = 0,
    progress: Progress = lambda what, done, of: None,
) -> BuildReport:
    """Build the data set in `out`, or continue an interrupted build.

    A source that fails is listed in the report and does not stop the others. `only`: ids of sources. `cap`: for sources
    without a cap in the manifest. Edits are test data unless `train_on_edits`. Raises DataError if nothing
    could be built, or if the manifest contains a reserved repository.
    """
    require_imagehash()
    listed = load_manifest(manifest)
    if unknown := sorted((only or frozenset()) - {entry.id for entry in listed}):
        raise UsageError(f"--only {', '.join(unknown)}: no such source in {manifest or 'sources.json'}")
    entries = [
        _as_built(entry, cap, train_on_edits) for entry in listed if _wanted(entry, only, permissive_only)
    ]
    (out / "parts").mkdir(parents=True, exist_ok=True)
    dropped: Counter[str] = Counter()
    failed: dict[str, str] = {}
    pictures: list[Piece] = []
    with _Workers(jobs) as workers:
        for number, entry in enumerate(entries):
            progress(entry.id, number, len(entries))
            part = out / "parts" / f"{entry.id}.jsonl"
            try:
                fingerprint = _fingerprint(entry, manifest)
                if not _is_finished(part, fingerprint):
                    git_dir = _locate(entry, git_root, out)
                    files = select_files(entry, git_dir, manifest)
                    _build_source(entry, files, git_dir, part, fingerprint, workers)
                pieces, lost = _read_part(part)
            except (DataError, OSError, BrokenExecutor) as error:
                failed[entry.id] = str(error)
                continue
            pictures += pieces
            dropped.update(lost)
    progress("comparing pictures", len(entries), len(entries))
    if not pictures:
        raise DataError(
            f"{out}: no image could be built; " + "; ".join(f"{k}: {v}" for k, v in failed.items())
        )
    result = assemble(pictures, {entry.id: entry for entry in entries}, seed)
    write_index(out, result.rows)
    return BuildReport(result.rows, failed, dropped | Counter(result.dropped), result.copies)


def _wanted(entry: SourceEntry, only: frozenset[str] | None, permissive_only: bool) -> bool:
    return (only is None or entry.id in only) and (entry.permissive or not permissive_only)


def _as_built(entry: SourceEntry, cap: int, train_on_edits: bool) -> SourceEntry:
    entry = replace(entry, cap=entry.cap or cap)
    if entry.category == EDIT and not train_on_edits:
        return replace(entry, split="open_test", test_set=EDIT_SET)
    return entry


def _locate(entry: SourceEntry, git_root: Path | None, out: Path) -> Path:
    return locate(entry.repo, entry.commit, git_root or out / "clones", may_clone=git_root is None)


def select_files(entry: SourceEntry, git_dir: Path, manifest: Path | None = None) -> list[tuple[str, str]]:
    """[(blob id, path)] selected by the entry, in a seeded order, so that a cap takes a random sample."""
    if entry.blobs:
        files = read_blob_list(entry, manifest)
    else:
        files = [(blob, path) for blob, path in list_tree(git_dir, entry.commit) if entry.takes(path)]
    unique = {blob: path for blob, path in reversed(files) if entry.narrows(path)}
    return sorted(unique.items(), key=lambda file: hashlib.sha256(f"{entry.id}:{file[0]}".encode()).digest())


def _fingerprint(entry: SourceEntry, manifest: Path | None) -> str:
    """A key of everything that determines a source's images. Descriptive fields can change without a rebuild."""
    blobs = read_blob_list(entry, manifest) if entry.blobs else None
    deciding = {name: value for name, value in asdict(entry).items() if name in _DECIDING}
    facts = json.dumps([deciding, blobs], sort_keys=True, default=sorted)  # sets become lists
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def _is_finished(part: Path, fingerprint: str) -> bool:
    return part.exists() and json.loads(part.read_text("utf-8").splitlines()[-1])["entry"] == fingerprint


class _Workers:
    """One process pool for all sources, since starting one costs more than a small source. If a decoder crashes on a
    hostile file, that source fails and the next one gets a new pool."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._pool = ProcessPoolExecutor(jobs)

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def cut(
        self, entry: SourceEntry, files: list[tuple[str, bytes]], out: Path, tiles: int | None
    ) -> list[tuple[list[Piece], str | None]]:
        """The results of `cut_pieces` for each file, in order."""
        try:
            futures = [self._pool.submit(cut_pieces, entry, path, data, out, tiles) for path, data in files]
            return [future.result() for future in futures]
        except BrokenExecutor:
            self._pool = ProcessPoolExecutor(self._jobs)
            raise


def _build_source(
    entry: SourceEntry,
    files: list[tuple[str, str]],
    git_dir: Path,
    part: Path,
    fingerprint: str,
    workers: _Workers,
) -> None:
    """Write the images of one source and then `part`, which lists them."""
    out = part.parents[1]
    folder = out / "images" / entry.label / entry.id
    shutil.rmtree(folder, ignore_errors=True)  # leftovers of an interrupted build
    folder.mkdir(parents=True)
    if not files:
        raise DataError(f"{entry.repo}: no file matches the manifest at {entry.commit}")
    lost: Counter[str] = Counter()
    left = math.inf if entry.cap is None else entry.cap
    # Take few tiles from each contact sheet: tiles of many sheets are more diverse.
    tiles = math.ceil(left / len(files)) if entry.grid and entry.cap else None
    temporary = part.with_suffix(".part")
    with temporary.open("w", encoding="utf-8") as stream:
        for chunk in _chunks(files, git_dir):
            there = [(path, data) for path, data in chunk if data is not None]
            lost["missing from the clone"] += len(chunk) - len(there)
            for pieces, reason in workers.cut(entry, there, out, tiles):
                for piece in pieces[int(min(left, len(pieces))) :]:  # beyond the cap
                    (out / piece.path).unlink()
                    pieces.remove(piece)
                lost.update([reason] if reason and left else [])
                left -= len(pieces)
                stream.writelines(json.dumps(asdict(piece)) + "\n" for piece in pieces)
            if not left:
                break
        stream.write(json.dumps({"entry": fingerprint, "lost": {k: n for k, n in lost.items() if n}}) + "\n")
    temporary.replace(part)


def _chunks(files: list[tuple[str, str]], git_dir: Path) -> Iterator[list[tuple[str, bytes | None]]]:
    contents = read_blobs(git_dir, (blob for blob, _ in files))
    for start in range(0, len(files), _CHUNK):
        chunk = files[start : start + _CHUNK]
        yield [(path, next(contents)) for _, path in chunk]


def _read_part(part: Path) -> tuple[list[Piece], dict[str, int]]:
    """The images of a finished source. Images that are not in the index stay on disk: another selection of
    sources may need them, and groups and splits must be reproducible."""
    *lines, last = part.read_text("utf-8").splitlines()
    return [Piece(**json.loads(line)) for line in lines], json.loads(last)["lost"]
