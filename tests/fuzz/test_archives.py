"""Hostile archives: arbitrary names and bytes. Nothing is written, and reading is bounded."""

from __future__ import annotations

import contextlib
import io
import tarfile
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imageprocess.serve.worker import MAX_NAME
from imageprocess.sources.archive import DAMAGE, is_archive, read_archive
from testkit.pictures import encode, plain

PICTURE = encode(plain(250), "PNG")
HOSTILE = [
    "../../../etc/passwd.png",
    "/abs.png",
    "a\\..\\b.png",
    "C:\\x.png",
    "a\x00b.png",
    ".",
    "..",
    "a" * 3000,
]
PARTS = st.lists(st.sampled_from(["..", ".", "", "a", "b.png", "__MACOSX", ".x.jpg"]), min_size=1, max_size=6)
NAMES = st.one_of(st.text(max_size=60), st.sampled_from(HOSTILE), st.builds("/".join, PARTS))
EXAMPLES = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


def tarred(names: list[str]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(PICTURE)
            archive.addfile(member, io.BytesIO(PICTURE))
    return stream.getvalue()


def zipped(names: list[str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name or "x"), PICTURE)
    return stream.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@EXAMPLES
@given(st.lists(NAMES, max_size=8), st.sampled_from([tarred, zipped]))
def test_member_name_is_only_a_label(names: list[str], pack: object) -> None:
    try:
        data = pack(names)  # type: ignore[operator]
    except (ValueError, UnicodeError):  # no archive can hold this name
        return
    actual = list(read_archive(io.BytesIO(data), max_bytes=1_000_000))
    assert len(actual) <= len(names)
    for member in actual:
        assert member.data == PICTURE
        member.name[:MAX_NAME].encode()  # valid Unicode


@pytest.mark.filterwarnings("ignore:Duplicate name")
@EXAMPLES
@given(st.sampled_from([tarred, zipped]), st.data())
def test_damaged_archive_raises_only_known_errors(pack: object, data: st.DataObject) -> None:
    whole = bytearray(pack(["a.png", "b/c.png", "notes"]))  # type: ignore[operator]
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    with contextlib.suppress(DAMAGE):
        for member in read_archive(io.BytesIO(bytes(whole[:cut])), max_bytes=10_000):
            assert member.data is None or len(member.data) <= 10_000


@EXAMPLES
@given(st.binary(max_size=600))
def test_random_bytes(data: bytes) -> None:
    is_archive(data)
    with contextlib.suppress(DAMAGE):
        assert list(read_archive(io.BytesIO(data), max_bytes=1_000)) == []


def test_zip_with_oversized_directory_is_rejected_before_reading() -> None:
    end = bytearray(zipped(["a.png"]))
    end[-10:-6] = (0x7FFFFFFF).to_bytes(4, "little")  # size of the central directory
    with pytest.raises(zipfile.BadZipFile, match="too long"):
        list(read_archive(io.BytesIO(bytes(end)), max_bytes=1_000))
