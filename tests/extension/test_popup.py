"""The toolbar popup, opened in a tab."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from testkit.pictures import encode, scene
from testkit.records import png_texts
from tests.support.golden_pictures import golden_picture
from tests.support.picture_site import Site

from .conftest import Extension, Start

pytestmark = pytest.mark.e2e
Sites = tuple[Site, Site]
AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="module")
def extension(start: Start) -> Extension:
    """Without host permissions, as installed."""
    return start()


def test_chosen_images_have_cards_with_verdicts(extension: Extension) -> None:
    popup = extension.popup()
    expect(popup.locator("#page")).to_be_hidden()  # no other page is open
    expect(popup.locator("#allowed")).to_contain_text("No site is allowed")
    note = png_texts({"parameters": "a cat\nSteps: 20, Sampler: Euler, Seed: 1, Model: x"})
    inputs = {
        "noted.png": note,
        "plain.jpg": encode(golden_picture(1, 640, 427), "JPEG"),
        "cut.jpg": note[:60],
    }
    files = [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in inputs.items()]
    popup.set_input_files("#files", files)  # type: ignore[arg-type]
    expect(popup.locator("article[aria-label='noted.png'] h2")).to_have_text(
        re.compile("^Made with .+says the file")
    )
    expect(popup.locator("article[aria-label='plain.jpg'] .meter")).to_be_visible()
    expect(popup.locator("article[aria-label='cut.jpg'] h2")).to_have_text("Could not be checked")
    with popup.expect_download() as saving:
        popup.locator("article[aria-label='noted.png']").get_by_role("button", name="Save a report").click()
        popup.get_by_role("button", name="Save the file").click()
    assert saving.value.suggested_filename == "noted.report.html"
    assert "a cat" in Path(saving.value.path()).read_text(encoding="utf-8")


def test_page_without_permission_is_not_scanned(extension: Extension, sites: Sites) -> None:
    """As a tab the popup has no activeTab permission: the page is unchanged and the popup says so."""
    sites[0].picture("/a.png", encode(scene(1), "PNG"))
    page = extension.context.new_page()
    page.goto(sites[0].page('<img src="/a.png" width=200>'))
    before = page.content()
    tab = extension.worker.evaluate("async () => (await chrome.tabs.query({})).map(({id}) => id)")
    popup = extension.context.new_page()
    popup.goto(f"{extension.root}popup.html?tab={tab[-1]}")
    popup.get_by_role("button", name="Check the pictures").click()
    expect(popup.get_by_text("does not allow extensions on this page")).to_be_visible()
    assert page.content() == before


def test_settings_are_kept(extension: Extension) -> None:
    popup = extension.popup()
    popup.get_by_text("Settings", exact=True).click()
    popup.locator("#mode").select_option("best-guess")
    popup.locator("#min-side").fill("200")
    popup.locator("#min-side").blur()
    again = extension.popup()
    again.get_by_text("Settings", exact=True).click()
    expect(again.locator("#mode")).to_have_value("best-guess")
    expect(again.locator("#min-side")).to_have_value("200")


@pytest.mark.parametrize("language", ["en", "he"])
def test_popup_is_accessible_in_both_languages(extension: Extension, language: str) -> None:
    popup = extension.popup(query=f"&lang={language}")
    assert popup.evaluate("[document.documentElement.lang, document.documentElement.dir]") == [
        language,
        "rtl" if language == "he" else "ltr",
    ]
    if language == "he":
        text = popup.locator("body").inner_text().replace("imageprocess", "").replace("English", "")
        assert not re.search(r"[A-Za-z]{4,}", text), text
    if AXE.is_file():
        popup.evaluate(AXE.read_text(encoding="utf-8"))
        violations = popup.evaluate(
            "axe.run({runOnly: ['wcag2a', 'wcag2aa']}).then(({violations}) => violations.map(({id}) => id))"
        )
        assert violations == []
