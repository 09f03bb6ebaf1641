"""The static site as an installed app and share target."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from playwright.sync_api import expect

from imageprocess.decode import decode
from imageprocess.report.page import pixels_sha256
from tests.support.browsing import Open, choose_private

pytestmark = pytest.mark.e2e
ImageFiles = dict[str, Path]


def test_site_is_installable(open_static: Open) -> None:
    page = open_static("predict.html").page
    session = page.context.new_cdp_session(page)
    manifest = session.send("Page.getAppManifest")
    assert manifest["errors"] == [] and "share_target" in manifest["data"]
    wrong = [one["errorId"] for one in session.send("Page.getInstallabilityErrors")["installabilityErrors"]]
    assert set(wrong) <= {"in-incognito"}  # test browsers are incognito


def test_share_target_checks_image_locally(open_static: Open, image_files: ImageFiles) -> None:
    monitored = open_static("predict.html")
    page = monitored.page
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()
    encoded = base64.b64encode(image_files["bright.jpg"].read_bytes()).decode()
    reached = page.evaluate(
        """async (given) => {
            const form = new FormData();
            const bytes = Uint8Array.from(atob(given), (c) => c.charCodeAt(0));
            form.append("file", new File([bytes], "תמונה 1.jpg", {type: "image/jpeg"}));
            return (await fetch("share", {method: "POST", body: form})).url;
        }""",
        encoded,
    )
    assert reached.split("#")[0].endswith("/predict.html")
    page.goto(f"{monitored.address}/predict.html#shared")
    page.reload()
    expect(page.get_by_role("article", name="תמונה 1.jpg")).to_be_visible()
    expect(page.locator("h2.verdict")).to_be_visible()
    assert "#" not in page.url
    page.reload()
    expect(page.get_by_role("article")).to_have_count(0)  # once only


def test_shared_url_is_rejected_with_reason(open_static: Open) -> None:
    page = open_static("predict.html#url=https://pictures.example/a.jpg").page
    expect(page.locator("#problem")).to_contain_text("cannot load pictures from other sites")


def test_save_report_from_card(open_static: Open, image_files: ImageFiles, tmp_path: Path) -> None:
    page = open_static("predict.html").page
    choose_private(page, image_files["bright.jpg"])
    page.get_by_role("button", name="Save a report").click()
    page.get_by_label("with the picture in it").check()
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save the file").click()
    saved = tmp_path / "saved.html"
    saving.value.save_as(saved)
    text = saved.read_text(encoding="utf-8")
    data = image_files["bright.jpg"].read_bytes()
    assert base64.b64encode(data).decode() in text and hashlib.sha256(data).hexdigest() in text
    pixels = decode(data, name="bright.jpg")
    assert pixels_sha256(pixels) in text
    opened = page.context.new_page()
    urls: list[str] = []
    opened.on("request", lambda request: urls.append(request.url))
    opened.goto(saved.as_uri())
    expect(opened.locator(".meter")).to_be_visible()
    assert all(address.startswith(("file:", "data:")) for address in urls)
