"""data sheet and data add: what is shown of a source, and which entries are written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from imageprocess.cli import main
from imageprocess.data import reserved
from imageprocess.data.manifest import load_manifest
from testkit.pictures import encode, scene
from tests.support.repositories import Commit, entry, write_manifest


def run(*arguments: str | Path, answer: str = "") -> Result:
    return CliRunner().invoke(main, ["data", *map(str, arguments)], prog_name="imageprocess", input=answer)


@pytest.fixture
def photos(commit: Commit) -> str:
    """Eight photographs with a camera's EXIF, one of them saved once more; one small, one that is text."""
    exif = Image.Exif()
    exif[271], exif[272] = "Canon", "EOS 5D"
    files = {f"img/{i}.jpg": encode(scene(i, 320, 240), "JPEG", exif=exif) for i in range(8)}
    files["img/again.jpg"] = encode(scene(3, 320, 240), "JPEG", quality=50)
    files["img/small.jpg"] = encode(scene(20, 64, 48), "JPEG")
    files["img/text.jpg"] = b"no picture"
    return commit("Some-One/My.Photos", {**files, "readme.md": b"mine"})


STATED = (
    "--label", "real", "--include", "^img/", "--category", "photo", "--shows", "streets", "--made-by", "Canon 5D",
    "--era", "2019",
)  # fmt: skip


def test_sheet_contains_the_images_of_a_build(photos: str, git_root: Path, tmp_path: Path) -> None:
    record = entry(
        "mine", "real", "Some-One/My.Photos", photos, include="^img/", min_side=200, crop=[0, 0, 0, 40]
    )
    manifest = write_manifest(tmp_path / "m.json", record)
    out = tmp_path / "sheet.png"
    result = run("sheet", "mine", "--manifest", manifest, "--git-root", git_root, "--out", out)
    assert result.exit_code == 0, result.output
    shown = {
        row.split("│")[1].strip(): row.split("│")[2].strip()
        for row in result.stdout.splitlines()
        if "│" in row
    }
    assert shown["files that match"] == "11"
    assert shown["pictures in these"] == "9"
    assert shown["duplicates among them"] == "1"
    assert shown["excluded, under 200 px"] == "1"
    assert shown["excluded, does not decode (unsupported_format)"] == "1"
    assert shown["formats"] == "JPEG (9)"
    assert shown["sizes"] == "320 x 200 (9)", "as cropped"
    assert shown["cameras"] == "Canon EOS 5D (8)"
    sheet = Image.open(out)
    assert sheet.size == (6 * 244, 2 * 260)
    assert len(sheet.getcolors(1 << 20) or ()) > 1000


def test_sheet_without_source_is_an_error(tmp_path: Path, photos: str, git_root: Path) -> None:
    manifest = write_manifest(
        tmp_path / "m.json", entry("mine", "real", "Some-One/My.Photos", photos, include="^x/")
    )
    result = run("sheet", "yours", "--manifest", manifest)
    assert result.exit_code == 2 and "yours: no such source" in result.stderr
    result = run("sheet", "mine", "--manifest", manifest, "--git-root", git_root)
    assert result.exit_code == 1 and "no file matches '^x/'" in result.stderr


def test_add_prints_and_writes_the_entry(photos: str, git_root: Path, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "m.json")
    more = ("--git-root", git_root, "--manifest", manifest, "--out", tmp_path / "sheet.png")
    refused = run("add", "Some-One/My.Photos", *STATED, *more, answer="n\n")
    assert refused.exit_code == 1 and load_manifest(manifest) == []
    assert "files that match" in refused.stdout and (tmp_path / "sheet.png").exists()
    result = run("add", "Some-One/My.Photos", *STATED, *more, "--crop", "0", "0", "0", "40", answer="y\n")
    assert result.exit_code == 0, result.output
    (source,) = load_manifest(manifest)
    assert (source.id, source.commit, source.origin, source.era, source.crop) == (
        "my_photos", photos, "Canon 5D", "2019", (0, 0, 0, 40),
    )  # fmt: skip
    assert json.loads(manifest.read_text())["sources"][0]["count"] == 11


def test_add_of_ai_pictures_to_a_test_set(photos: str, git_root: Path, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "m.json")
    result = run(
        "add", "Some-One/My.Photos", "--label", "ai", "--include", "^img/", "--category", "edit", "--shows", "rooms",
        "--generator", "flux", "--made-by", "FLUX.1 Fill", "--era", "2025", "--split", "open_test", "--id", "filled",
        "--git-root", git_root, "--manifest", manifest, "--out", tmp_path / "s.png", "--yes",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (source,) = load_manifest(manifest)
    assert (source.id, source.generator, source.origin, source.test_set) == (
        "filled", "flux", "FLUX.1 Fill", "edits",
    )  # fmt: skip


def test_add_rejects_training_on_held_out_generator(photos: str, git_root: Path, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "m.json")
    result = run(
        "add", "Some-One/My.Photos", "--label", "ai", "--include", "^img/", "--category", "photo", "--shows", "rooms",
        "--generator", "other", "--made-by", "ideogram 3.0", "--era", "2025", "--id", "rooms",
        "--git-root", git_root, "--manifest", manifest, "--out", tmp_path / "s.png", "--yes",
    )  # fmt: skip
    assert (
        result.exit_code == 2
        and "Ideogram is a held-out generator; choose --split open_test" in result.stderr
    )
    assert load_manifest(manifest) == []


def test_add_lists_missing_fields(photos: str, git_root: Path, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "m.json")
    result = run(
        "add", "Some-One/My.Photos", "--label", "ai", "--include", "^img/", "--split", "open_test",
        "--git-root", git_root, "--manifest", manifest, "--out", tmp_path / "s.png",
    )  # fmt: skip
    assert result.exit_code == 2
    assert "files that match" in result.stdout
    assert "--category, --era, --generator, --made-by, --shows, --test-set" in result.stderr
    assert load_manifest(manifest) == []


def test_add_rejects_existing_and_reserved_sources(
    photos: str, git_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = entry("my_photos", "real", "some-one/my.photos", photos, include="^img/[0-4]")
    manifest = write_manifest(tmp_path / "m.json", known)
    more = ("--git-root", git_root, "--manifest", manifest, "--out", tmp_path / "sheet.png", "--yes")
    result = run("add", "Some-One/My.Photos", *STATED, *more)
    assert result.exit_code == 2 and "source 'my_photos' exists" in result.stderr
    other = ("add", "Some-One/My.Photos", *STATED, *more, "--id", "other")
    result = run(*other, "--include", "^img/[0-4]")
    assert result.exit_code == 2 and "source 'my_photos' includes the same files" in result.stderr
    result = run(*other, "--split", "open_test", "--test-set", "open_test_2")
    assert result.exit_code == 2 and "use --split train" in result.stderr
    monkeypatch.setattr(reserved, "is_reserved", lambda repo: True)
    result = run(*other)
    assert result.exit_code == 1 and "reserved for independent evaluations" in result.stderr
    assert "files that match" not in result.stdout, "it is not even looked at"
    assert len(json.loads(manifest.read_text())["sources"]) == 1
