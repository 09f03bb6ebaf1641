"""data import of Hugging Face data sets, on small ones that the test writes; nothing leaves the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageprocess.data.imports import HubColumns, import_set
from imageprocess.errors import DataError
from testkit.pictures import encode, scene

datasets = pytest.importorskip("datasets", reason="needs the hub extra")


# `datasets` leaves the metadata file of an image folder open.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def picture(seed: int) -> bytes:
    return encode(scene(seed, 64, 48), "JPEG" if seed % 2 else "PNG")


def table(
    labels: list[object], feature: object, *, first: int = 0, image: str = "image", label: str = "label"
):  # type: ignore[no-untyped-def]
    features = datasets.Features({image: datasets.Image(), label: feature})
    images = [{"bytes": picture(first + i), "path": None} for i in range(len(labels))]
    return datasets.Dataset.from_dict({image: images, label: labels}, features=features)


CLASSES = datasets.ClassLabel(names=["REAL", "FAKE"])


def labels_by_bytes(out: Path, report) -> dict[bytes, str]:  # type: ignore[no-untyped-def]
    return {(out / row.path).read_bytes(): row.label for row in report.rows}


def test_a_parquet_file_with_class_labels(tmp_path: Path) -> None:
    table([0, 1] * 10, CLASSES).to_parquet(tmp_path / "set.parquet")
    report = import_set(str(tmp_path / "set.parquet"), tmp_path / "out")
    expected = {picture(i): "ai" if i % 2 else "real" for i in range(20)}
    assert labels_by_bytes(tmp_path / "out", report) == expected, "the stored files, not re-encoded"
    assert {row.split for row in report.rows} == {"train", "val", "test"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["images", "index.csv"]


def test_a_saved_set_keeps_its_splits(tmp_path: Path) -> None:
    saved = {"train": table([0, 1] * 10, CLASSES), "validation": table([0, 1] * 2, CLASSES, first=100),
             "test": table([0, 1] * 3, CLASSES, first=200)}  # fmt: skip
    datasets.DatasetDict(saved).save_to_disk(tmp_path / "saved")
    report = import_set(str(tmp_path / "saved"), tmp_path / "out")
    assert [sum(row.split == split for row in report.rows) for split in ("train", "val", "test")] == [
        20,
        4,
        6,
    ]


def test_an_image_folder_with_a_table_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    lines = ["file_name,made_by"]
    for i in range(8):
        (folder / f"{i}.jpg").write_bytes(picture(2 * i + 1))
        lines.append(f"{i}.jpg,{('camera', 'sd', 'mj', 'camera')[i % 4]}")
    (folder / "metadata.csv").write_text("\n".join(lines))
    columns = HubColumns(label="made_by", ai_labels=("sd", "mj"))
    report = import_set(str(folder), tmp_path / "out", columns=columns)
    assert sorted((row.label, row.origin) for row in report.rows) == (
        [("ai", "mj")] * 2 + [("ai", "sd")] * 2 + [("real", "folder")] * 4
    )
    assert labels_by_bytes(tmp_path / "out", report).keys() == {picture(2 * i + 1) for i in range(8)}


def test_numeric_labels_require_an_option(tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    table([0, 1] * 5, datasets.Value("int64"), image="photo", label="kind").to_parquet(path)
    with pytest.raises(DataError, match=r"--label-column.*photo, kind"):
        import_set(str(path), tmp_path / "out")
    with pytest.raises(DataError, match=r"--ai-label; the labels are '0', '1'"):
        import_set(str(path), tmp_path / "out", columns=HubColumns(label="kind"))
    report = import_set(str(path), tmp_path / "out", columns=HubColumns(label="kind", ai_labels=("1",)))
    assert sum(row.label == "ai" for row in report.rows) == 5


def test_pictures_as_plain_bytes(tmp_path: Path) -> None:
    features = datasets.Features({"image": datasets.Value("binary"), "label": CLASSES})
    columns = {"image": [picture(i) for i in range(6)], "label": [0, 1] * 3}
    datasets.Dataset.from_dict(columns, features=features).to_parquet(tmp_path / "set.parquet")
    assert len(import_set(str(tmp_path / "set.parquet"), tmp_path / "out").rows) == 6


def test_rows_without_label_are_excluded(tmp_path: Path) -> None:
    table([0, 1] * 10 + [-1, None], CLASSES).to_parquet(tmp_path / "set.parquet")
    columns = HubColumns(ai_labels=("FAKE",))
    report = import_set(str(tmp_path / "set.parquet"), tmp_path / "out", columns=columns)
    assert len(report.rows) == 20
    assert [one.reason for one in report.skipped] == ["no label"] * 2


def test_rows_without_a_picture_are_skipped(tmp_path: Path) -> None:
    features = datasets.Features({"image": datasets.Value("binary"), "label": CLASSES})
    columns = {"image": [picture(0), picture(1), None, b"junk"], "label": [0, 1, 0, 1]}
    datasets.Dataset.from_dict(columns, features=features).to_parquet(tmp_path / "set.parquet")
    report = import_set(str(tmp_path / "set.parquet"), tmp_path / "out")
    assert len(report.rows) == 2
    assert [item.name for item in report.skipped] == ["train[2]", "train[3]"]


@pytest.mark.parametrize(("columns", "match"), [
    (HubColumns(image="nothing"), "no column 'nothing'; it has image, label"),
    (HubColumns(label="nothing"), "no column 'nothing'"),
    (HubColumns(ai_labels=("midjourney",)), "no label 'midjourney'; the labels are 'FAKE', 'REAL'"),
    (HubColumns(ai_labels=("FAKE", "REAL")), "name the labels that mean AI"),
])  # fmt: skip
def test_missing_columns_and_labels_are_errors(columns: HubColumns, match: str, tmp_path: Path) -> None:
    table([0, 1] * 3, CLASSES).to_parquet(tmp_path / "set.parquet")
    with pytest.raises(DataError, match=match):
        import_set(str(tmp_path / "set.parquet"), tmp_path / "out", columns=columns)
    assert [path.name for path in tmp_path.iterdir()] == ["set.parquet"]


def test_unknown_split_names_are_an_error(tmp_path: Path) -> None:
    datasets.DatasetDict({"train": table([0, 1], CLASSES), "hard": table([0, 1], CLASSES)}).save_to_disk(
        tmp_path / "saved"
    )
    with pytest.raises(DataError, match="split 'hard'"):
        import_set(str(tmp_path / "saved"), tmp_path / "out")


def test_a_damaged_parquet_and_an_unreachable_name(tmp_path: Path) -> None:
    (tmp_path / "set.parquet").write_bytes(b"PAR1 and nothing more")
    for source in (str(tmp_path / "set.parquet"), "no-such-owner/no-such-set"):
        with pytest.raises(DataError, match="cannot be loaded as a Hugging Face data set"):
            import_set(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["set.parquet"]
