"""data import of folders and zips: real files in, a whole data set out, or nothing."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

import pytest

from imageprocess.data.import_readers import ZipLimits
from imageprocess.data.imports import SKIPPED_NAME, import_set
from imageprocess.data.index import read_index
from imageprocess.errors import DataError
from testkit.pictures import encode, scene


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def small(seed: int, form: str = "JPEG") -> bytes:
    return encode(scene(seed, 96, 64), form)


def plain_set(count: int = 20) -> dict[str, bytes]:
    files = {f"ai/gen{i % 2}/{i}.jpg": small(i) for i in range(count)}
    return files | {f"real/{i}.png": small(1000 + i, "PNG") for i in range(count)}


@pytest.fixture(params=["folder", "zip"])
def deliver(request: pytest.FixtureRequest, tmp_path: Path):  # type: ignore[no-untyped-def]
    """The same files as a folder and as a zip of it."""
    if request.param == "folder":
        return lambda files: str(fill(tmp_path / "mine", files))
    return lambda files: str(
        pack(tmp_path / "mine.zip", {f"mine/{name}": data for name, data in files.items()})
    )


def test_files_are_copied_unchanged_and_indexed(deliver, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    files = plain_set()
    report = import_set(deliver(files), tmp_path / "out")
    rows = read_index(tmp_path / "out")
    assert rows == report.rows
    stored = {(row.label, (tmp_path / "out" / row.path).read_bytes()) for row in rows}
    assert stored == {(name.split("/")[0], data) for name, data in files.items()}
    # What one's folders tell apart is kept apart: folds and intervals are over sources.
    assert Counter(row.source for row in rows) == {"mine-gen0": 10, "mine-gen1": 10, "mine": 20}
    assert Counter(row.origin for row in rows) == {"gen0": 10, "gen1": 10, "mine": 20}
    one = next(row for row in rows if row.format == "JPEG")
    assert (one.width, one.height, one.jpeg_quality) == (96, 64, 75)
    assert one.bytes == (tmp_path / "out" / one.path).stat().st_size
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["images", "index.csv"]
    assert not [name for name in tmp_path.iterdir() if name.suffix == ".part"]


def test_a_set_without_splits_is_split_80_10_10_in_both_classes(deliver, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    report = import_set(deliver(plain_set(30)), tmp_path / "out")
    for label in ("ai", "real"):
        assert Counter(row.split for row in report.rows if row.label == label) == {
            "train": 24,
            "val": 3,
            "test": 3,
        }


def test_near_duplicates_share_a_group_and_a_split(tmp_path: Path) -> None:
    files = plain_set(10)
    for seed in range(5):
        for quality in (40, 60, 90):
            files[f"ai/copy-{seed}-{quality}.jpg"] = encode(scene(seed, 96, 64), "JPEG", quality=quality)
            files[f"ai/large-{seed}-{quality}.jpg"] = encode(scene(seed, 192, 128), "JPEG", quality=quality)
    report = import_set(str(fill(tmp_path / "mine", files)), tmp_path / "out")
    assert len(report.rows) == len(files)
    splits: dict[str, set[str]] = {}
    for row in report.rows:
        splits.setdefault(row.group, set()).add(row.split)
    assert all(len(names) == 1 for names in splits.values())
    assert sorted(Counter(row.group for row in report.rows).values()) == [1] * 15 + [7] * 5


def test_source_splits_are_preserved_and_duplicates_across_them_counted(deliver, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    files = {}
    for number, split in enumerate(("train", "valid", "test")):
        for i in range(4):
            files[f"{split}/FAKE/{i}.jpg"] = small(100 * number + i)
            files[f"{split}/REAL/{i}.jpg"] = small(5000 + 100 * number + i)
    files["train/FAKE/again.jpg"] = encode(scene(200, 96, 64), "JPEG", quality=90)  # as test/FAKE/0.jpg
    report = import_set(deliver(files), tmp_path / "out")
    assert Counter(row.split for row in report.rows) == {"train": 9, "val": 8, "test": 8}
    assert report.split_duplicates == 1
    groups: dict[str, set[str]] = {}
    for row in report.rows:
        groups.setdefault(row.group, set()).add(row.split)
    assert all(len(names) == 1 for names in groups.values())


def test_a_missing_validation_split_is_drawn_from_training(tmp_path: Path) -> None:
    files = {
        f"train/{kind}/{i}.jpg": small(i + 1000 * n)
        for n, kind in enumerate(("FAKE", "REAL"))
        for i in range(20)
    }
    files |= {
        f"test/{kind}/{i}.jpg": small(500 + i + 1000 * n)
        for n, kind in enumerate(("FAKE", "REAL"))
        for i in range(5)
    }
    report = import_set(str(fill(tmp_path / "mine", files)), tmp_path / "out")
    assert Counter(row.split for row in report.rows) == {"train": 36, "val": 4, "test": 10}


def test_exact_duplicate_is_removed_from_training_not_from_test(deliver, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    files = {
        f"{split}/{kind}/{i}.jpg": small(1000 * (split == "test") + 100 * (kind == "ai") + i)
        for split in ("train", "test")
        for kind in ("ai", "real")
        for i in range(3)
    }
    files["train/ai/copy.jpg"] = files["test/ai/0.jpg"]
    files["train/ai/copy2.jpg"] = files["test/ai/0.jpg"]
    report = import_set(deliver(files), tmp_path / "out")
    assert report.duplicates == 2
    assert len(report.rows) == 12
    assert [
        row.split
        for row in report.rows
        if (tmp_path / "out" / row.path).read_bytes() == files["test/ai/0.jpg"]
    ] == ["test"]


def test_file_with_both_labels_is_excluded(deliver, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    files = plain_set(3) | {"ai/same.jpg": small(77), "real/same.jpg": small(77)}
    report = import_set(deliver(files), tmp_path / "out")
    assert len(report.rows) == 6
    assert len(report.skipped) == 2
    assert all("same.jpg" in item.name and "other label" in item.reason for item in report.skipped)
    on_disk = [path for path in (tmp_path / "out" / "images").rglob("*") if path.is_file()]
    assert len(on_disk) == 6


def test_non_image_files_are_skipped_with_reason(deliver, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    files = plain_set(3) | {
        "ai/notes.txt": b"not a picture",
        "ai/cut.jpg": small(50)[:300],
        "real/empty.png": b"",
        "elsewhere/7.jpg": small(51),
    }
    report = import_set(deliver(files), tmp_path / "out")
    reasons = {item.name.rsplit("/", 1)[-1]: item.reason for item in report.skipped}
    assert reasons.keys() == {"notes.txt", "cut.jpg", "empty.png", "7.jpg"}
    assert "not a supported image format" in reasons["notes.txt"]
    assert "does not decode" in reasons["cut.jpg"]
    assert reasons["empty.png"]
    assert "ai/ or real/" in reasons["7.jpg"]
    assert len(report.rows) == 6
    assert (tmp_path / "out" / SKIPPED_NAME).read_text().count("\n") == 5


def fails(source: str, out: Path, match: str, **options: object) -> None:
    before = sorted(path.name for path in out.parent.iterdir())
    with pytest.raises(DataError, match=match):
        import_set(source, out, **options)  # type: ignore[arg-type]
    assert sorted(path.name for path in out.parent.iterdir()) == before, "nothing half-written"


def test_error_without_readable_files_states_the_first_reason(deliver, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    source = deliver({"ai/1.jpg": b"x", "real/2.jpg": b"y"})
    fails(source, tmp_path / "out", r"no image could be decoded.*ai/1\.jpg")


def test_single_class_is_an_error(deliver, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    fails(deliver({"ai/1.jpg": small(1)}), tmp_path / "out", "only ai images")


def test_unknown_folder_layout_is_an_error(tmp_path: Path) -> None:
    source = fill(tmp_path / "mine", {"cats/1.jpg": small(1), "dogs/2.jpg": small(2)})
    fails(str(source), tmp_path / "out", "expected ai/ and real/")


@pytest.mark.parametrize("source", ["missing", "a/b/c", "./owner/name", "/no/such"])
def test_missing_source_is_an_error(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fails(source, tmp_path / "out", "neither a folder or file")


def test_an_existing_set_is_not_overwritten(tmp_path: Path) -> None:
    source = str(fill(tmp_path / "mine", plain_set(3)))
    (tmp_path / "out").mkdir()
    import_set(source, tmp_path / "out")  # an empty folder is as good as none
    fails(source, tmp_path / "out", "already exists")


def test_output_inside_source_is_an_error(tmp_path: Path) -> None:
    source = fill(tmp_path / "mine", plain_set(3))
    fails(str(source), source / "out", "is inside")


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "a b"])
def test_invalid_folder_name_is_an_error(name: str, tmp_path: Path) -> None:
    fails(str(fill(tmp_path / "mine", plain_set(3))), tmp_path / "out", "--name", name=name)


def test_interrupted_import_leaves_no_files(tmp_path: Path) -> None:
    def stop(done: int, of: int) -> None:
        raise KeyboardInterrupt

    source = str(fill(tmp_path / "mine", plain_set(3)))
    with pytest.raises(KeyboardInterrupt):
        import_set(source, tmp_path / "out", progress=stop)
    assert sorted(path.name for path in (tmp_path).iterdir()) == ["mine"]


def test_symbolic_links_in_a_folder_and_a_zip(tmp_path: Path) -> None:
    source = fill(tmp_path / "mine", plain_set(3))
    (source / "ai" / "broken.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (source / "ai" / "round").symlink_to(source)
    assert len(import_set(str(source), tmp_path / "out").rows) == 6
    link = zipfile.ZipInfo("ai/link.jpg")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for name, data in plain_set(3).items():
            archive.writestr(name, data)
        archive.writestr(link, "/etc/passwd")
    report = import_set(str(tmp_path / "mine.zip"), tmp_path / "out2")
    assert [(item.name, item.reason) for item in report.skipped] == [("ai/link.jpg", "a symbolic link")]


@pytest.mark.parametrize(
    "name", ["../ai/evil.jpg", "/ai/evil.jpg", "ai/../../evil.jpg", "ai\\..\\..\\evil.jpg"]
)
def test_zip_with_path_traversal_is_an_error(name: str, tmp_path: Path) -> None:
    source = pack(tmp_path / "mine.zip", plain_set(3) | {name: small(9)})
    fails(str(source), tmp_path / "out", "points outside the archive")


def test_zip_with_too_many_entries_is_an_error(tmp_path: Path) -> None:
    source = pack(tmp_path / "mine.zip", plain_set(3))
    fails(str(source), tmp_path / "out", "6 entries; the limit is 5", zip_limits=ZipLimits(max_entries=5))


def test_zip_with_too_large_content_is_an_error(tmp_path: Path) -> None:
    source = pack(tmp_path / "mine.zip", plain_set(10))
    fails(str(source), tmp_path / "out", "more than 3,000 bytes", zip_limits=ZipLimits(max_total_bytes=3000))


def test_non_image_zip_bomb_is_not_decompressed(tmp_path: Path) -> None:
    files = plain_set(3) | {"ai/bomb.jpg": b"\0" * 50_000_000}
    limits = ZipLimits(max_total_bytes=1_000_000)  # the bomb would break it
    report = import_set(str(pack(tmp_path / "mine.zip", files)), tmp_path / "out", zip_limits=limits)
    assert [item.name for item in report.skipped] == ["ai/bomb.jpg"]


def test_zip_entry_with_wrong_checksum_is_skipped(tmp_path: Path) -> None:
    source = tmp_path / "mine.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_STORED) as archive:
        for name, data in plain_set(3).items():
            archive.writestr(name, data)
    raw = bytearray(source.read_bytes())
    at = raw.find(plain_set(3)["ai/gen0/0.jpg"]) + 500
    raw[at] ^= 0xFF
    source.write_bytes(raw)
    report = import_set(str(source), tmp_path / "out")
    assert [(item.name, "cannot be unpacked" in item.reason) for item in report.skipped] == [
        ("ai/gen0/0.jpg", True)
    ]


def test_invalid_zip_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "mine.zip").write_bytes(b"PK\3\4 and then nothing")
    fails(str(tmp_path / "mine.zip"), tmp_path / "out", r"mine\.zip: not a readable zip")
    (tmp_path / "one.jpg").write_bytes(small(1))
    fails(str(tmp_path / "one.jpg"), tmp_path / "out", r"one\.jpg: not a readable zip")


def test_encrypted_zip_is_an_error(tmp_path: Path) -> None:
    source = pack(tmp_path / "mine.zip", plain_set(3))
    raw = bytearray(source.read_bytes())
    raw[raw.find(b"PK\1\2") + 8] |= 1  # the central directory's flag bit 0: encrypted
    source.write_bytes(raw)
    fails(str(source), tmp_path / "out", "encrypted")
