"""Paths, folders, globs, lists, streams and base64 become Sources, in a stable order."""

from __future__ import annotations

import base64
import errno
import io
import os
import threading
from pathlib import Path

import pytest

from imageprocess import sources
from imageprocess.errors import CorruptImageError, InputNotFoundError, TooLargeError, UsageError
from imageprocess.types import Source
from testkit.pictures import encode, gradient

MAX = 10_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images with and without a suffix, other files, a hidden file, and a subfolder."""
    png = encode(gradient(), "PNG")
    for name in (
        "b.PNG",
        "a.jpg",
        "no-suffix",
        ".hidden.png",
        "sub/c.webp",
        "sub/.cache/d.png",
        "sub/deep/e.gif",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(png)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "broken.jpeg").write_bytes(b"a picture by its name, so it must be told that it is broken")
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.png")
    return tmp_path


def _names(results: list[Source], folder: Path) -> list[str]:
    return [Path(source.name).relative_to(folder).as_posix() for source in results]


def test_folder_images_are_sorted(folder: Path) -> None:
    actual = list(sources.expand([str(folder)]))
    assert _names(actual, folder) == ["a.jpg", "b.PNG", "broken.jpeg", "no-suffix"]


def test_recursion_skips_hidden_folders_and_loops(folder: Path) -> None:
    (folder / "sub" / "loop").symlink_to(folder)
    actual = _names(list(sources.expand([str(folder)], recursive=True)), folder)
    assert actual == ["a.jpg", "b.PNG", "broken.jpeg", "no-suffix", "sub/c.webp", "sub/deep/e.gif"]


def test_unreadable_folder_is_reported_in_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir
    closed = {str(folder / "sub" / "deep"), str(folder / "alone")}

    def scandir(path: str) -> object:
        if os.fspath(path) in closed:
            raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    (folder / "zoo").mkdir()
    (folder / "zoo" / "z.png").write_bytes(b"")
    (folder / "alone").mkdir()
    actual = list(sources.expand([str(folder), str(folder / "alone")], recursive=True))
    assert _names(actual, folder)[4:] == ["alone", "sub/c.webp", "sub/deep", "zoo/z.png", "alone"]
    with pytest.raises(InputNotFoundError):
        sources.read(actual[-1], max_bytes=MAX)


def test_pipe_is_opened_only_when_named(folder: Path) -> None:
    (folder / "gone.png").symlink_to("nowhere")
    assert _names(list(sources.expand([f"{folder}/*p*.png"])), folder) == []
    assert _names(list(sources.expand([f"{folder}/*.png"])), folder) == ["gone.png"]
    assert _names(list(sources.expand([f"{folder}/pipe.png"])), folder) == ["pipe.png"]


def test_globs(folder: Path) -> None:
    assert _names(list(sources.expand([f"{folder}/*.[jP]*"])), folder) == ["a.jpg", "b.PNG", "broken.jpeg"]
    assert _names(list(sources.expand([f"{folder}/**/*.gif"])), folder) == ["sub/deep/e.gif"]


def test_file_name_with_glob_characters(folder: Path) -> None:
    (folder / "photo[1].png").write_bytes(b"x")
    actual = list(sources.expand([str(folder / "photo[1].png")]))
    assert _names(actual, folder) == ["photo[1].png"]


def test_argument_order_is_kept(folder: Path) -> None:
    actual = list(sources.expand([str(folder / "sub"), str(folder / "a.jpg"), str(folder / "missing.png")]))
    assert _names(actual, folder) == ["sub/c.webp", "a.jpg", "missing.png"]


@pytest.mark.parametrize("argument", ["missing.png", "nothing*.png", "nul\0name.png", "x" * 5000])
def test_missing_file_is_reported_when_read(argument: str) -> None:
    (source,) = sources.expand([argument])
    with pytest.raises(InputNotFoundError, match=r"no such file|cannot be read"):
        sources.read(source, max_bytes=MAX)


def test_folder_as_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="folder"):
        sources.read(Source("x", path=tmp_path), max_bytes=MAX)


def test_expansion_is_lazy(folder: Path) -> None:
    def arguments():  # type: ignore[no-untyped-def]
        yield str(folder / "a.jpg")
        raise AssertionError("read ahead")

    assert next(sources.expand(arguments())).name.endswith("a.jpg")


def test_list_entries_are_literal() -> None:
    lines = io.BytesIO("two words.png\r\n\n# no comment.png\nstar*.png\nümlaut.png".encode())
    names = [source.name for source in sources.from_list(lines)]
    assert names == ["two words.png", "# no comment.png", "star*.png", "ümlaut.png"]


def test_non_utf_8_name_is_read_and_shown(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    Path(os.fsdecode(path)).write_bytes(b"data")
    (source,) = sources.from_list(io.BytesIO(path + b"\n"))
    assert source.name.endswith("caf\\xe9.png")
    assert sources.read(source, max_bytes=MAX) == b"data"


def test_size_limit_stops_reading(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(MAX))
    assert len(sources.read(Source("x", path=path), max_bytes=MAX)) == MAX
    with pytest.raises(TooLargeError):
        sources.read(Source("x", path=path), max_bytes=MAX - 1)
    with pytest.raises(TooLargeError):
        sources.read(Source("zero", path=Path("/dev/zero")), max_bytes=MAX)


def test_python_input_types(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"data")
    with path.open("rb") as stream:
        inputs = [
            str(path),
            path,
            b"data",
            bytearray(b"data"),
            io.BytesIO(b"data"),
            stream,
            Source("s", b"data"),
        ]
        actual = [sources.to_source(one, max_bytes=MAX) for one in inputs]
    assert [sources.read(source, max_bytes=MAX) for source in actual] == [b"data"] * 7
    assert [s.name for s in actual] == [str(path), str(path), "bytes", "bytes", "stream", str(path), "s"]


@pytest.mark.parametrize("value", [None, 7, io.StringIO("text")])
def test_invalid_input_types(value: object) -> None:
    with pytest.raises(UsageError):
        sources.to_source(value, max_bytes=MAX)  # type: ignore[arg-type]


def test_read_errors_are_imageprocess_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8\xff")
    with path.open(encoding="utf-8") as text, pytest.raises(UsageError, match="open it in binary mode"):
        sources.to_source(text, max_bytes=MAX)  # type: ignore[arg-type]
    with (tmp_path / "b").open("wb") as write_only, pytest.raises(InputNotFoundError, match="cannot be read"):
        sources.to_source(write_only, max_bytes=MAX)
    stream = path.open("rb")
    stream.close()
    with pytest.raises(InputNotFoundError, match="closed"):
        sources.to_source(stream, max_bytes=MAX)
    half = sources.to_source("\ud800.jpg", max_bytes=MAX)
    assert half.name == "\\ud800.jpg"
    with pytest.raises(InputNotFoundError, match="cannot be read"):
        sources.read(half, max_bytes=MAX)


def test_slow_pipe_is_read_to_end() -> None:
    read_end, write_end = os.pipe()
    thread = threading.Thread(
        target=lambda: [os.write(write_end, bytes(4096)) for _ in range(50)] + [os.close(write_end)]
    )
    with os.fdopen(read_end, "rb", buffering=0) as pipe:
        thread.start()
        assert len(sources.to_source(pipe, max_bytes=10**6).data or b"") == 50 * 4096
    thread.join()


def test_stream_is_read_to_limit_only() -> None:
    stream = io.BytesIO(bytes(5 * MAX))
    source = sources.to_source(stream, max_bytes=MAX)
    assert stream.tell() == MAX + 1
    with pytest.raises(TooLargeError):
        sources.read(source, max_bytes=MAX)


@pytest.mark.parametrize(
    "prefix", ["", "data:image/png;base64,", "DATA:;base64,", "data:image/png;x=y;base64,"]
)
def test_base64(prefix: str) -> None:
    text = prefix + base64.encodebytes(bytes(range(256))).decode()
    assert sources.from_base64(text, max_bytes=MAX).data == bytes(range(256))


@pytest.mark.parametrize("text", ["a", "%%%%", "data:image/png,abc", "ümlaut", "YWJj=YWJj"])
def test_invalid_base64(text: str) -> None:
    with pytest.raises(CorruptImageError, match="not base64"):
        sources.from_base64(text, max_bytes=MAX)


def test_base64_over_limit_is_rejected_before_decoding() -> None:
    with pytest.raises(TooLargeError):
        sources.from_base64("A" * 4 * MAX, max_bytes=MAX)
