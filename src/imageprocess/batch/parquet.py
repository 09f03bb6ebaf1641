"""Reads images from Parquet and writes rows to it, with pyarrow (extra [batch])."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from ..detector import error_result
from ..errors import (
    CorruptImageError,
    InputError,
    TooLargeError,
    UnsupportedFormatError,
)
from ..extras import require_extra
from ..sources import display_name
from ..sources.remote import open_named
from ..types import Result, Source

_READ_ROWS = 16  # images in memory at a time
_ROWS_PER_GROUP = 10_000


def read_pictures(
    name: str, column: str | None, *, max_bytes: int, required: bool = True
) -> Iterator[Source | Result]:
    """The image of each row, named NAME#ROW. The column contains bytes, or structs with a field `bytes` (as written by
    Hugging Face). A damaged file ends in a failed row. A file without a recognisable image column yields a failed row,
    or nothing if not `required` and no column contains bytes."""
    arrow = _arrow()
    from pyarrow import parquet

    display = display_name(name)
    row = 0
    try:
        with open_named(name) as stream:
            # Small buffers instead of whole column chunks: a row group may hold gigabytes of images.
            file = parquet.ParquetFile(stream, buffer_size=1 << 20, pre_buffer=False)
            picture_column = _picture_column(file.schema_arrow, column, display, required)
            if picture_column is None:
                return
            for batch in file.iter_batches(
                batch_size=_READ_ROWS, columns=[picture_column], use_threads=False
            ):
                for value in batch.column(0):
                    yield _picture(value.as_py(), f"{display}#{row}", max_bytes)
                    row += 1
    except InputError as error:
        yield error_result(display, error)
    except (arrow.ArrowException, OSError) as error:
        damage = " ".join(str(error).split())[:200]
        yield error_result(
            display,
            CorruptImageError(f"{display}: the Parquet file is damaged; later rows are lost ({damage})"),
        )


def count_rows(name: str) -> int | None:
    arrow = _arrow()
    from pyarrow import parquet

    try:
        return int(parquet.read_metadata(name).num_rows)
    except (arrow.ArrowException, OSError):
        return None


def _picture(value: Any, name: str, max_bytes: int) -> Source | Result:
    data = value.get("bytes") if isinstance(value, dict) else value
    if data is None:
        return error_result(name, CorruptImageError(f"{name}: the row contains no image"))
    if len(data) > max_bytes:
        return error_result(name, TooLargeError(f"{name}: {len(data):,} bytes; the limit is {max_bytes:,}"))
    return Source(name, data)


def _picture_column(schema: Any, column: str | None, display: str, required: bool) -> str | None:
    from pyarrow import types

    def has_bytes(kind: Any) -> bool:
        if types.is_struct(kind):
            return any(kind.field(i).name == "bytes" for i in range(kind.num_fields))
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    columns = [field.name for field in schema if has_bytes(field.type)]
    if column is not None and column in columns:
        return column
    if column is None and len(columns) == 1:
        return str(columns[0])
    if column is None and not columns and not required:
        return None
    problem = f"no column {column!r} with bytes" if column else f"{len(columns)} columns contain bytes"
    raise UnsupportedFormatError(
        f"{display}: {problem}; choose one with --image-column (columns: {', '.join(schema.names)})"
    )


def write_rows(lines: Iterable[str], stream: BinaryIO) -> None:
    """Write records (JSON lines) as one Parquet file. Nested fields are flattened; `evidence` stays JSON text."""
    arrow = _arrow()
    from pyarrow import parquet

    schema = arrow.schema([(name, getattr(arrow, kind)()) for name, (kind, _) in _COLUMNS.items()])
    remaining = iter(lines)
    with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
        while records := [json.loads(line) for line in islice(remaining, _ROWS_PER_GROUP)]:
            columns = [
                arrow.array([_value(record, path) for record in records], schema.field(name).type)
                for name, (_, path) in _COLUMNS.items()
            ]
            writer.write_table(arrow.Table.from_arrays(columns, schema=schema))


def read_statuses(path: Path) -> Iterator[tuple[str, str]]:
    """`source` and `status` of each row of a file written by `write_rows`."""
    _arrow()
    from pyarrow import parquet

    columns = ["source", "status"]
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=columns):
            yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)


# column -> type, path of the value in the record
_COLUMNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "source": ("string", ("source",)),
    "status": ("string", ("status",)),
    "label": ("string", ("verdict", "label")),
    "probability_ai": ("float64", ("verdict", "probability_ai")),
    "decided_by": ("string", ("verdict", "decided_by")),
    "reason": ("string", ("verdict", "reason")),
    "error_code": ("string", ("error", "code")),
    "error_message": ("string", ("error", "message")),
    "sha256": ("string", ("sha256",)),
    "format": ("string", ("image", "format")),
    "width": ("int32", ("image", "width")),
    "height": ("int32", ("image", "height")),
    "frames": ("int32", ("image", "frames")),
    "bytes": ("int64", ("image", "bytes")),
    "evidence": ("string", ("evidence",)),
    "model": ("string", ("model", "name")),
    "model_version": ("string", ("model", "version")),
    "model_sha256": ("string", ("model", "sha256")),
    "elapsed_ms": ("float64", ("elapsed_ms",)),
    "grade": ("string", ("verdict", "grade")),
}


def _value(record: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = record
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


def require() -> None:
    """Raise MissingExtraError at the start of a job, not at its end, if pyarrow is missing."""
    _arrow()


def _arrow() -> Any:
    with require_extra("batch", "pyarrow, which reads and writes Parquet,"):
        import pyarrow
    return pyarrow
