"""Results of private mode: table, CSV, evidence, printed report, wrong-verdict report, history."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from imageprocess.web import site
from testkit.pictures import encode, plain
from testkit.records import png_texts
from tests.support.browsing import Open, choose_private, saved_records

pytestmark = pytest.mark.e2e
ImageFiles = dict[str, Path]


def test_table_sorts_by_any_column(open_static: Open, image_files: ImageFiles) -> None:
    page = open_static().page
    choose_private(
        page,
        image_files["grey.webp"],
        image_files["bright.jpg"],
        image_files["dark.png"],
        image_files["notes.txt"],
    )

    names = page.locator("#rows th")
    expect(names).to_have_text(["grey.webp", "bright.jpg", "dark.png", "notes.txt"])
    page.get_by_role("button", name="Picture", exact=True).click()
    expect(names).to_have_text(["bright.jpg", "dark.png", "grey.webp", "notes.txt"])
    expect(page.locator("th[data-column=source]")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("button", name="Picture", exact=True).click()
    expect(names).to_have_text(["notes.txt", "grey.webp", "dark.png", "bright.jpg"])
    expect(page.locator("th[data-column=source]")).to_have_attribute("aria-sort", "descending")
    page.get_by_role("button", name="Size").click()
    expect(page.locator("th[data-column=size]")).to_have_attribute("aria-sort", "ascending")
    expect(names).to_have_text(["notes.txt", "grey.webp", "dark.png", "bright.jpg"])
    expect(page.locator("[aria-sort]")).to_have_count(1)
    page.get_by_role("link", name="dark.png").click()
    expect(page.get_by_role("article", name="dark.png")).to_be_in_viewport()


def test_saved_csv_has_no_formulas(open_static: Open) -> None:
    names = ["=cmd|' /C calc'!A0.png", "+1.png", "-1.png", "@sum.png", 'plain, "quoted".png']
    data = encode(plain(90), "PNG")
    page = open_static().page
    choose_private(page, *[{"name": name, "mimeType": "image/png", "buffer": data} for name in names])
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save as CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(saving.value.path()).read_text(encoding="utf-8"))))
    assert [row["source"] for row in rows] == [f"'{name}" for name in names[:4]] + names[4:]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


def test_generator_and_camera_metadata_are_shown(open_static: Open, tmp_path: Path) -> None:
    text = "a lighthouse\nNegative prompt: fog\nSteps: 20, Sampler: Euler a, Seed: 1, Model: m, Size: 320x240"
    path = tmp_path / "noted.png"
    path.write_bytes(png_texts({"parameters": text}))
    street = site.WEB / "assets/samples/street.jpg"
    page = open_static().page
    choose_private(page, path, street)
    noted = page.get_by_role("article", name="noted.png")
    expect(noted.get_by_role("heading")).to_have_text(
        "Made with Stable Diffusion web UI, according to the file"
    )
    noted.locator(".evidence > summary").click()
    for words in ("a lighthouse", "fog", "Euler a", "It proves:", "It does not prove:", "anyone can copy"):
        expect(noted.locator(".evidence").get_by_role("listitem").first).to_contain_text(words)
    noted.get_by_text("Settings").click()
    expect(noted.locator(".evidence").get_by_role("listitem").first).to_contain_text("320x240")
    expect(noted.locator(".evidence")).to_contain_text("Signatures are not verified in the browser")
    camera = page.get_by_role("article", name="street.jpg")
    camera.locator(".evidence > summary").click()
    for words in ("Example Camera 3", "1/60 s", "f/1.8", "1600"):
        expect(camera.locator(".evidence").get_by_role("listitem").nth(1)).to_contain_text(words)


def test_printed_report_contains_one_image(open_static: Open, image_files: ImageFiles) -> None:
    page = open_static().page
    page.evaluate("window.print = () => { window.printed = true; }")
    choose_private(page, image_files["bright.jpg"], image_files["dark.png"])
    card = page.get_by_role("article", name="dark.png")
    card.get_by_role("button", name="Print a report").click()
    assert page.evaluate("window.printed")
    page.emulate_media(media="print")
    expect(page.get_by_role("article", name="bright.jpg")).to_be_hidden()
    expect(
        page.locator("header, footer, #results, .history, .tools, h1").locator("visible=true")
    ).to_have_count(0)
    report = card.locator(".report")
    expect(report).to_contain_text("A verdict is an estimate with its evidence, not a proof.")
    expect(report).to_contain_text(saved_sha256(page, "dark.png"))
    expect(card.locator(".evidence").get_by_role("listitem").first).to_be_visible()  # evidence is unfolded
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    expect(page.get_by_role("article", name="bright.jpg")).to_be_visible()
    expect(card.locator(".report")).to_have_count(0)
    expect(card.locator(".evidence").get_by_role("listitem").first).to_be_hidden()


def saved_sha256(page: Page, name: str) -> str:
    page.emulate_media(media="screen")
    printing = page.evaluate("document.body.classList.contains('printing')")
    records = {record["source"]: record for record in saved_records(page)}
    page.emulate_media(media="print")
    assert printing
    return str(records[name]["sha256"])


def test_wrong_verdict_report_omits_image(open_static: Open, image_files: ImageFiles) -> None:
    page = open_static(permissions=["clipboard-read", "clipboard-write"]).page
    choose_private(page, image_files["bright.jpg"])
    sha256 = saved_records(page)[0]["sha256"]
    page.get_by_role("button", name="Wrong verdict?").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("textbox")).to_have_value(re.compile("probability_ai"))
    text = dialog.get_by_role("textbox").input_value()
    assert re.search(r"decided by \w+, probability_ai 0\.\d{4}, mode balanced", text)
    assert "JPEG, 600 x 400" in text and "in the browser" in text
    assert "bright" not in text and sha256 not in text
    dialog.get_by_role("button", name="Copy the text").click()
    expect(dialog.get_by_role("status")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == text
    dialog.get_by_role("textbox").fill("It is my own photo & more")
    link = dialog.get_by_role("link", name="Open as an issue")
    expect(link).to_have_attribute("href", re.compile(r"It\+is\+my\+own\+photo\+%26\+more"))
    expect(link).to_have_attribute("href", re.compile(r"^https://issues\.example/new\?title=Wrong\+verdict"))
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_history_is_opt_in_and_can_be_cleared(open_static: Open, image_files: ImageFiles) -> None:
    page = open_static().page
    choose_private(page, image_files["bright.jpg"])
    switch = page.get_by_role("checkbox", name="Keep a history in this browser")
    expect(switch).not_to_be_checked()
    expect(page.locator("#history-list li")).to_have_count(0)
    stored = "indexedDB.databases().then((all) => all.map(({ name }) => name))"
    assert page.evaluate(stored) == []  # no database is created
    switch.check()
    expect(page.locator("#history-count")).to_have_text("Nothing is stored yet.")
    choose_private(page, image_files["dark.png"], image_files["notes.txt"])
    expect(page.locator("#history-count")).to_have_text("2 pictures")
    page.reload()
    expect(page.locator("#history-list li")).to_have_count(2)
    expect(page.locator("#history-list li").last).to_contain_text("dark.png")
    page.get_by_role("button", name="Clear the history").click()
    expect(page.locator("#history-list li")).to_have_count(0)
    choose_private(page, image_files["dark.png"])
    expect(page.locator("#history-count")).to_have_text("1 picture")
    switch.uncheck()
    page.reload()
    page.wait_for_load_state("networkidle")
    expect(page.locator("#history-list li")).to_have_count(0)
