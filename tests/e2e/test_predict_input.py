"""Inputs of predict.html: drop, paste, keyboard, phone, and inputs that are not images."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import PHONE, Open, choose_files, run_check

pytestmark = pytest.mark.e2e
ImageFiles = dict[str, Path]


def test_non_image_input_gets_message(open_page: Open, tmp_path: Path) -> None:
    page = open_page().page
    paste = """text => {
        const data = new DataTransfer();
        data.setData("text/plain", text);
        document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
    }"""
    page.evaluate(paste, "https://pictures.example/a.jpg")
    expect(page.locator("#problem")).to_contain_text("That is a link")
    page.evaluate(paste, "hello")
    expect(page.locator("#problem")).to_have_text("There is no picture in what was pasted.")
    page.evaluate(
        """() => {
            const dataTransfer = new DataTransfer();
            dataTransfer.setData("text/uri-list", "https://pictures.example/a.jpg");
            window.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }"""
    )
    expect(page.locator("#problem")).to_contain_text("That is a link")
    (tmp_path / "empty.png").write_bytes(b"")
    choose_files(page, tmp_path / "empty.png")
    run_check(page)
    expect(page.locator(".reason")).to_have_text("The file is empty.")


def test_verdict_precedes_controls_on_phone(open_page: Open, image_files: ImageFiles) -> None:
    page = open_page(viewport=PHONE).page
    choose_files(page, image_files["bright.jpg"])
    run_check(page)
    boxes = [page.locator(name).bounding_box() for name in ("h2.verdict", "#run", "#results")]
    tops = [box["y"] for box in boxes if box]
    assert len(tops) == 3 and tops == sorted(tops)


def test_drop_image_anywhere(open_page: Open, image_files: ImageFiles) -> None:
    page = open_page().page
    data = list(image_files["dark.png"].read_bytes())
    transfer = page.evaluate_handle(
        """data => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(data)], "dropped.png", {type: "image/png"}));
            return transfer;
        }""",
        data,
    )
    page.dispatch_event("footer", "dragover", {"dataTransfer": transfer})
    expect(page.locator("body")).to_have_class(re.compile("dropping"))
    page.dispatch_event("footer", "drop", {"dataTransfer": transfer})
    expect(page.locator("body")).not_to_have_class(re.compile("dropping"))
    run_check(page)
    expect(page.get_by_role("article", name="dropped.png").get_by_role("heading")).to_have_text(
        "Very likely real"
    )


def test_paste_image(open_page: Open, image_files: ImageFiles) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"]).page
    page.evaluate(
        """async data => {
            const blob = new Blob([new Uint8Array(data)], {type: "image/png"});
            await navigator.clipboard.write([new ClipboardItem({"image/png": blob})]);
        }""",
        list(image_files["dark.png"].read_bytes()),
    )
    page.keyboard.press("Control+V")
    expect(page.get_by_role("article")).to_have_count(1)
    run_check(page)
    expect(page.locator("h2.verdict")).to_have_text("Very likely real")


def test_start_over_clears_everything(open_page: Open, image_files: ImageFiles) -> None:
    page = open_page().page
    choose_files(page, image_files["bright.jpg"], image_files["dark.png"])
    run_check(page)
    page.get_by_role("button", name="Start over").click()
    expect(page.get_by_role("article")).to_have_count(0)
    expect(page.locator("#results")).to_be_hidden()
    expect(page.get_by_role("status")).to_be_empty()
    expect(page.get_by_role("heading", name="Drop pictures anywhere")).to_be_visible()
    choose_files(page, image_files["bright.jpg"])  # the same file again
    expect(page.get_by_role("article")).to_have_count(1)


def test_remove_one_image(open_page: Open, image_files: ImageFiles) -> None:
    page = open_page().page
    choose_files(page, image_files["bright.jpg"], image_files["dark.png"])
    run_check(page)
    page.get_by_role("button", name="Remove bright.jpg").click()
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.locator("tbody tr")).to_have_count(1)


def test_keyboard_only(open_page: Open, image_files: ImageFiles) -> None:
    page = open_page().page
    page.on(
        "filechooser", lambda chooser: None
    )  # registered early: Chromium reports the chooser with a delay
    expect(_tab_to(page, "Choose pictures")).to_be_focused()
    with page.expect_file_chooser() as choosing:
        page.keyboard.press("Enter")
    choosing.value.set_files(image_files["bright.jpg"])
    expect(page.get_by_role("button", name="Check picture")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h2.verdict")).to_have_text("Very likely AI-made")
    box = _tab_to(page, "Show where the model looked")
    page.keyboard.press("Space")
    expect(box).to_be_checked()
    slider = _tab_to(page, "Opacity")
    page.keyboard.press("End")
    expect(slider).to_have_value("100")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".evidence").get_by_role("listitem")).to_be_visible()
    _tab_to(page, "Start over", back=True)
    page.keyboard.press("Enter")
    expect(page.get_by_role("article")).to_have_count(0)
    expect(page.get_by_label("Choose pictures")).to_be_focused()


def _tab_to(page: Page, name: str, back: bool = False) -> Any:
    target = page.get_by_label(name).or_(page.get_by_role("button", name=name)).first
    for _ in range(20):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        if target.evaluate("element => element === document.activeElement"):
            return target
    raise AssertionError(f"{name} is not reachable by Tab")


def test_phone_layout(open_page: Open, image_files: ImageFiles) -> None:
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True).page
    choose_files(page, image_files["bright.jpg"], image_files["dark.png"])
    run_check(page)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    card = page.get_by_role("article", name="bright.jpg")
    picture, finding = card.locator(".frame").bounding_box(), card.locator(".finding").bounding_box()
    assert picture and finding
    assert finding["y"] >= picture["y"] + picture["height"]  # one column
    for button in page.locator("button:visible, label.button:visible").all():
        box = button.bounding_box()
        assert box and box["height"] >= 36 and box["width"] >= 36


def test_file_name_is_escaped(open_page: Open, image_files: ImageFiles) -> None:
    page = open_page().page
    name = "<img src=x onerror=alert(1)>.png"
    page.set_input_files(
        "#files", {"name": name, "mimeType": "image/png", "buffer": image_files["dark.png"].read_bytes()}
    )
    run_check(page)
    expect(page.get_by_role("rowheader")).to_have_text(name)
    expect(page.locator("main img")).to_have_count(0)
