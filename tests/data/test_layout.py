"""Which folders mean what."""

from __future__ import annotations

import pytest

from imageprocess.data.layout import Place, arrange
from imageprocess.errors import DataError


def places(*names: str) -> dict[str, Place]:
    return dict(arrange(names, "set")[0])


def test_ai_and_real() -> None:
    assert places("ai/1.png", "real/2.png") == {
        "ai/1.png": Place("ai", None, None),
        "real/2.png": Place("real", None, None),
    }


@pytest.mark.parametrize(("split", "ours"), [
    ("train", "train"), ("val", "val"), ("valid", "val"), ("validation", "val"), ("test", "test"), ("TEST", "test"),
])  # fmt: skip
@pytest.mark.parametrize("ai", ["ai", "fake", "FAKE", "Ai"])
def test_splits_and_spellings(split: str, ours: str, ai: str) -> None:
    placed = places(f"{split}/{ai}/1.png", f"{split}/REAL/2.png")
    assert placed[f"{split}/{ai}/1.png"] == Place("ai", ours, None)
    assert placed[f"{split}/REAL/2.png"] == Place("real", ours, None)


def test_the_folder_below_the_class_is_the_origin() -> None:
    placed = places("ai/Some-Generator/deep/er/1.png", "train-set.txt", "real/2.png")
    assert placed["ai/Some-Generator/deep/er/1.png"].origin == "Some-Generator"


@pytest.mark.parametrize("wrapper", ["my set", "a/b/c", "Images"])
def test_parent_folders_are_ignored(wrapper: str) -> None:
    placed = places(f"{wrapper}/ai/1.png", f"{wrapper}/real/2.png", f"{wrapper}/README.md", "note.txt")
    assert {place.label for place in placed.values()} == {"ai", "real"}
    assert len(placed) == 2


def test_layout_with_one_class_is_recognised() -> None:
    assert places("ai/x/1.png", "ai/x/2.png")["ai/x/1.png"] == Place("ai", None, "x")


def test_unexpected_files_are_reported_and_system_files_ignored() -> None:
    placed, unplaced = arrange(
        [
            "ai/1.png",
            "real/2.png",
            "other/3.png",
            "4.png",
            ".git/5.png",
            "ai/.DS_Store",
            "__MACOSX/ai/1.png",
            "ai/Thumbs.db",
        ],
        "set",
    )
    assert [name for name, _ in placed] == ["ai/1.png", "real/2.png"]
    assert unplaced == ["4.png", "other/3.png"]


def test_held_out_pictures_come_first() -> None:
    placed, _ = arrange([f"{s}/{k}/1.png" for s in ("train", "val", "test") for k in ("real", "ai")], "set")
    assert [place.split for _, place in placed] == ["test", "test", "val", "val", "train", "train"]


@pytest.mark.parametrize(
    "names", [[], ["1.png"], ["cats/1.png", "dogs/2.png"], ["train/1.png", "train/cats/2.png"]]
)
def test_unknown_layout_error_states_the_expected_layouts(names: list[str]) -> None:
    with pytest.raises(DataError, match=r"^set: .*ai/ and real/"):
        arrange(names, "set")


def test_a_mixture_of_layouts_names_the_file_outside() -> None:
    with pytest.raises(DataError, match=r"^set: ai/1\.png is outside"):
        arrange(["ai/1.png", "train/ai/2.png", "train/real/3.png"], "set")
