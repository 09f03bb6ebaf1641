"""The metadata panel in both modes matches `imageprocess inspect`."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from imageprocess.decode import sniff
from imageprocess.provenance.inspection import inspect_file
from testkit.pictures import encode, scene
from testkit.records import png_chunk, png_texts, store_of_two
from tests.support.browsing import Open, choose_files, choose_private, run_check

pytestmark = pytest.mark.e2e
SETTINGS = "a <b>cat</b>\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Model: x"
BUTTON = "Show the file’s metadata"


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    plain = png_texts({"parameters": SETTINGS})
    path = tmp_path / "signed.png"
    path.write_bytes(plain[:33] + png_chunk(b"caBX", store_of_two()) + plain[33:])
    return path


def _open_panel(page: Page) -> None:
    page.get_by_role("button", name=BUTTON).click()
    panel = page.get_by_role("dialog", name="Metadata of this file")
    expect(panel).to_contain_text("signed.png")
    expect(panel.locator("[data-mark=generator_metadata]")).to_have_text("says AI")
    expect(panel.locator("[data-mark=watermark]")).to_have_text("not found")
    expect(panel.locator("[data-mark=c2pa]")).not_to_have_text("not found")
    chain = panel.locator(".chain")
    expect(chain.locator("li li li").filter(has_text="Painter")).to_contain_text("made by AI")
    expect(chain).to_contain_text("Identity: Ada Example by ID Desk, creator")
    expect(chain).to_contain_text("Soft binding: Adobe TrustMark")
    panel.get_by_text("PNG text").click()
    expect(panel.locator("pre")).to_have_text(SETTINGS)  # escaped: no markup
    panel.get_by_role("button", name="Close").click()
    expect(panel).to_have_count(0)


def test_inspection_panel_in_private_mode(open_static: Open, signed: Path) -> None:
    page = open_static().page
    choose_private(page, signed)
    _open_panel(page)


def test_inspection_on_service_sends_file_once(open_page: Open, signed: Path) -> None:
    monitored = open_page()
    choose_files(monitored.page, signed)
    run_check(monitored.page)
    urls: list[str] = []
    monitored.page.on("request", lambda request: urls.append(request.method))
    _open_panel(monitored.page)
    assert set(urls) == {"GET"}


def test_file_without_pixels_shows_texts(open_page: Open, tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    path.write_bytes(png_texts({"Comment": "seen"})[:120])
    page = open_page().page
    choose_files(page, path)
    run_check(page)
    page.get_by_role("button", name=BUTTON).click()
    expect(page.get_by_role("dialog")).to_contain_text("Comment")


def test_inspection_matches_command_line(open_static: Open, signed: Path, shared_dir: Path) -> None:
    page = open_static("docs.html").page
    folder = shared_dir / "fixtures"
    paths = [
        signed,
        *sorted((folder / "records").glob("*/*.*")),
        *sorted((folder / "provenance").glob("*.*")),
    ]
    for path in paths:
        data = path.read_bytes()
        kind = sniff(data)
        if kind is None:
            continue
        actual = page.evaluate(
            """async ([data, name]) => {
                const { inspect } = await import("./assets/js/private/client.js");
                return inspect(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name));
            }""",
            [base64.b64encode(data).decode(), path.name],
        )
        expected, _ = inspect_file(data, None, kind)
        assert actual.get("texts") == expected["texts"], path.name
        assert actual.get("manifests") == expected["manifests"], path.name


def test_photo_without_watermark_is_not_a_verdict(open_static: Open, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode(scene(1), "JPEG"))
    page = open_static().page
    choose_private(page, path)
    page.get_by_role("button", name=BUTTON).click()
    panel = page.get_by_role("dialog")
    expect(panel.locator("[data-state=absent]")).to_have_count(5)
    expect(panel).to_contain_text("The absence of marks proves nothing")


def test_explain_is_requested_from_service_on_demand(open_page: Open, image_files: dict[str, Path]) -> None:
    page = open_page().page
    choose_files(page, image_files["bright.jpg"])
    run_check(page)
    page.get_by_role("button", name=BUTTON).click()
    panel = page.get_by_role("dialog", name="Metadata of this file")
    with page.expect_request("**/v1/detect?*explain=1*"):
        panel.get_by_role("button", name="Check copies").click()
    expect(panel).to_contain_text("Re-saved and smaller copies")
    expect(panel.get_by_role("button", name="Check copies")).to_be_enabled()


def test_private_mode_has_no_explain(open_static: Open, image_files: dict[str, Path]) -> None:
    page = open_static().page
    choose_private(page, image_files["bright.jpg"])
    page.get_by_role("button", name=BUTTON).click()
    expect(page.get_by_role("dialog", name="Metadata of this file")).to_contain_text("Texts in the file")
    expect(page.get_by_role("button", name="Check copies")).to_have_count(0)
