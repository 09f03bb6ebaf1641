"""The manifest that ships, and what a broken one says."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from imageprocess.data.manifest import SourceEntry, load_manifest, read_blob_list
from imageprocess.errors import DataError
from repositories import entry, write_manifest


@pytest.fixture(scope="module")
def shipped() -> list[SourceEntry]:
    return load_manifest()


def test_what_ships_is_complete(shipped: list[SourceEntry]) -> None:
    assert len({source.id for source in shipped}) == len(shipped)
    kinds = Counter((source.split, source.label) for source in shipped)
    assert set(kinds) == {(split, label) for split in ("train", "open_test") for label in ("ai", "real")}
    for source in shipped:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", source.repo), source.id
        assert re.fullmatch(r"[0-9a-f]{40}", source.commit), source.id
        assert re.fullmatch(r"[\w-]+", source.id), "it becomes a folder's name"
        assert source.origin and source.licence and source.category, source.id
        assert source.include or source.blobs, source.id
        for expression in filter(None, (source.include, source.exclude, source.group)):
            re.compile(expression)


def test_the_blob_lists_that_ship_can_be_read(shipped: list[SourceEntry]) -> None:
    listed = [source for source in shipped if source.blobs]
    assert listed
    for source in listed:
        pairs = read_blob_list(source)
        assert pairs, source.id
        assert all(re.fullmatch(r"[0-9a-f]{40}", blob) and path for blob, path in pairs), source.id


def test_no_repository_both_trains_and_measures_one_label(shipped: list[SourceEntry]) -> None:
    """open_test says how a model does on sources it never saw."""
    repos = {
        split: {(source.repo, source.label) for source in shipped if source.split == split}
        for split in ("train", "open_test")
    }
    assert not repos["train"] & repos["open_test"]


def test_permissive_is_said_of_stated_licences_only(shipped: list[SourceEntry]) -> None:
    permissive = [source for source in shipped if source.permissive]
    assert permissive
    for source in permissive:
        assert re.search(r"MIT|CC0|CC BY 4\.0|public domain|OGL", source.licence), source.id
        assert not re.search(r"GPL|\bNC\b|research", source.licence), source.id


def plain(tmp_path: Path, **more: object) -> SourceEntry:
    path = write_manifest(tmp_path / "m.json", {**entry("one", "ai", "o/n", "0" * 40), **more})
    return load_manifest(path)[0]


def test_include_and_exclude(tmp_path: Path) -> None:
    source = plain(tmp_path, include=r"^out/.*\.png$", exclude="thumb")
    assert source.takes("out/a/1.png")
    assert not source.takes("out/a/1.jpg")
    assert not source.takes("out/thumb/1.png")
    assert plain(tmp_path).takes("anything")


def test_path_lists_narrow(tmp_path: Path) -> None:
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
    ("label", "robot"), ("split", "validation"), ("min_side", "large"),
])  # fmt: skip
def test_a_wrong_field_names_its_source(field: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"source 'one' .*" + value):
        plain(tmp_path, **{field: value})


@pytest.mark.parametrize("field", ["id", "label", "repo", "commit", "licence", "cap", "grid"])
def test_a_missing_field_is_named(field: str, tmp_path: Path) -> None:
    record = entry("one", "ai", "o/n", "0" * 40)
    del record[field]
    with pytest.raises(DataError, match=field):
        load_manifest(write_manifest(tmp_path / "m.json", record))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sources": 3}', '{"sources": ["one"]}'])
def test_a_file_that_is_no_manifest(text: str, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"m\.json"):
        load_manifest(path)
