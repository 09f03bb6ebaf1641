"""The manifest that ships, and what a broken one says."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path

import pytest

from imageprocess.data import reserved
from imageprocess.data.add import held_out_generator
from imageprocess.data.categories import HELD_OUT_GENERATORS
from imageprocess.data.manifest import SourceEntry, load_manifest, read_blob_list
from imageprocess.data.reserved import is_reserved
from imageprocess.errors import DataError
from tests.support.repositories import entry, write_manifest


@pytest.fixture(scope="module")
def shipped() -> list[SourceEntry]:
    return load_manifest()


def test_shipped_manifest_is_complete(shipped: list[SourceEntry]) -> None:
    assert len({source.id for source in shipped}) == len(shipped)
    kinds = Counter((source.split, source.label) for source in shipped)
    assert set(kinds) == {(split, label) for split in ("train", "open_test") for label in ("ai", "real")}
    for source in shipped:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", source.repo), source.id
        assert re.fullmatch(r"[0-9a-f]{40}", source.commit), source.id
        assert re.fullmatch(r"[\w-]+", source.id), "it becomes a folder's name"
        assert source.origin and source.licence and source.shows and source.era, source.id
        assert (source.generator != "") == (source.label == "ai"), source.id
        assert source.include or source.blobs, source.id


def test_held_out_generators_are_measured_and_never_trained_on(shipped: list[SourceEntry]) -> None:
    assert not [source.id for source in shipped if held_out_generator(source)]
    for name in HELD_OUT_GENERATORS:
        assert [source.id for source in shipped if source.split == "open_test" and name in source.origin], (
            name
        )
    (many,) = (
        source for source in shipped if source.id == "sdnext_reference"
    )  # a picture of each of 190 models
    assert many.takes("models/Reference/Qwen--Qwen-Image.jpg")
    for name in (
        "Disty0--Ideogram-4-SDNQ",
        "DeepFloyd--IF-I-L-v1.0",
        "OmniGen2--OmniGen2",
        "Shitao--OmniGen-v1",
    ):
        assert not many.takes(f"models/Reference/{name}.jpg")


def test_no_two_entries_take_the_same_files(shipped: list[SourceEntry]) -> None:
    taken = Counter((source.repo.lower(), source.include, source.exclude, source.blobs) for source in shipped)
    assert [files for files, count in taken.items() if count > 1] == []


def test_first_test_set_is_unchanged(shipped: list[SourceEntry]) -> None:
    """Figures of different times are compared on it: its sources and how many pictures each gives do not change."""
    first = [source for source in shipped if source.test_set == "open_test_1"]
    assert len(first) == 30
    assert all(source.cap for source in first)


def test_no_entry_names_a_reserved_repository(
    shipped: list[SourceEntry], tmp_path: Path, monkeypatch
) -> None:  # type: ignore[no-untyped-def]
    assert not [source.id for source in shipped if is_reserved(source.repo)]
    digest = hashlib.sha256(b"some/detector-data").hexdigest()
    monkeypatch.setattr(reserved, "_hashes", lambda: frozenset({digest}))
    for name in ("some/detector-data", "Some/Detector-Data", "some/detector-data.git", "some/detector-data/"):
        path = write_manifest(tmp_path / "m.json", entry("one", "ai", name, "0" * 40))
        with pytest.raises(DataError, match=r"source 'one': .* reserved for independent evaluations"):
            load_manifest(path)


def test_the_list_of_reserved_repositories_is_of_hashes() -> None:
    assert len(reserved._hashes()) > 50
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in reserved._hashes())


def test_the_blob_lists_that_ship_can_be_read(shipped: list[SourceEntry]) -> None:
    listed = [source for source in shipped if source.blobs]
    assert listed
    for source in listed:
        pairs = read_blob_list(source)
        assert pairs, source.id
        assert all(re.fullmatch(r"[0-9a-f]{40}", blob) and path for blob, path in pairs), source.id


def test_missing_blob_list_error_names_the_path(tmp_path: Path) -> None:
    path = write_manifest(tmp_path / "m.json", entry("one", "ai", "o/n", "0" * 40, blobs="list.tsv"))
    with pytest.raises(DataError, match=r"'one': its list blobs/list\.tsv is missing beside .* a checkout"):
        read_blob_list(load_manifest(path)[0], path)


def test_no_repository_both_trains_and_measures_one_label(shipped: list[SourceEntry]) -> None:
    """open_test says how a model does on sources it never saw."""
    repos = {
        split: {(source.repo, source.label) for source in shipped if source.split == split}
        for split in ("train", "open_test")
    }
    assert not repos["train"] & repos["open_test"]


def test_only_stated_licences_are_permissive(shipped: list[SourceEntry]) -> None:
    permissive = [source for source in shipped if source.permissive]
    assert permissive
    for source in permissive:
        assert re.search(r"MIT|CC0|CC[ -]BY|Apache-2\.0|public domain|OGL|Unlicense", source.licence), (
            source.id
        )
        assert not re.search(r"GPL|\bNC\b|\bSA\b|research", source.licence), source.id


def plain(tmp_path: Path, **more: object) -> SourceEntry:
    path = write_manifest(tmp_path / "m.json", {**entry("one", "ai", "o/n", "0" * 40), **more})
    return load_manifest(path)[0]


def test_test_sets_are_of_open_test_and_edits_have_their_own(tmp_path: Path) -> None:
    assert plain(tmp_path).test_set == ""
    assert plain(tmp_path, split="open_test", test_set="open_test_2").test_set == "open_test_2"
    assert plain(tmp_path, split="open_test", test_set="edits", category="edit").test_set == "edits"
    for wrong in (
        {"test_set": "edits"},
        {"test_set": "open_test_2", "category": "edit"},
        {"test_set": "Open Test"},
        {"test_set": None},
    ):
        with pytest.raises(DataError, match="test_set"):
            plain(tmp_path, split="open_test", **wrong)


def test_edits_have_the_label_ai(tmp_path: Path) -> None:
    record = entry("one", "real", "o/n", "0" * 40, category="edit")
    with pytest.raises(DataError, match="label must be 'ai'"):
        load_manifest(write_manifest(tmp_path / "m.json", record))


def test_include_and_exclude(tmp_path: Path) -> None:
    source = plain(tmp_path, include=r"^out/.*\.png$", exclude="thumb")
    assert source.takes("out/a/1.png")
    assert not source.takes("out/a/1.jpg")
    assert not source.takes("out/thumb/1.png")
    assert plain(tmp_path).takes("anything.JPG")
    assert not plain(tmp_path).takes("anything.svg"), "not named as a picture"


def test_path_list_restricts_files(tmp_path: Path) -> None:
    source = plain(tmp_path, keep_paths=["a", "b"], drop_paths=["b"])
    assert [path for path in "abc" if source.narrows(path)] == ["a"]
    assert plain(tmp_path).narrows("c")


def test_groups_are_named_by_repository_and_prompt(tmp_path: Path) -> None:
    source = plain(tmp_path, group=r"renders/([^/]+)/")
    assert source.group_of("renders/a cat/1.png") == "o/n:a cat"
    assert source.group_of("elsewhere/1.png") is None
    assert plain(tmp_path, group="(^)").group_of("any") == "o/n:one", "the whole source is one group"
    assert plain(tmp_path).group_of("any") is None


@pytest.mark.parametrize(("field", "value"), [
    ("label", "robot"), ("split", "validation"), ("min_side", "large"), ("category", "pets"), ("confidence", "low"),
    ("generator", "a new one"), ("include", "(unclosed"), ("category", "edits"),
])  # fmt: skip
def test_invalid_field_error_names_the_source(field: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"source 'one': .*" + re.escape(value)):
        plain(tmp_path, **{field: value})


@pytest.mark.parametrize(
    "field",
    ["id", "label", "repo", "commit", "licence", "category", "shows", "era", "generator", "private_people"],
)
def test_a_missing_field_is_named(field: str, tmp_path: Path) -> None:
    record = entry("one", "ai", "o/n", "0" * 40)
    del record[field]
    with pytest.raises(DataError, match=field):
        load_manifest(write_manifest(tmp_path / "m.json", record))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sources": 3}', '{"sources": ["one"]}'])
def test_invalid_manifest_is_an_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"m\.json"):
        load_manifest(path)
