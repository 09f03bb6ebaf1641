"""index.csv: what is written is read again; what is damaged is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from imageprocess.data.index import IndexRow, data_id, read_index, write_index
from imageprocess.errors import DataError

ROW = IndexRow(
    path="images/ai/one/1.jpg", label="ai", source="one", origin='A "generator", v2', category="art\nand photo",
    licence="none stated", sha256="ab" * 32, bytes=1234, width=640, height=480, format="JPEG", jpeg_quality=92,
    split="train", group="g000001",
)  # fmt: skip
OTHER = replace(
    ROW, path="images/real/ü/2.png", label="real", format="PNG", jpeg_quality=None, sha256="cd" * 32
)


def test_round_trip(tmp_path: Path) -> None:
    unlabelled = replace(ROW, label="", split="unlabelled", sha256="ef" * 32)
    write_index(tmp_path, [ROW, OTHER, unlabelled])
    assert read_index(tmp_path) == [ROW, OTHER, unlabelled]
    assert [path.name for path in tmp_path.iterdir()] == ["index.csv"]


def test_a_failed_write_leaves_the_old_index(tmp_path: Path) -> None:
    write_index(tmp_path, [ROW])
    with pytest.raises(TypeError):
        write_index(tmp_path, [OTHER, "no row"])  # type: ignore[list-item]
    assert read_index(tmp_path) == [ROW]


def test_missing_index_error_states_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no index\.csv .*data build.*data import"):
        read_index(tmp_path)


@pytest.mark.parametrize(("old", "new"), [
    ("1234", "many"), (",ai,", ",robot,"), (",train,", ",training,"), (",g000001", ""), ("width", "breadth"),
    (",ai,", ",,"), (",train,", ",unlabelled,"),
])  # fmt: skip
def test_invalid_index_error_names_the_line(old: str, new: str, tmp_path: Path) -> None:
    write_index(tmp_path, [replace(ROW, category="art")])
    path = tmp_path / "index.csv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError, match=r"index\.csv, line 2: "):
        read_index(tmp_path)


def test_binary_file_is_not_an_index(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_bytes(b"\xff\xfe\0\x81")
    with pytest.raises(DataError, match=r"index\.csv"):
        read_index(tmp_path)


def test_data_id_depends_on_pictures_labels_and_splits() -> None:
    same = data_id([OTHER, replace(ROW, path="elsewhere.jpg", origin="?")])
    assert data_id([ROW, OTHER]) == same
    for other in (replace(ROW, label="real"), replace(ROW, split="val"), replace(ROW, sha256="ef" * 32)):
        assert data_id([other, OTHER]) != same
    assert len(same) == 12
