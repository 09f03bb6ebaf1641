"""Reviewing many verdicts on the page; labels are saved and imported by `imageprocess data import`."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from testkit.pictures import encode, plain
from tests.support.browsing import PHONE, Open, choose_files, choose_private, run_check

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def eight_images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """For the tiny model bright is AI, dark is real, grey is unsure. Two files share a name."""
    folder = tmp_path_factory.mktemp("eight")
    details = {
        "a.png": 250,
        "b.png": 245,
        "c.png": 240,
        "d.png": 5,
        "e.png": 10,
        "grey.png": 128,
        "two/a.png": 3,
    }
    for name, brightness in details.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(encode(plain(brightness, 60 + brightness, 80), "PNG"))
    (folder / "notes.txt").write_bytes(b"not a picture")
    return [folder / name for name in (*details, "notes.txt")]


def _expect_names(page: Page, *names: str) -> None:
    expect(page.locator("#rows th bdi")).to_have_text(list(names))


def _open_review(page: Page) -> None:
    page.locator("#review-on").click()
    expect(page.locator("#review")).to_be_visible()


def _save(page: Page) -> tuple[Path, zipfile.ZipFile, list[dict[str, str]]]:
    with page.expect_download() as saving:
        page.locator("#save-marks").click()
    assert saving.value.suggested_filename == "imageprocess-review.zip"
    path = Path(saving.value.path())
    archive = zipfile.ZipFile(path)
    assert archive.testzip() is None
    rows = list(csv.DictReader(io.StringIO(archive.read("marks.csv").decode())))
    return path, archive, rows


def _import(zipped: Path, out: Path) -> list[dict[str, str]]:
    command = [
        sys.executable,
        "-m",
        "imageprocess",
        "data",
        "import",
        str(zipped),
        "--out",
        str(out),
        "--name",
        "review",
    ]
    ran = subprocess.run([*command, "--jobs", "1"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return list(csv.DictReader((out / "index.csv").open(newline="")))


def test_table_filters_and_sorts_by_grade(open_page: Open, eight_images: list[Path]) -> None:
    page = open_page().page
    choose_files(page, *eight_images)
    run_check(page)
    expect(page.locator("#rows tr")).to_have_count(8)
    expect(page.locator("#filter option")).to_have_text(
        [
            "All results (8)",
            "Very likely AI-made (3)",
            "Cannot tell (1)",
            "Very likely real (3)",
            "Could not be checked (1)",
        ]
    )
    page.locator("#filter").select_option("very_likely_real")
    _expect_names(page, "d.png", "e.png", "a.png")
    page.locator("#filter").select_option("failed")
    _expect_names(page, "notes.txt")
    page.locator("#filter").select_option("")
    page.get_by_role("button", name="Verdict", exact=True).click()
    _expect_names(page, "a.png", "b.png", "c.png", "grey.png", "d.png", "e.png", "a.png", "notes.txt")
    expect(page.locator(".mark").first).to_be_hidden()


@pytest.mark.parametrize("private", [False, True])
def test_review_labels_are_saved_as_importable_folder(
    open_page: Open, open_static: Open, eight_images: list[Path], tmp_path: Path, private: bool
) -> None:
    page = (open_static if private else open_page)().page
    if private:
        choose_private(page, *eight_images)
    else:
        choose_files(page, *eight_images)
        run_check(page)
    _open_review(page)
    expect(page.get_by_role("button", name="Save the marks")).to_be_disabled()
    expect(page.get_by_label("Show only")).to_be_visible()
    expect(page.locator("#rows tr", has_text="notes.txt").locator(".mark-as")).to_have_count(0)
    rows = page.locator("#rows tr")
    for place in range(7):
        rows.nth(place).locator(".mark-as").nth(place % 2).click()
    rows.nth(6).locator(".mark-as").nth(0).click()  # undone
    expect(page.locator("#marked")).to_contain_text(
        "6 pictures marked." if private else "6 pictures marked. Right answers: 3, wrong ones: 2."
    )
    path, archive, message = _save(page)
    assert len(message) == 6 and len(archive.namelist()) == 7
    for place, row in enumerate(message):
        side = row["grade"].rsplit("_", 1)[1]
        expected = ("agree", "disagree")[place % 2] if side in ("ai", "real") else "told"
        assert row["mark"] == expected
        if expected != "told":
            assert (row["truth"] == side) == (expected == "agree")
        assert (
            row["file"].startswith(f"{row['truth']}/")
            and archive.read(row["file"]) == eight_images[place].read_bytes()
        )
        assert row["source"] == eight_images[place].name and row["mode"] == "balanced"
    index = _import(path, tmp_path / "set")
    assert {row["sha256"]: row["label"] for row in index} == {row["sha256"]: row["truth"] for row in message}


def test_row_is_labelled_by_keyboard(open_page: Open, eight_images: list[Path]) -> None:
    page = open_page().page
    choose_files(page, *eight_images)
    run_check(page)
    _open_review(page)
    first = page.locator("#rows tr").first
    first.get_by_role("link").focus()
    page.keyboard.press("1")
    expect(first.get_by_role("button", name="I agree: a.png")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("2")
    second = page.locator("#rows tr").nth(1)
    expect(second.get_by_role("button", name="I don’t: b.png")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("2")  # undone
    expect(second.locator("[aria-pressed=true]")).to_have_count(0)
    for _ in range(9):
        page.keyboard.press("ArrowDown")
    expect(
        page.locator("#rows tr").nth(6).locator(".mark-as").first
    ).to_be_focused()  # the last row that can be labelled
    page.locator("#review-on").click()
    page.keyboard.press("1")
    expect(page.locator("#marked")).to_contain_text("1 picture marked.")
    expect(page.locator(".mark").first).to_be_hidden()


def test_label_survives_mode_change(open_page: Open, eight_images: list[Path]) -> None:
    page = open_page().page
    choose_files(page, *eight_images[4:6])
    run_check(page)
    _open_review(page)
    grey = page.locator("#rows tr", has_text="grey.png")
    expect(grey.locator(".mark-as")).to_have_text(["AI-made", "Real"])
    grey.get_by_role("button", name="Real: grey.png").click()
    expect(page.locator("#marked")).to_contain_text("only pictures of one kind")
    page.locator("#mode").select_option("best-guess")
    expect(grey.locator(".mark-as")).to_have_text(["I agree", "I don’t"])
    expect(grey.locator("[aria-pressed=true]")).to_have_count(1)
    _, _, message = _save(page)
    assert [(row["truth"], row["mode"]) for row in message] == [("real", "best-guess")]


def test_review_on_phone_and_in_hebrew(open_page: Open, eight_images: list[Path]) -> None:
    page = open_page("predict.html?lang=he", viewport=PHONE).page
    choose_files(page, *eight_images)
    page.locator("#run").click()
    expect(page.locator("#rows tr")).to_have_count(8)
    expect(page.locator("#review-on")).to_have_text("סקירת התשובות")
    _open_review(page)
    row = page.locator("#rows tr").first
    row.locator(".mark-as").first.scroll_into_view_if_needed()
    expect(row.locator(".mark-as")).to_have_count(2)
    for button in row.locator(".mark-as").all():
        box = button.bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"], box
    name = row.locator("th bdi")
    start = name.evaluate(
        "(bdi) => bdi.getBoundingClientRect().left - bdi.closest('th').getBoundingClientRect().left"
    )
    assert start >= 0  # long names are truncated at the end
    expect(page.locator("#results")).not_to_contain_text("review.")
    row.get_by_role("button", name="לא נכון: a.png").click()
    expect(page.locator("#marked")).to_contain_text("שגויות: 1")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_exported_file_name_has_no_path(open_page: Open, tmp_path: Path) -> None:
    page = open_page().page
    names = ["=1+1.png", "..\\..\\x.png", "שלום <b>.png", "con:?.png", ".hidden.png"]
    page.set_input_files(
        "#files",
        [
            {
                "name": name,
                "mimeType": "image/png",
                "buffer": encode(plain(250 if i % 2 else 5, 70 + i, 60), "PNG"),
            }
            for i, name in enumerate(names)
        ],
    )
    run_check(page)
    _open_review(page)
    expect(page.locator("#rows tr")).to_have_count(len(names))
    for row in page.locator("#rows tr").all():
        row.locator(".mark-as").first.click()
    path, archive, message = _save(page)
    assert all("\\" not in name and ".." not in name.split("/") for name in archive.namelist())
    assert message[0]["source"] == "'=1+1.png"
    assert len(_import(path, tmp_path / "set")) == 5
