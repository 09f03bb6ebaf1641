"""Images in frames of a page: same site, another site with and without permission."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Frame, Page, expect

from testkit.pictures import encode, scene
from testkit.records import png_texts
from tests.support.picture_site import Site

from .conftest import Extension, Start

pytestmark = pytest.mark.e2e
SIZE = "width:160px;height:120px"
FRAME = "width:420px;height:200px"
NOTE = "a fox in the snow\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 3, Size: 320x240, Model: sd15"
Sites = tuple[Site, Site]


class FramePage:
    """A page with an image, a same-site frame with two images, and a cross-site frame with one."""

    def __init__(self, here: Site, there: Site) -> None:
        self.noted = png_texts({"parameters": NOTE})
        here.picture("/in-page.png", encode(scene(1, 300, 225), "PNG"))
        here.picture("/small.png", encode(scene(2, 80, 60), "PNG"))
        self.large = here.picture("/large.png", encode(scene(2, 300, 225), "PNG"))
        self.far = there.picture("/far.png", encode(scene(3, 300, 225), "PNG"))
        blob = f"""<script>
            document.images[1].src = URL.createObjectURL(new Blob(
                [Uint8Array.from(atob("{base64.b64encode(self.noted).decode()}"), (c) => c.charCodeAt(0))]));
        </script>"""
        self.inner = here.page(
            f'<img style="{SIZE}" src="/small.png" srcset="/small.png 80w, /large.png 300w" sizes=60px>'
            f'<img style="{SIZE}">{blob}'
        )
        self.other = there.page(f'<img style="{SIZE}" src="{self.far}">')
        self.address = here.page(
            f'<img style="{SIZE}" src="/in-page.png"><p>'
            f'<iframe style="{FRAME}" src="{self.inner}"></iframe>'
            f'<iframe style="{FRAME}" src="{self.other}"></iframe>'
        )

    def open(self, extension: Extension) -> Page:
        page = extension.context.new_page()
        page.goto(self.address)
        inner = page.frames[1]
        inner.wait_for_function("[...document.images].every((image) => image.naturalWidth > 0)")
        return page


def _frame_id(extension: Extension, page: Page, address: str) -> int:
    """Id of a frame that the extension may read."""
    number: int = extension.worker.evaluate(
        """async ([tabId, address]) => (await chrome.scripting.executeScript(
            {target: {tabId, allFrames: true}, func: () => location.href})
        ).find(({result}) => result === address).frameId""",
        [extension.tab_id(page), address],
    )
    return number


def _scan_results(extension: Extension, page: Page, count: int) -> tuple[Page, list[dict[str, Any]]]:
    """The popup after a scan of the page, and its saved records."""
    popup = extension.popup(page)
    popup.get_by_role("button", name="Check the pictures").click()
    expect(popup.locator("#progress")).to_contain_text(f"{count} pictures checked")
    with popup.expect_download() as saving:
        popup.get_by_role("button", name="Save as JSON").click()
    records: list[dict[str, Any]] = json.loads(Path(saving.value.path()).read_text(encoding="utf-8"))
    return popup, records


@pytest.fixture(scope="module")
def extension(start: Start) -> Extension:
    return start(allowed=["http://127.0.0.1/*"])


@pytest.fixture(scope="module")
def frame_page(sites: Sites) -> FramePage:
    return FramePage(*sites)


def test_same_site_frames_are_scanned_and_others_listed(extension: Extension, frame_page: FramePage) -> None:
    page = frame_page.open(extension)
    popup, records = _scan_results(extension, page, 3)
    assert len(records) == 3 and frame_page.large in {record["address"] for record in records}
    assert [record["verdict"]["decided_by"] for record in records].count("metadata") == 1
    expect(popup.locator("#frames-allow")).to_have_text(re.compile("not checked. Allow localhost$"))
    popup.get_by_role("button", name="Remove the badges").click()
    expect(popup.locator("#progress")).to_be_empty()
    page.close()


def test_frames_of_allowed_site_are_scanned(start: Start, frame_page: FramePage) -> None:
    extension = start(allowed=["http://127.0.0.1/*", "http://localhost/*"])
    popup, records = _scan_results(extension, frame_page.open(extension), 4)
    assert len(records) == 4 and frame_page.far in {record["address"] for record in records}
    expect(popup.locator("#frames")).to_be_hidden()
    extension.context.close()


def test_panel_of_frame_image_opens_over_page(extension: Extension, frame_page: FramePage) -> None:
    """A blob: URL, readable only in the frame, and a report that contains the image."""
    page = frame_page.open(extension)
    address = page.frames[1].evaluate("document.images[1].currentSrc")
    extension.right_click(page, address, _frame_id(extension, page, frame_page.inner))
    panel = extension.panel(page)
    expect(panel.locator("blockquote")).to_have_text("a fox in the snow")
    assert panel.parent_frame == page.main_frame
    box, frame = panel.frame_element().bounding_box(), page.locator("iframe").first.bounding_box()
    assert box and frame and box["x"] >= frame["x"] + frame["width"], "beside the frame"
    panel.get_by_label("with the picture in it").check()
    with page.expect_download() as saving:
        panel.get_by_role("button", name="Save a report").click()
    assert base64.b64encode(frame_page.noted).decode() in Path(saving.value.path()).read_text(
        encoding="utf-8"
    )
    page.close()


def _pick(extension: Extension, page: Page, frame: int) -> Frame:
    """Start the picker, click the first image of a frame, and return the panel."""
    extension.right_click(page, None)
    page.wait_for_function("document.elementFromPoint(5, 5)?.matches('[data-imageprocess]')")
    box = page.locator("iframe").nth(frame).bounding_box()
    assert box
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.click(box["x"] + 60, box["y"] + 60)
    panel: Frame = extension.panel(page)
    return panel


def test_click_selects_image_in_frame(extension: Extension, frame_page: FramePage) -> None:
    page = frame_page.open(extension)
    panel = _pick(extension, page, 0)
    expect(panel.locator("h2.verdict")).to_be_visible()
    expect(panel.get_by_text("the largest copy")).to_be_visible()
    assert panel.parent_frame == page.main_frame
    page.close()


def test_click_into_forbidden_frame_requests_permission(extension: Extension, frame_page: FramePage) -> None:
    page = frame_page.open(extension)
    expect(_pick(extension, page, 1).locator("#allow")).to_have_text("Allow localhost")
    page.close()


def test_forbidden_frame_image_requests_permission(extension: Extension, frame_page: FramePage) -> None:
    page = frame_page.open(extension)
    extension.right_click(page, frame_page.far, frame_id=4242)  # no accessible frame has this id
    panel = extension.panel(page)
    expect(panel.locator("h2")).to_have_text("This picture is on another site")
    expect(panel.locator("#allow")).to_have_text("Allow localhost")
    page.close()
