"""Imports a user's images as a data set like those of `build`: the unchanged files, and an index.

The data set is written to a temporary folder beside the target and renamed at the end, so `out` is never incomplete.
"""

from __future__ import annotations

import csv
import hashlib
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from ..decode import DEFAULT_LIMITS, Limits, decode
from ..errors import DataError, InputError
from .categories import UNKNOWN
from .dedupe import RELATED_BITS, Groups, near_pairs, require_imagehash
from .hub import read_hub
from .import_readers import (
    DEFAULT_ZIP_LIMITS,
    ImageStream,
    Skipped,
    SourceImage,
    ZipLimits,
    read_folder,
    read_zip,
)
from .index import IndexRow, write_index
from .layout import Place
from .pieces import Piece, suffix, write_piece
from .splits import assign_splits

SKIPPED_NAME = "skipped.csv"
Progress = Callable[[int, int], None]  # done, of
_CHUNK = 32  # files read ahead of the decoding workers: bounds memory at about 32 x the largest file


@dataclass(frozen=True, slots=True)
class HubColumns:
    """Columns and labels of a Hugging Face data set, see read_hub."""

    image: str | None = None
    label: str | None = None
    ai_labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportedImage:
    """One valid image; `name` is its name in the user's source."""

    name: str
    place: Place
    piece: Piece


@dataclass(frozen=True, slots=True)
class ImportReport:
    rows: list[IndexRow]
    skipped: list[Skipped]
    duplicates: int  # exact ones, dropped
    # Near-duplicates in different splits of the source: they are imported and make measurements too optimistic.
    split_duplicates: int


def import_set(
    source: str,
    out: Path,
    *,
    name: str | None = None,
    columns: HubColumns | None = None,
    jobs: int = 2,
    seed: int = 0,
    zip_limits: ZipLimits = DEFAULT_ZIP_LIMITS,
    progress: Progress = lambda done, of: None,
) -> ImportReport:
    """Import a folder, a zip, or a Hugging Face data set (a local path or "owner/name") into the new folder `out`.

    `name` is the source's name in the index, by default the last part of `source`. Images that do not decode are in
    the report's `skipped`. Raises DataError and then writes nothing.
    """
    name = name or _default_name(source)
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise DataError(f"--name {name!r}: letters, digits, dot, dash and underscore only")
    require_imagehash()
    with atomic_folder(out, source) as part:
        stream = _open(source, part / "cache", columns, zip_limits)
        imported, skipped = _import_all(stream, part, name, jobs, progress)
        unique, duplicates = _drop_duplicates(part, imported, skipped)
        labels = {image.place.label for image in unique}
        if len(labels) < 2:
            what = f"only {labels.pop()} images" if labels else "no image"
            first = f"; the first skipped: {skipped[0].name}: {skipped[0].reason}" if skipped else ""
            raise DataError(f"{source}: {what} could be decoded; a data set needs both classes{first}")
        rows, split_duplicates = _index(unique, name, stream.licence, seed)
        write_index(part, rows)
        write_skipped(part, skipped)
        shutil.rmtree(part / "cache", ignore_errors=True)
    return ImportReport(rows, skipped, duplicates, split_duplicates)


def _default_name(source: str) -> str:
    return re.sub(r"[^\w.-]+", "-", Path(source.rstrip("/")).resolve().stem).strip(".-") or "imported"


@contextmanager
def atomic_folder(out: Path, source: str) -> Iterator[Path]:
    """A folder beside `out` that is renamed to `out` on success and removed on failure."""
    out = out.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: already exists; give a new folder with --out")
    if out.is_relative_to(Path(source).resolve()):
        raise DataError(f"{out}: is inside the source; give a folder outside {source}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    except OSError as error:
        raise DataError(f"{out}: cannot be created ({error.strerror})") from error
    try:
        part.chmod(0o755)  # mkdtemp creates it with 0700
        yield part
        part.replace(out)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _open(source: str, cache: Path, columns: HubColumns | None, zip_limits: ZipLimits) -> ImageStream:
    path = Path(source)
    if path.is_dir() and not columns and not _is_hub_folder(path):
        return read_folder(path)
    if path.is_file() and path.suffix.lower() != ".parquet":
        return read_zip(path, zip_limits)
    if not path.exists() and not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", source):
        raise DataError(
            f'{source}: neither a folder or file nor a name on the Hugging Face hub ("owner/name")'
        )
    columns = columns or HubColumns()
    return read_hub(
        source, cache, image_column=columns.image, label_column=columns.label, ai_labels=columns.ai_labels
    )


def _is_hub_folder(path: Path) -> bool:
    marks = ("dataset_dict.json", "state.json", "metadata.csv", "metadata.jsonl", "*.parquet", "*/*.parquet")
    return any(any(path.glob(mark)) for mark in marks)


def _import_all(
    stream: ImageStream, out: Path, name: str, jobs: int, progress: Progress
) -> tuple[list[ImportedImage], list[Skipped]]:
    """Check all images and write them below `out`, in source order; also returns what was skipped."""
    for label in ("ai", "real"):
        (out / "images" / label / name).mkdir(parents=True)
    imported: list[ImportedImage] = []
    skipped: list[Skipped] = []
    done = 0
    # Hide Pillow's warnings about large images and odd metadata.
    with ProcessPoolExecutor(jobs, initializer=warnings.simplefilter, initargs=("ignore",)) as pool:
        while chunk := list(islice(stream.items, _CHUNK)):
            incoming = [item for item in chunk if isinstance(item, SourceImage)]
            skipped += [item for item in chunk if isinstance(item, Skipped)]
            for result in pool.map(partial(_import_one, out=out, name=name), incoming):
                if isinstance(result, ImportedImage):
                    imported.append(result)
                else:
                    skipped.append(result)
            done += len(chunk)
            progress(done, stream.total)
    return imported, skipped


def _import_one(item: SourceImage, out: Path, name: str) -> ImportedImage | Skipped:
    """Runs in a worker process."""
    written = write_image(item.name, item.data, out, Path("images") / item.place.label / name, name)
    return written if isinstance(written, Skipped) else ImportedImage(item.name, item.place, written)


def write_image(
    name: str, data: bytes, out: Path, folder: Path, source: str, limits: Limits = DEFAULT_LIMITS
) -> Piece | Skipped:
    """Check one image and write it to `out` / `folder` under the hash of its content."""
    try:
        image = decode(data, name=name, limits=limits)
    except InputError as error:
        return Skipped(name, str(error).removeprefix(f"{name}: "))
    kind = image.facts.format
    (out / folder).mkdir(parents=True, exist_ok=True)
    target = folder / (hashlib.sha256(data).hexdigest()[:20] + suffix(kind))
    return write_piece(data, kind, image.pixels, out, target, source, None)


def _drop_duplicates(
    out: Path, imported: list[ImportedImage], skipped: list[Skipped]
) -> tuple[list[ImportedImage], int]:
    """Keep one copy of each file, and none of a file under both labels, since one label must be wrong."""
    first: dict[str, ImportedImage] = {}
    contradicted: set[str] = set()
    for image in imported:
        sha256 = image.piece.sha256
        other = first.setdefault(sha256, image)
        if other.place.label != image.place.label:
            skipped.append(Skipped(image.name, f"the same file as {other.name}, under the other label"))
            contradicted.add(sha256)
    for sha256 in sorted(contradicted):
        skipped.append(Skipped(first[sha256].name, "the same file is also under the other label"))
    for image in imported:
        if image.piece.sha256 in contradicted:
            (out / image.piece.path).unlink(missing_ok=True)
    duplicates = len(imported) - len(first)
    return [image for sha256, image in first.items() if sha256 not in contradicted], duplicates


def write_skipped(out: Path, skipped: list[Skipped]) -> None:
    """List the skipped files beside the index."""
    if skipped:
        with (out / SKIPPED_NAME).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(("name", "reason"))
            writer.writerows((item.name, item.reason) for item in skipped)


def _index(imported: list[ImportedImage], name: str, licence: str, seed: int) -> tuple[list[IndexRow], int]:
    """The rows, and the number of near-duplicate pairs in different splits of the source.

    A missing split is assigned from the training images, by whole groups.
    """
    original = [image.place.split for image in imported]
    related = Groups(len(imported))
    split_duplicates = 0
    for i, j in near_pairs([(image.piece.phash, image.piece.dhash) for image in imported], RELATED_BITS):
        if original[i] == original[j]:
            related.join(i, j)
        else:
            split_duplicates += 1
    groups = [f"g{related.find(i):06d}" for i in range(len(imported))]
    assignable = [i for i, split in enumerate(original) if split in (None, "train")]
    assigned = assign_splits(
        [groups[i] for i in assignable], [imported[i].place.label for i in assignable], seed
    )
    splits = dict(enumerate(original))
    splits |= {
        i: "train" if split in original else split for i, split in zip(assignable, assigned, strict=True)
    }
    return [
        IndexRow(
            **image.piece.file_facts(),
            label=image.place.label,
            source=f"{name}-{image.place.origin}" if image.place.origin else name,
            origin=image.place.origin or name,
            category=UNKNOWN,
            licence=licence,
            split=splits[i] or "train",
            group=groups[i],
        )
        for i, image in enumerate(imported)
    ], split_duplicates
