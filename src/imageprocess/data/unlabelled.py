"""Makes a data set of the images of a folder that have no label, for `encoder features` and `encoder distil`.

DIR/images/<source>/<n>.<ext>   the unchanged files
DIR/index.csv                   the label "", the split "unlabelled"

The sources are unlabelled_00 to unlabelled_ff, by the first two digits of the file's SHA-256: files of features and
pixels, of which each source has its own, stay small, and an image keeps its source when the folder grows.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from ..decode import sniff
from ..errors import DataError
from .categories import UNKNOWN
from .dedupe import require_imagehash
from .import_readers import Skipped, too_large
from .imports import Progress, atomic_folder, write_image, write_skipped
from .index import UNLABELLED, IndexRow, write_index
from .pieces import Piece
from .tiers import LIMITS

_CHUNK = 32  # files read ahead of the decoding workers: bounds memory at about 32 x the largest file


@dataclass(slots=True)
class UnlabelledReport:
    rows: list[IndexRow] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)  # not decodable
    duplicates: int = 0  # exact ones, dropped
    known: int = 0  # left out, because they are in the data set


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    data: bytes
    sha256: str


def import_unlabelled(
    folder: Path,
    out: Path,
    known: Collection[str],
    *,
    jobs: int = 2,
    progress: Progress = lambda done, of: None,
) -> UnlabelledReport:
    """Copy the images below `folder` into the new data set `out`.

    `known`: SHA-256 of files to leave out, such as those of a data set with labels. Files that do not decode are in the
    report's `skipped`. Raises DataError if no image remains, and then writes nothing.
    """
    require_imagehash()
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    report = UnlabelledReport()
    pieces: list[Piece] = []
    with (
        atomic_folder(out, str(folder)) as part,
        # Hide Pillow's warnings about large images and odd metadata.
        ProcessPoolExecutor(jobs, initializer=warnings.simplefilter, initargs=("ignore",)) as pool,
    ):
        for done, files in _read(folder, paths, frozenset(known), report):
            for result in pool.map(partial(_write, out=part), files):
                (report.skipped if isinstance(result, Skipped) else pieces).append(result)  # type: ignore[arg-type]
            progress(done, len(paths))
        if not pieces:
            raise DataError(f"{folder}: {_why_empty(len(paths), report)}; give a folder of other images")
        report.rows = [_row(piece) for piece in pieces]
        write_index(part, report.rows)
        write_skipped(part, report.skipped)
    return report


def _read(
    folder: Path, paths: Sequence[Path], known: frozenset[str], report: UnlabelledReport
) -> Iterator[tuple[int, list[_File]]]:
    """-> the number of files read so far, and the new ones of each chunk; the others are counted in `report`."""
    seen: set[str] = set()
    done = 0
    remaining = iter(paths)
    while chunk := list(islice(remaining, _CHUNK)):
        files = []
        for path in chunk:
            file = _open(path, path.relative_to(folder).as_posix())
            if isinstance(file, Skipped):
                report.skipped.append(file)
            elif file.sha256 in known:
                report.known += 1
            elif file.sha256 in seen:
                report.duplicates += 1
            else:
                seen.add(file.sha256)
                files.append(file)
        done += len(chunk)
        yield done, files


def _open(path: Path, name: str) -> _File | Skipped:
    try:
        if (size := path.stat().st_size) > LIMITS.max_bytes:
            return too_large(name, size)
        data = path.read_bytes()
    except OSError as error:
        return Skipped(name, f"cannot be opened ({error.strerror})")
    if sniff(data) is None:
        return Skipped(name, "not a supported image format")
    return _File(name, data, hashlib.sha256(data).hexdigest())


def _write(file: _File, out: Path) -> Piece | Skipped:
    """Runs in a worker process."""
    source = f"unlabelled_{file.sha256[:2]}"
    return write_image(file.name, file.data, out, Path("images") / source, source, LIMITS)


def _row(piece: Piece) -> IndexRow:
    return IndexRow(
        **piece.file_facts(),
        label="",
        source=piece.source,
        origin="",
        category=UNKNOWN,
        licence="none stated",
        split=UNLABELLED,
        group=piece.sha256[:20],
    )


def _why_empty(files: int, report: UnlabelledReport) -> str:
    if not files:
        return "contains no files"
    reasons = [f"{len(report.skipped)} cannot be decoded"] if report.skipped else []
    if report.skipped:
        reasons.append(f"the first: {report.skipped[0].name}: {report.skipped[0].reason}")
    if report.known:
        reasons.append(f"{report.known} are in the data set")
    return f"none of its {files} files can be used ({', '.join(reasons)})"
