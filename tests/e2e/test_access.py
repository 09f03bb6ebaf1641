"""Accessibility: axe-core in both languages and colour schemes, on every page and state; keyboard, forced colours."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from imageprocess.web import site
from tests.support.browsing import DESKTOP, PHONE, Open, choose_files, choose_private, run_check

pytestmark = pytest.mark.e2e
ImageFiles = dict[str, Path]
AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
SHOTS = Path(__file__).parent / "screenshots"  # for review; not committed
SAMPLES = site.WEB / "assets/samples"
LOCALES = {"en": "en-US", "he": "he-IL"}


@cache
def _axe() -> str:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: run `npm ci`")
    return AXE.read_text(encoding="utf-8")


def _violations(page: Page) -> list[str]:
    page.evaluate(_axe())
    violations = page.evaluate(
        "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)"
    )
    return [
        f"{one['id']}: {one['help']}: {node['html'][:200]}" for one in violations for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", LOCALES)
def test_axe_reports_no_violations(open_static: Open, language: str, scheme: str) -> None:
    def opened(name: str, viewport: dict[str, int] = DESKTOP) -> Page:
        page = open_static(name, locale=LOCALES[language], color_scheme=scheme, viewport=viewport).page
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.locator("html")).to_have_attribute("dir", "rtl" if language == "he" else "ltr")
        return page

    def shot(page: Page, name: str) -> None:
        SHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SHOTS / f"{name}-{language}-{scheme}.png", full_page=True)

    page = opened("index.html")
    page.locator(".sample").first.click()
    page.locator(".sheet button").nth(5).click()
    page.locator("#tried .evidence > summary").click()
    assert _violations(page) == []
    shot(page, "index")
    page = opened("predict.html")
    assert _violations(page) == []
    page.locator("#history-keep").check()
    _with_verdicts(page, SAMPLES / "lake.png", SAMPLES / "street.jpg", Path(__file__))
    expect(page.locator("#cards .evidence > summary")).to_have_count(2)  # a file that is no image has none
    for summary in page.locator("#cards .evidence > summary").all():
        summary.click()
    page.locator("#cards .heat-controls input").first.check()
    page.locator(".sort").nth(1).click()
    assert _violations(page) == []
    shot(page, "predict")
    page.locator(".actions button").nth(1).click()
    assert _violations(page) == []
    assert _violations(opened("docs.html")) == []
    phone = opened("predict.html", PHONE)
    _with_verdicts(phone, SAMPLES / "spheres.webp")
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert _violations(phone) == []
    shot(phone, "phone")


def _with_verdicts(page: Page, *files: Path) -> None:
    page.set_input_files("#files", list(files))
    expect(page.locator("#cards [data-state=done]")).to_have_count(len(files))
    expect(page.locator("#rows tr")).to_have_count(len(files))


def test_axe_on_service_with_key_and_api_page(open_page: Open) -> None:
    for name in ("predict.html", "docs.html"):
        page = open_page(name).page
        page.evaluate("document.querySelector('#key-form')?.removeAttribute('hidden')")
        assert _violations(page) == []


def test_forced_colours_keep_bar_and_selection_visible(open_page: Open, image_files: ImageFiles) -> None:
    """With forced colours, backgrounds and shadows of the page are dropped."""
    page = open_page(forced_colors="active").page
    choose_files(page, image_files["bright.jpg"])
    run_check(page)
    assert page.locator(".track").evaluate("track => getComputedStyle(track).backgroundImage") != "none"
    page.evaluate("document.getElementById('where').hidden = false")
    chosen, other = (
        page.locator(f"#where-{where} + span").evaluate(
            """span => {
                const { outlineStyle, outlineColor } = getComputedStyle(span);
                return outlineStyle !== "none" && !outlineColor.startsWith("rgba");
            }"""
        )
        for where in ("service", "browser")
    )
    assert chosen and not other


def test_language_from_browser_or_choice_is_kept(open_static: Open, image_files: ImageFiles) -> None:
    page = open_static(locale="he-IL").page
    expect(page.get_by_role("heading", level=1)).to_have_text("האם התמונה נוצרה ב־AI?")
    choose_hebrew = page.locator("#language")
    expect(choose_hebrew).to_have_text("English")
    choose_hebrew.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Was it made by an AI?")
    page.goto(page.url.partition("?")[0])
    expect(page.get_by_role("heading", level=1)).to_have_text("Was it made by an AI?")  # kept
    page.locator("#language").click()
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    _with_verdicts(page, SAMPLES / "lake.png", image_files["notes.txt"], image_files["scan.tif"])
    for text in ("נוצרה עם Example Generator", "אישורי התוכן שבקובץ", "TIFF"):
        expect(page.locator("#cards")).to_contain_text(text)
    page.locator("#cards .evidence > summary").first.click()
    words = page.locator("#cards .evidence").first
    expect(words).to_contain_text("שום דבר ממה שנאמר בהם")
    for english in ("It proves", "That the"):
        expect(words).not_to_contain_text(english)


def test_exports_are_in_english(open_static: Open) -> None:
    """Records and files are for programs and other people: the same in every language of the page."""
    page = open_static(locale="he-IL").page
    _with_verdicts(page, SAMPLES / "lake.png")
    with page.expect_download() as saving:
        page.locator("#json").click()
    assert "was made by generative AI" in Path(saving.value.path()).read_text(encoding="utf-8")


def test_keyboard_alone_in_private_mode(open_static: Open, image_files: ImageFiles) -> None:
    page = open_static().page
    choose_private(page, image_files["bright.jpg"], image_files["dark.png"])
    page.locator("#files").focus()
    for control in (
        page.get_by_label("Show where the model looked").first,
        page.get_by_role("button", name="Print a report").first,
        page.get_by_role("button", name="Wrong verdict?").first,
        page.get_by_role("button", name="Save as CSV"),
        page.get_by_role("button", name="Verdict", exact=True),
    ):
        for _ in range(40):
            page.keyboard.press("Tab")
            if control.evaluate("element => element === document.activeElement"):
                break
        expect(control).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("th[data-column=verdict]")).to_have_attribute("aria-sort", "ascending")


@pytest.mark.parametrize("language", ["en", "he"])
def test_accuracy_table_fits_phone(open_static: Open, language: str) -> None:
    page = open_static(f"index.html?lang={language}", viewport=PHONE).page
    page.locator("#measured-rows tr").first.wait_for()
    assert page.evaluate("document.querySelector('#measured').scrollWidth") <= PHONE["width"] - 30
    broken = page.evaluate(
        """[...document.querySelectorAll("#measured :is(th, td)")].flatMap((cell) => {
            const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), split = [];
            for (let text; (text = walker.nextNode()); )
                for (const { 0: word, index } of text.data.matchAll(/[^\\s\\u2013-]+/g)) {
                    const range = document.createRange();
                    range.setStart(text, index);
                    range.setEnd(text, index + word.length);
                    const tops = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
                    if (tops.size > 1) split.push(word);
                }
            return split;
        })"""
    )
    assert broken == []
