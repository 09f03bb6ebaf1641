"""Hebrew texts with Latin words and numbers: visual order, and camera names as in Python."""

from __future__ import annotations

import pytest

from imageprocess.provenance.camera import read_camera
from imageprocess.provenance.exif import Exif
from tests.support.browsing import Open

pytestmark = pytest.mark.e2e


def test_number_after_latin_word_keeps_order_in_hebrew(open_static: Open) -> None:
    """Right to left: "AI" stands to the right of the number that follows it, with the punctuation between them."""
    page = open_static("predict.html?lang=he").page
    placed = page.evaluate(
        """async () => {
            const { t } = await import("./assets/js/i18n.js");
            const texts = [
                [t("measured.ai", { count: 58 }), " 163 תמונות"],
                [t("finished.grade", { grade: "מעשה AI", count: 1 }), ", כנראה"],
            ];
            return texts.map((parts) => {
                const line = document.createElement("p");
                line.style.cssText = "white-space: nowrap; position: absolute";
                line.textContent = parts.join("");
                document.body.append(line);
                const at = (text) => {
                    const range = document.createRange();
                    const start = line.textContent.lastIndexOf(text);
                    range.setStart(line.firstChild, start);
                    range.setEnd(line.firstChild, start + text.length);
                    return range.getBoundingClientRect().left;
                };
                return [at("AI"), at(parts[1].includes("163") ? "163" : "1")];
            });
        }"""
    )
    for word, number in placed:
        assert word > number


@pytest.mark.parametrize(
    ("make", "model"),
    [
        ("Example", "Example Camera 3"),
        ("NIKON CORPORATION", "NIKON D90"),
        ("Canon", "EOS 5D"),
        ("", "X100"),
        ("LG", ""),
    ],
)
def test_camera_is_named_once(open_static: Open, make: str, model: str) -> None:
    page = open_static("predict.html?lang=he").page
    actual = page.evaluate(
        """async (detail) => (await import("./assets/js/wording.js")).claim(
            { kind: "exif", trust: "unsigned", points_to: "real", detail, claim: "" })""",
        {"make": make or None, "model": model or None},
    )
    (item,) = read_camera(Exif(texts={"Make": make, "Model": model}, numbers={}))
    name = item.claim.removeprefix("EXIF names a camera: ").rstrip(".")
    assert actual.rstrip(".\u200f").endswith(f": {name}") and actual.count(name) == 1
