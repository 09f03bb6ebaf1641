"""The panel: from the context menu event to a verdict beside the image."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Frame, Page, expect

from imageprocess.decode import decode
from imageprocess.detector import Detector
from imageprocess.report.records import to_record
from imageprocess.types import Source
from imageprocess.web import site
from testkit.pictures import encode, scene
from testkit.records import png_texts
from tests.support.browsing import wait_on_page
from tests.support.golden_pictures import golden_picture
from tests.support.picture_site import Site

from .conftest import Extension, Start

pytestmark = pytest.mark.e2e
Sites = tuple[Site, Site]
NOTE = "a lighthouse in a storm\nSteps: 20, Sampler: DPM++ 2M, CFG scale: 7, Seed: 42, Size: 320x240, Model: sd15"


@pytest.fixture(scope="module")
def extension(start: Start) -> Extension:
    """Permitted on the first site only, as after a click on the context menu."""
    return start(allowed=["http://127.0.0.1/*"])


def open_single_page(extension: Extension, address: str) -> Page:
    for page in extension.context.pages[1:]:
        page.close()
    page = extension.context.new_page()
    page.goto(address)
    return page


def save_report(panel: Frame, page: Page) -> tuple[str, dict[str, Any]]:
    """Text of the saved report, and the record in it."""
    with page.expect_download() as saving:
        panel.get_by_role("button", name="Save a report").click()
    text = Path(saving.value.path()).read_text(encoding="utf-8")
    match = re.search(r'<script type="application/json" id="record">(.*?)</script>', text)
    assert match
    return text, json.loads(match[1])


def test_verdict_matches_command_line(extension: Extension, sites: Sites) -> None:
    data = encode(golden_picture(4, 1024, 768), "JPEG", quality=88)
    address = sites[0].picture("/photo.jpg", data)
    page = open_single_page(extension, sites[0].page('<img src="/photo.jpg" width=400 alt="">'))
    extension.right_click(page, address)
    panel = extension.panel(page)
    expect(panel.locator("h2.verdict")).to_be_visible()
    expect(panel.get_by_text("This copy carries no record")).to_be_visible()
    _, record = save_report(panel, page)
    expected = to_record(Detector(str(site.browser_model())).detect(Source("photo.jpg", data)))
    assert record["sha256"] == expected["sha256"] == hashlib.sha256(data).hexdigest()
    assert record["verdict"]["label"] == expected["verdict"]["label"]
    assert record["verdict"]["probability_ai"] == pytest.approx(
        expected["verdict"]["probability_ai"], abs=1e-4
    )
    pixels = decode(data, name="photo.jpg").pixels
    assert record["pixels_sha256"] == hashlib.sha256(pixels.tobytes()).hexdigest()


def test_largest_srcset_candidate_is_read(extension: Extension, sites: Sites) -> None:
    """The page shows a thumbnail without metadata; the largest candidate has the generator metadata."""
    here = sites[0]
    here.picture("/small.png", encode(scene(2, 160, 120), "PNG"))
    here.picture("/middle.png", encode(scene(2, 200, 150), "PNG"))
    large = png_texts({"parameters": NOTE})
    here.picture("/large,1.png", large)
    page = open_single_page(
        extension,
        here.page(
            '<img src="/small.png" srcset="/small.png 160w, /large,1.png 320w, /middle.png 200w" sizes=80px>'
        ),
    )
    extension.right_click(page, f"{here.address}/small.png")
    panel = extension.panel(page)
    expect(panel.locator("h2.verdict")).to_have_text(re.compile("^Made with .+says the file"))
    expect(panel.locator("blockquote")).to_have_text("a lighthouse in a storm")
    expect(panel.get_by_text("the largest copy")).to_be_visible()
    expect(panel.get_by_text("carries no record")).to_have_count(0)
    text, record = save_report(panel, page)
    assert record["sha256"] == hashlib.sha256(large).hexdigest()
    assert base64.b64encode(large).decode() not in text
    panel.get_by_label("with the picture in it").check()
    assert base64.b64encode(large).decode() in save_report(panel, page)[0]


def test_picker_selects_image_below_overlay(extension: Extension, sites: Sites) -> None:
    """A background image below a link: the browser reports no image, so the user picks it by a click."""
    here = sites[0]
    here.picture("/back.png", png_texts({"parameters": NOTE}))
    page = open_single_page(
        extension,
        here.page(
            """<div style="width:320px;height:240px;background:url('/back.png')"></div>
            <a href="/elsewhere.html" style="position:absolute;inset:0 auto auto 0;width:600px;height:400px"></a>"""
        ),
    )
    extension.right_click(page, None)
    page.wait_for_function("document.elementFromPoint(160, 120).matches('[data-imageprocess]')")
    page.mouse.move(150, 150)
    page.mouse.click(160, 120)
    expect(extension.panel(page).locator("blockquote")).to_have_text("a lighthouse in a storm")
    assert "elsewhere" not in page.url  # the link was not followed


def test_cross_site_image_requests_permission(extension: Extension, sites: Sites) -> None:
    here, there = sites
    address = there.picture("/cross.jpg", encode(scene(3), "JPEG"))
    page = open_single_page(extension, here.page(f'<img src="{address}" width=300>'))
    extension.right_click(page, address)
    panel = extension.panel(page)
    expect(panel.locator("h2")).to_have_text("This picture is on another site")
    expect(panel.locator("#allow")).to_have_text("Allow localhost")
    expect(panel.locator("#allow")).to_have_attribute("data-origin", "http://localhost/*")
    # With CORS headers no permission is needed.
    there.headers["Access-Control-Allow-Origin"] = "*"
    address = there.picture("/open.jpg", encode(scene(4), "JPEG"))
    page = open_single_page(extension, here.page(f'<img src="{address}" width=300>'))
    try:
        extension.right_click(page, address)
        expect(extension.panel(page).locator("h2.verdict")).not_to_have_text("Could not be checked")
    finally:
        there.headers.clear()


def test_data_and_blob_urls(extension: Extension, sites: Sites) -> None:
    data = base64.b64encode(png_texts({"parameters": NOTE})).decode()
    for script in (
        f"document.images[0].src = 'data:image/png;base64,{data}'",
        f"""fetch('data:image/png;base64,{data}').then((answer) => answer.blob())
            .then((blob) => document.images[0].src = URL.createObjectURL(blob))""",
    ):
        page = open_single_page(extension, sites[0].page("<img width=300>"))
        page.evaluate(script)
        page.wait_for_function("document.images[0].naturalWidth > 0")
        extension.right_click(page, page.evaluate("document.images[0].currentSrc"))
        expect(extension.panel(page).locator("blockquote")).to_have_text("a lighthouse in a storm")


def test_unsupported_images_show_reason(extension: Extension, sites: Sites) -> None:
    here = sites[0]
    here.picture("/drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="200" height="200"/>')
    here.picture("/cut.jpg", encode(scene(5), "JPEG")[:2000])
    address = here.page('<img src="/drawing.svg"><img src="/missing.jpg"><img src="/cut.jpg">')
    for path, why in (
        ("/drawing.svg", "This file format cannot be checked"),
        ("/missing.jpg", "could not be downloaded"),
        ("/cut.jpg", "damaged"),
    ):
        page = open_single_page(extension, address)  # a new page: contains only the panel of this image
        extension.right_click(page, here.address + path)
        expect(extension.panel(page).locator("#content")).to_contain_text(why)


def test_strict_csp_page_and_escape_key(extension: Extension, sites: Sites) -> None:
    """A page whose policy forbids frames, styles and scripts; Escape closes the panel."""
    here = sites[0]
    address = here.picture("/strict.png", encode(scene(6), "PNG"))
    policy = "default-src 'none'; img-src 'self'; require-trusted-types-for 'script'"
    page = open_single_page(
        extension,
        here.page(
            '<img src="/strict.png">', head=f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        ),
    )
    extension.right_click(page, address)
    panel = extension.panel(page)
    expect(panel.locator("h2.verdict")).to_be_visible()
    assert (
        page.evaluate("document.querySelector('[data-imageprocess]').shadowRoot") is None
    )  # a closed root for the page
    # The page must have the focus: a key press in the panel would not return, as its frame is removed.
    page.evaluate("() => { document.activeElement.blur(); window.focus(); }")
    expect(page.locator("[data-imageprocess]")).not_to_be_focused()
    page.keyboard.press("Escape")
    wait_on_page(page, lambda: not any("panel.html" in frame.url for frame in page.frames))


def test_page_cannot_embed_the_panel(extension: Extension, sites: Sites) -> None:
    page = open_single_page(
        extension, sites[0].page(f'<iframe src="{extension.root}panel.html#guess"></iframe>')
    )
    page.wait_for_timeout(1000)  # proves that nothing is shown: a legitimate panel has its heading by then
    frame = next(frame for frame in page.frames if "panel.html" in frame.url)
    expect(frame.locator("h2")).to_have_count(0)
