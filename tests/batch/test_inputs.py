"""Inputs from folders, lists, shards and URIs in a stable order, and the rest of them on resume."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler
from itertools import islice
from pathlib import Path

import pytest

from imageprocess import sources
from imageprocess.batch.inputs import Input, Inputs, Item, Shard, flatten, name_of, skip_done
from imageprocess.errors import InputNotFoundError, UsageError
from imageprocess.types import Result, Source
from testkit.pictures import encode, plain
from testkit.serving import QuietHandler, http_server

MAX_BYTES = 100_000
PICTURE = encode(plain(9), "JPEG")


def _write_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def _write_parquet(path: Path, columns: dict[str, list[object]]) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path.parent.mkdir(exist_ok=True)
    parquet.write_table(pyarrow.table(columns), path, row_group_size=3)
    return path


def _inputs(*arguments: object, recursive: bool = False, column: str | None = None) -> list[Input]:
    items = Inputs(tuple(map(str, arguments)), recursive=recursive, column=column).items()
    return list(flatten(items, max_bytes=MAX_BYTES))


def _names(inputs: Iterable[Input]) -> list[str]:
    return [name_of(one) for one in inputs]


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tgz", "w:gz"), ("a.tar.xz", "w:xz")]
)
def test_tar_members_with_bytes(tmp_path: Path, name: str, mode: str) -> None:
    members = {
        "x/1.jpg": PICTURE, "x/1.json": b"{}", "x/1.cls": b"3",
        "unnamed": PICTURE, "x/._2.jpg": b"mac", "broken.png": b"?",
    }  # fmt: skip
    path = _write_tar(tmp_path / name, members, mode)
    actual = _inputs(path)
    assert _names(actual) == [f"{path}#{member}" for member in ("x/1.jpg", "unnamed", "broken.png")]
    assert [one.data for one in actual if isinstance(one, Source)] == [PICTURE, PICTURE, b"?"]


def test_truncated_tar_gives_members_and_error_row(tmp_path: Path) -> None:
    path = _write_tar(tmp_path / "a.tar", {f"{i}.jpg": PICTURE + bytes(2000) for i in range(5)})
    path.write_bytes(path.read_bytes()[: 3 * (512 + 3072) - 700])
    actual = _inputs(path)
    assert _names(actual) == [f"{path}#0.jpg", f"{path}#1.jpg", str(path)]
    assert isinstance(actual[-1], Result) and actual[-1].error is not None
    assert actual[-1].error.code == "corrupt" and "damaged" in actual[-1].error.message


@pytest.mark.parametrize("damage", [b"", b"not a tar at all" * 100])
def test_invalid_tar_is_one_row(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(damage)
    assert [isinstance(one, Result) for one in _inputs(path, tmp_path / "missing.tar")] == [True, True]


def test_member_over_limit_is_row_and_not_read(tmp_path: Path) -> None:
    path = _write_tar(tmp_path / "a.tar", {"big.jpg": bytes(MAX_BYTES + 1), "1.jpg": PICTURE})
    big, small = _inputs(path)
    assert isinstance(big, Result) and big.error is not None and big.error.code == "too_large"
    assert isinstance(small, Source)


def test_parquet_bytes_and_hugging_face_layout(tmp_path: Path) -> None:
    pictures = [encode(plain(i), "JPEG") for i in range(8)]
    plainly = _write_parquet(tmp_path / "a.parquet", {"jpg": pictures, "label": list(range(8))})
    structs = [{"bytes": data, "path": "x.jpg"} for data in pictures[:3]] + [
        None,
        {"bytes": None, "path": "y"},
    ]
    faces = _write_parquet(tmp_path / "b.parquet", {"image": structs})
    actual = _inputs(plainly, faces)
    assert _names(actual) == [f"{plainly}#{i}" for i in range(8)] + [f"{faces}#{i}" for i in range(5)]
    assert [one.data for one in actual if isinstance(one, Source)] == pictures + pictures[:3]
    assert [isinstance(one, Result) for one in actual[-2:]] == [True, True]


def test_parquet_error_lists_candidate_columns(tmp_path: Path) -> None:
    path = _write_parquet(tmp_path / "a.parquet", {"left": [PICTURE], "right": [b"r"], "text": ["t"]})
    assert [one.data for one in _inputs(path, column="right") if isinstance(one, Source)] == [b"r"]
    for column in (None, "text"):
        (actual,) = _inputs(path, column=column)
        assert isinstance(actual, Result) and actual.error is not None
        assert "--image-column (columns: left, right, text)" in actual.error.message


def test_parquet_without_images_is_skipped_only_in_folders(tmp_path: Path) -> None:
    labels = _write_parquet(tmp_path / "in" / "labels.parquet", {"label": [1, 2]})
    _write_parquet(tmp_path / "in" / "pictures.parquet", {"jpg": [PICTURE], "label": [1]})
    names = [f"{tmp_path}/in/pictures.parquet#0"]
    assert _names(_inputs(tmp_path / "in")) == names
    for path, column in ((labels, None), (tmp_path / "in" / "*.parquet", None), (tmp_path / "in", "jpg")):
        first, *rest = _inputs(path, column=column)
        assert isinstance(first, Result) and first.error is not None
        assert first.error.code == "unsupported_format" and _names(rest) == ([] if path == labels else names)


def test_remote_store_error_is_a_row(tmp_path: Path) -> None:
    """A server that returns 403, and an address without a server."""
    pytest.importorskip("aiohttp")
    pytest.importorskip("fsspec")

    class Refuses(QuietHandler, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(403)

        do_HEAD = do_GET  # noqa: N815 (http.server's word)

    with http_server(Refuses) as address:
        actual = [
            *_inputs(f"{address}/a.jpg", f"{address}/a.tar", f"{address}/"),
            *_inputs("http://127.0.0.1:9/a.jpg"),
        ]
    assert [one.error.code for one in actual if isinstance(one, Result) and one.error] == ["not_found"] * 4


def test_unexpected_shard_error_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> Iterator[Input]:
        yield Source("first")
        raise RuntimeError("the store's own")

    monkeypatch.setattr("imageprocess.batch.tar.read_tar", fails)
    first, second = _inputs(tmp_path / "a.tar")
    assert name_of(first) == "first" and name_of(second) == f"{tmp_path}/a.tar"
    assert (
        isinstance(second, Result) and second.error is not None and "the store's own" in second.error.message
    )


def test_corrupt_parquet_is_a_row(tmp_path: Path) -> None:
    path = _write_parquet(tmp_path / "a.parquet", {"jpg": [PICTURE] * 20})
    path.write_bytes(path.read_bytes()[:-40])
    (actual,) = _inputs(path)
    assert isinstance(actual, Result) and actual.error is not None and actual.error.code == "corrupt"


def test_folder_yields_shards_and_images(tmp_path: Path) -> None:
    (tmp_path / "b.jpg").write_bytes(PICTURE)
    _write_tar(tmp_path / "z.tar", {"1.jpg": PICTURE})
    (tmp_path / "sub").mkdir()
    _write_tar(tmp_path / "sub" / "y.tar", {"2.jpg": PICTURE})
    short = [name.removeprefix(f"{tmp_path}/") for name in _names(_inputs(tmp_path))]
    assert short == ["z.tar#1.jpg", "b.jpg"]
    deep = [name.removeprefix(f"{tmp_path}/") for name in _names(_inputs(tmp_path, recursive=True))]
    assert deep == ["z.tar#1.jpg", "sub/y.tar#2.jpg", "b.jpg"]


def test_pipes_in_folder_are_skipped(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.tar", "a.parquet"):
        os.mkfifo(tmp_path / name)
    assert _inputs(tmp_path, recursive=True) == []


def test_uris_for_files_folders_globs_and_shards(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    for name in ("a.jpg", "b.png", "note.txt"):
        (tmp_path / name).write_bytes(PICTURE)
    shard = _write_tar(tmp_path / "c.tar", {"1.jpg": PICTURE})
    uri = f"file://{tmp_path}"
    assert _names(_inputs(uri)) == [f"{uri}/a.jpg", f"{uri}/b.png", f"{uri}/c.tar#1.jpg"]
    assert _names(_inputs(f"{uri}/*.png", f"{uri}/a.jpg")) == [f"{uri}/b.png", f"{uri}/a.jpg"]
    (first, *_) = _inputs(f"file://{shard}")
    assert isinstance(first, Source) and first.data == PICTURE


def test_uri_is_read_lazily(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    (tmp_path / "a.jpg").write_bytes(PICTURE)
    (source,) = _inputs(f"file://{tmp_path}/a.jpg")
    assert isinstance(source, Source) and source.data is None
    assert sources.read(source, max_bytes=MAX_BYTES) == PICTURE
    for missing in (f"file://{tmp_path}/none.jpg", "no-such-store://x/y.jpg"):
        with pytest.raises(InputNotFoundError, match=r"none|no-such-store"):
            sources.read(Source(missing, uri=missing), max_bytes=MAX_BYTES)


def test_list_may_name_any_input(tmp_path: Path) -> None:
    shard = _write_tar(tmp_path / "c.tar", {"1.jpg": PICTURE})
    listed = tmp_path / "list.txt"
    listed.write_text(f"{tmp_path}/a b.jpg\n\n{shard}\ns3://bucket/key.jpg\n")
    items = list(Inputs(from_list=listed).items())
    assert [getattr(item, "uri", None) for item in items] == [None, None, "s3://bucket/key.jpg"]
    assert isinstance(items[1], Shard)
    assert items[0] == Source(f"{tmp_path}/a b.jpg", path=Path(f"{tmp_path}/a b.jpg"))


def test_count_does_not_read_images(tmp_path: Path) -> None:
    shard = _write_tar(tmp_path / "a.tar", {"1.jpg": PICTURE, "2.jpg": PICTURE, "2.txt": b""})
    table = _write_parquet(tmp_path / "b.parquet", {"jpg": [PICTURE] * 5})
    assert Inputs((str(shard), str(table), "x.jpg")).count() == 8
    zipped = _write_tar(tmp_path / "a.tgz", {"1.jpg": PICTURE}, "w:gz")
    assert Inputs((str(zipped), "x.jpg")).count() is None


@pytest.fixture
def mixed(tmp_path: Path) -> list[Item]:
    """An image, a tar of three, a damaged tar, a Parquet of four, an image: eleven inputs."""
    whole = _write_tar(tmp_path / "a.tar", {f"{i}.jpg": PICTURE for i in range(3)})
    table = _write_parquet(tmp_path / "b.parquet", {"jpg": [PICTURE] * 4})
    (tmp_path / "damaged.tar").write_bytes(b"?" * 1000)
    names = ["first.jpg", whole, tmp_path / "damaged.tar", table, "last.jpg", "last.jpg"]
    return list(Inputs(tuple(map(str, names))).items())


@pytest.mark.parametrize("done", range(12))
def test_resume_skips_finished_inputs(mixed: list[Item], done: int) -> None:
    names = _names(flatten(mixed, max_bytes=MAX_BYTES))
    assert len(names) == 11
    left = skip_done(iter(mixed), names[:done], max_bytes=MAX_BYTES)
    assert _names(flatten(left, max_bytes=MAX_BYTES)) == names[done:]


def test_changed_inputs_are_detected(mixed: list[Item]) -> None:
    names = _names(flatten(mixed, max_bytes=MAX_BYTES))
    with pytest.raises(UsageError, match=r"number 3 was other, now it is .*a\.tar#1\.jpg"):
        list(skip_done(iter(mixed), [*names[:2], "other"], max_bytes=MAX_BYTES))
    with pytest.raises(UsageError, match=r"number 12 \(more\) is missing"):
        list(skip_done(iter(mixed), [*names, "more"], max_bytes=MAX_BYTES))


def test_inputs_are_lazy(tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("a.jpg\n" * 100_000)
    assert len(list(islice(Inputs(from_list=listed).items(), 3))) == 3
