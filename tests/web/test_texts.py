"""English and Hebrew texts: complete, with the same placeholders, used, and not swapped."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from imageprocess.types import GRADES
from imageprocess.web import site

TEXTS = site.WEB / "assets/texts"
EN: dict[str, str] = {}
HE: dict[str, str] = {}
for language, texts in (("en", EN), ("he", HE)):
    for part in TEXTS.glob(f"*{language}.json"):
        texts |= json.loads(part.read_text("utf-8"))
SOURCES = [*site.WEB.glob("*.html"), *site.WEB.glob("assets/js/*.js")]


def _marked() -> dict[str, str]:
    """Key -> English text in the pages."""
    texts = {}
    for path in site.WEB.glob("*.html"):
        page = path.read_text("utf-8")
        texts |= dict(re.findall(r'data-t="([^"]+)"[^>]*>([^<]*)<', page))
        texts |= {key: text for text, key in re.findall(r'aria-label="([^"]+)" data-t-label="([^"]+)"', page)}
    return texts


def test_every_english_text_has_hebrew() -> None:
    missing = {key for key in {**EN, **_marked()} if key not in HE}
    assert missing == set()


def test_placeholders_match() -> None:
    def places(text: str) -> set[str]:
        return set(re.findall(r"{(\w+)}", text))

    assert [key for key in EN if places(EN[key]) != places(HE[key]) and not key.endswith(".one")] == []


def test_every_text_key_in_scripts_exists() -> None:
    named = set()
    for path in SOURCES:
        named |= set(re.findall(r"""\bt\("([a-z][\w.-]+)\"""", path.read_text("utf-8")))
    assert len(named) > 50
    assert {key for key in named if key not in EN} == set()
    assert {key for key in named if key not in HE} == set()


def test_no_unused_texts() -> None:
    """Every text is referenced by a page or script, by its key or its prefix."""
    code = "\n".join(path.read_text("utf-8") for path in SOURCES)
    keys = set(re.findall(r"[\"`]([a-z][\w.-]*)", code))
    unused = [
        key for key in EN if not any(key == name or key.startswith(name.rstrip(".") + ".") for name in keys)
    ]
    assert unused == []


@pytest.mark.parametrize(
    "kind", ["iptc", "iptc.credit", "exif", "generator_metadata", "watermark", "watermark.nothing"]
)
def test_proves_and_does_not_prove_are_not_swapped(kind: str) -> None:
    """ "Anyone could have written, copied or typed it" is never listed under what an item proves."""
    doubt = re.compile("כל אחד יכול|אפשר להעתיק|קל להעתיק|אפשר לכתוב|אינו מכריע")
    assert not doubt.search(HE[f"proves.{kind}"])
    assert HE[f"proves.{kind}"].startswith("ש")  # "that ...", as in English
    assert HE[f"proves.{kind}"] != HE[f"proves-not.{kind}"]
    if kind != "watermark.nothing":
        assert doubt.search(HE[f"proves-not.{kind}"])


def test_page_texts_name_no_command() -> None:
    command = re.compile(r"\b(pip install|imageprocess (trust|detect|serve)|make (web|serve))\b")
    for name, texts in (("en", EN), ("he", HE)):
        assert [key for key, text in texts.items() if command.search(text)] == [], name
    python = "\n".join(path.read_text("utf-8") for path in Path(site.WEB.parent, "provenance").rglob("*.py"))
    claims = re.findall(r'f?"[^"\n]*(?:pip install|run “imageprocess|run: imageprocess)[^"\n]*"', python)
    assert all(
        "no trust list" in claim or "correct it" in claim for claim in claims
    )  # errors of the command line


def test_every_verdict_row_has_texts_in_both_languages() -> None:
    """Reasons are English in the table with Hebrew texts; grades and advice are texts in both languages."""
    table = json.loads((site.WEB.parent / "verdict.json").read_text("utf-8"))
    reasons = [f"reason.{row['row']}" for row in table["rows"]] + [
        f"reason.{name}" for name in table["asides"]
    ]
    assert [key for key in reasons if key not in HE] == []
    english = {f"reason.{row['row']}": row["reason"] for row in table["rows"]} | {
        f"reason.{name}": text for name, text in table["asides"].items()
    }
    places = re.compile(r"{(\w+)}")
    assert [key for key in reasons if set(places.findall(english[key])) != set(places.findall(HE[key]))] == []
    advised = {f"advice.{name}" for row in table["rows"] for name in row["advice"]}
    graded = {f"grade.{grade}" for grade in GRADES}
    for texts in (EN, HE):
        assert (advised | graded) - texts.keys() == set()
        assert len({texts[key] for key in graded}) == len(graded)
