"""Data sets for evaluation, from an index or from folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageprocess.data.index import data_id, read_index
from imageprocess.errors import DataError
from imageprocess.evaluate.pictures import open_test_sets, read_dataset, splits_of
from testkit.pictures import encode, plain

_HEADER = (
    "path,label,source,origin,category,licence,sha256,bytes,width,height,format,jpeg_quality,split,group\n"
)


def fill(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encode(plain(number), "PNG"))
    return folder


def indexed(folder: Path) -> Path:
    rows = [
        f"{label}/{split}.png,{label},src_{label},gen_{label},photo,{licence},{i:064x},9,64,48,PNG,,{split},g{i}\n"
        for i, (label, split, licence) in enumerate(
            [
                ("ai", "test", "MIT"),
                ("real", "test", "none; private people"),
                ("ai", "val", "MIT"),
                ("real", "val", ""),
            ]
        )
    ]
    (folder / "index.csv").write_text(_HEADER + "".join(rows), encoding="utf-8")
    return folder


def test_index_gives_split_source_origin_and_display_permission(tmp_path):
    dataset = read_dataset(indexed(tmp_path))
    assert dataset.split == "test" and dataset.id == data_id(read_index(tmp_path))
    ai, real = dataset.pictures
    assert (ai.is_ai, ai.source, ai.origin, ai.category, ai.may_show) == (
        True,
        "src_ai",
        "gen_ai",
        "photo",
        True,
    )
    assert not real.is_ai and not real.may_show
    assert len(read_dataset(tmp_path, "val").pictures) == 2
    assert splits_of(tmp_path) == ["val", "test"]


def test_short_index_labels_match_import(tmp_path):
    fill(tmp_path, "a.png", "b.png")
    index = tmp_path / "index.csv"
    index.write_text("path,label\na.png,Fake\nb.png,REAL\n", encoding="utf-8")
    assert [picture.is_ai for picture in read_dataset(tmp_path).pictures] == [True, False]
    index.write_text("path,label\na.png,ai\nb.png,synthetic\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"line 3: label 'synthetic' is none of ai, fake, real"):
        read_dataset(tmp_path)


def test_short_index_is_accepted(tmp_path):
    fill(tmp_path, "a.png", "b.png")
    (tmp_path / "index.csv").write_text("path,label,source\na.png,ai,x\nb.png,real,y\n", encoding="utf-8")
    dataset = read_dataset(tmp_path)
    assert dataset.split == "" and [p.source for p in dataset.pictures] == ["x", "y"]
    assert len(dataset.id) == 12


@pytest.mark.parametrize("ai", ["ai", "fake", "FAKE"])
def test_plain_class_folders(tmp_path, ai):
    dataset = read_dataset(fill(tmp_path, f"{ai}/sdxl/1.png", "real/2.png", "real/phone/3.png"))
    assert dataset.split == ""
    assert sorted((p.source, p.is_ai) for p in dataset.pictures) == [
        ("phone", False), ("real", False), ("sdxl", True),
    ]  # fmt: skip


def test_cifake_layout(tmp_path):
    fill(tmp_path, "train/REAL/1.png", "train/FAKE/2.png", "test/REAL/3.png", "test/FAKE/4.png")
    assert splits_of(tmp_path) == ["train", "test"]
    assert {p.path.name for p in read_dataset(tmp_path).pictures} == {"3.png", "4.png"}
    assert {p.path.name for p in read_dataset(tmp_path, "train").pictures} == {"1.png", "2.png"}


def test_data_id_of_plain_folders_depends_on_images(tmp_path):
    first = read_dataset(fill(tmp_path, "ai/1.png", "real/2.png")).id
    (tmp_path / "ai/1.png").rename(tmp_path / "ai/other-name.png")
    assert read_dataset(tmp_path).id == first
    (tmp_path / "ai/other-name.png").write_bytes(encode(plain(200), "PNG"))
    assert read_dataset(tmp_path).id != first


def test_single_class_is_rejected_by_name(tmp_path):
    with pytest.raises(DataError, match="no real pictures"):
        read_dataset(fill(tmp_path, "ai/1.png"))


def test_missing_split_error_lists_available_splits(tmp_path):
    with pytest.raises(
        DataError, match=r"no split open_test; choose another with --split \(there: val, test\)"
    ):
        read_dataset(indexed(tmp_path), "open_test")


def test_folder_without_classes_is_rejected(tmp_path):
    with pytest.raises(DataError, match="ai/ and real/"):
        read_dataset(fill(tmp_path, "holiday/1.png"))


def test_open_test_groups_by_set_and_separates_edits(tmp_path):
    columns = (
        "path,label,source,origin,category,licence,sha256,bytes,width,height,format,jpeg_quality,split,group"
    )
    rows = [
        f"{name}-{label}.png,{label},{name}{label},gen,{category},MIT,{i:064x},9,64,48,PNG,,open_test,g{i},{family},{name},"
        "False"
        for i, (name, label, category, family) in enumerate(
            [
                ("open_test_1", "ai", "photo", "flux"),
                ("open_test_1", "real", "photo", ""),
                ("open_test_2", "ai", "art", "other"),
                ("open_test_2", "real", "art", ""),
                ("edits", "ai", "edit", "sdxl"),
            ]
        )
    ]
    text = "\n".join([f"{columns},generator,test_set,private_people", *rows])
    (tmp_path / "index.csv").write_text(text + "\n", encoding="utf-8")
    assert open_test_sets(tmp_path) == ["open_test_1", "open_test_2", "edits"]
    whole = read_dataset(tmp_path)
    assert (whole.split, len(whole.pictures)) == ("open_test", 4)
    assert {picture.category for picture in whole.pictures} == {"photo", "art"}
    first = read_dataset(tmp_path, "open_test_1")
    assert (first.split, len(first.pictures)) == ("open_test_1", 2)
    assert [picture.generator for picture in first.pictures] == ["FLUX", ""]
    edits = read_dataset(tmp_path, "edits")
    assert [picture.source for picture in edits.pictures] == ["open_test_1real", "editsai"]
    with pytest.raises(DataError, match=r"there: open_test, open_test_1, open_test_2, edits"):
        read_dataset(tmp_path, "open_test_3")
