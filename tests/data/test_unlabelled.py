"""data unlabelled: the pictures of any folder in, a data set without labels out, or nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from imageprocess.cli import main
from imageprocess.data.index import IndexRow, read_index, write_index
from imageprocess.data.unlabelled import import_unlabelled
from imageprocess.errors import DataError
from testkit.pictures import encode, scene


def picture(seed: int) -> bytes:
    return encode(scene(seed, 96, 64), "JPEG")


PICTURES = ("0.jpg", "deep/er/1.jpg", "2.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, a copy of the first, one file that does not decode and a text."""
    files = {
        "0.jpg": picture(0), "deep/er/1.jpg": picture(1), "deep/copy.jpg": picture(0),
        "2.png": encode(scene(2, 96, 64), "PNG"), "broken.jpg": picture(3)[:300], "note.txt": b"taken on a Monday",
    }  # fmt: skip
    for name, content in files.items():
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "pictures"


def test_files_are_copied_unchanged_and_indexed(folder: Path, tmp_path: Path) -> None:
    report = import_unlabelled(folder, tmp_path / "out", {hashlib.sha256(picture(1)).hexdigest()}, jobs=1)
    rows = read_index(tmp_path / "out")
    assert rows == report.rows
    assert {(tmp_path / "out" / row.path).read_bytes() for row in rows} == {
        picture(0), (folder / "2.png").read_bytes(),
    }  # fmt: skip
    assert {(row.label, row.split) for row in rows} == {("", "unlabelled")}
    assert {(row.width, row.height, row.format) for row in rows} == {(96, 64, "JPEG"), (96, 64, "PNG")}
    assert all(row.source == f"unlabelled_{row.sha256[:2]}" for row in rows)
    assert (report.known, report.duplicates) == (1, 1)
    assert sorted(item.name for item in report.skipped) == ["broken.jpg", "note.txt"]
    assert "broken.jpg" in (tmp_path / "out" / "skipped.csv").read_text("utf-8")


def test_folder_without_usable_pictures_is_an_error(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: contains no files"):
        import_unlabelled(tmp_path / "empty", tmp_path / "out", set(), jobs=1)
    decodable = {hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in PICTURES}
    reason = r"none of its 6 files can be used \(2 cannot be decoded, the first: .*, 4 are in the data set\)"
    with pytest.raises(DataError, match=reason):
        import_unlabelled(folder, tmp_path / "out", decodable, jobs=1)
    assert not (tmp_path / "out").exists()


def test_command_reports_what_was_left_out(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    content = picture(1)
    row = IndexRow(
        "1.jpg", "real", "one", "", "photo", "", hashlib.sha256(content).hexdigest(), len(content), 96, 64, "JPEG",
        None, "open_test", "g1",
    )  # fmt: skip
    write_index(data, [row])
    arguments = ["data", "unlabelled", str(folder), "--out", str(tmp_path / "out"), "--without", str(data)]
    result = CliRunner().invoke(main, [*arguments, "--jobs", "1"], prog_name="imageprocess")
    assert result.exit_code == 0, result.output
    assert "skipped note.txt: not a supported image format" in result.output
    assert "2 images; left out: 2 that cannot be decoded" in result.output
    assert f"1 duplicates, 1 of {data}" in result.output
    assert row.sha256 not in {one.sha256 for one in read_index(tmp_path / "out")}
    info = CliRunner().invoke(main, ["data", "info", str(tmp_path / "out")])
    assert info.output.strip() == "2 images without labels"
