"""Errors during a run fail only the image concerned; pauses and downloads can be stopped."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from imageprocess.web import site
from testkit.pictures import encode
from testkit.service import running
from tests.support.browsing import (
    DESKTOP,
    PHONE,
    Open,
    choose_files,
    choose_private,
    monitored_page,
    run_check,
    saved_records,
)

pytestmark = pytest.mark.e2e
ImageFiles = dict[str, Path]
DETECT = "**/v1/detect*"


def _copies(image_files: ImageFiles, folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).write_bytes(image_files["dark.png"].read_bytes())
    return [folder / name for name in names]


def test_unreadable_file_fails_alone(open_page: Open, image_files: ImageFiles, tmp_path: Path) -> None:
    monitored = open_page()
    monitored.expected = ("ERR_UPLOAD_FILE_CHANGED",)
    page = monitored.page
    files = _copies(image_files, tmp_path, "changed.png", "b.png", "c.png")
    choose_files(page, *files)
    expect(page.locator("[data-drawn]")).to_have_count(3)
    os.utime(files[0], (1, 1))  # browsers compare the modification time
    run_check(page)
    expect(page.get_by_role("status")).to_have_text(
        "3 pictures checked. Very likely real: 2, Could not be checked: 1."
    )
    card = page.get_by_role("article", name="changed.png")
    expect(card.locator(".reason")).to_contain_text("The file cannot be read")
    assert [record.get("error", {}).get("code") for record in saved_records(page)] == [
        "not_found",
        None,
        None,
    ]


@pytest.mark.parametrize("where", ["service", "browser"])
def test_dropped_folder_fails_alone(
    open_page: Open, open_static: Open, image_files: ImageFiles, tmp_path: Path, where: str
) -> None:
    monitored = open_page() if where == "service" else open_static()
    monitored.expected = ("ERR_",)
    page = monitored.page
    (tmp_path / "folder.png").mkdir()
    dragged = {
        "items": [],
        "files": [str(tmp_path / "folder.png"), str(image_files["dark.png"])],
        "dragOperationsMask": 1,
    }
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 400, "data": dragged})
    expect(page.get_by_role("article")).to_have_count(2)
    if where == "service":
        page.locator("#run").click()
    expect(page.locator("#cards [data-state=done]")).to_have_count(2)
    codes = [record.get("error", {}).get("code") for record in saved_records(page)]
    assert codes == ["not_found", None]


def test_images_are_checked_without_storage(browser: Browser, address: str, image_files: ImageFiles) -> None:
    with monitored_page(browser, address) as monitored:
        page = monitored.page
        refused = """Object.defineProperty(window, "localStorage", {
            get() { throw new DOMException("Access is denied for this document.", "SecurityError"); }
        });"""
        page.add_init_script(refused)
        page.goto(f"{address}/predict.html")
        page.wait_for_load_state("networkidle")
        expect(page.locator("#history-keep")).to_be_hidden()
        choose_files(page, image_files["bright.jpg"])
        run_check(page)
        expect(page.locator("h2.verdict")).to_have_text("Very likely AI-made")


def _busy(wait_s: int, status: int, code: str) -> dict[str, Any]:
    return {
        "status": status,
        "headers": {"Retry-After": str(wait_s), "Content-Type": "application/problem+json"},
        "body": json.dumps({"code": code, "detail": "later"}),
    }


@pytest.mark.parametrize(("status", "code"), [(429, "too_many_requests"), (503, "workers_lost")])
def test_retry_after_pause_is_observed_and_shown(
    open_page: Open, image_files: ImageFiles, status: int, code: str
) -> None:
    monitored = open_page()
    monitored.expected = (f"status of {status}",)
    page = monitored.page
    refusals = iter(range(1))

    def answer(route: Route) -> None:
        if next(refusals, None) is None:
            route.continue_()
        else:
            route.fulfill(**_busy(1, status, code))

    page.route(DETECT, answer)
    choose_files(page, image_files["bright.jpg"])
    page.evaluate(
        """() => {
            const status = document.getElementById("status");
            window.said = [];
            new MutationObserver(() => said.push([status.textContent, status.getBoundingClientRect().height]))
                .observe(status, { childList: true, attributes: true });
        }"""
    )
    run_check(page)
    expect(page.locator("h2.verdict")).to_have_text("Very likely AI-made")
    paused = [
        height for text, height in page.evaluate("said") if "Next attempt in 1 s; 0 of 1 checked" in text
    ]
    assert paused and paused[-1] > 10  # visible also for a single image


def test_stop_ends_pause(open_page: Open, image_files: ImageFiles) -> None:
    monitored = open_page()
    monitored.expected = ("status of 503",)
    page = monitored.page
    page.route(DETECT, lambda route: route.fulfill(**_busy(600, 503, "busy")))
    choose_files(page, image_files["bright.jpg"], image_files["dark.png"])
    page.locator("#run").click()
    expect(page.get_by_role("status")).to_contain_text("Next attempt in 600 s")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("status")).to_have_text("Stopped. 0 of 2 checked.")
    page.unroute_all()
    run_check(page)
    expect(page.locator("h2.verdict")).to_have_count(2)


def test_stop_and_start_over_during_model_download(open_static: Open, image_files: ImageFiles) -> None:
    monitored = open_static(
        "docs.html", service_workers="block"
    )  # Playwright routes do not reach workers of a service worker
    monitored.expected = ("Service Worker registration blocked",)
    page = monitored.page
    held: list[Route] = []
    page.route("**/model.onnx*", lambda route: held.append(route))
    page.goto(f"{monitored.address}/predict.html")
    choose_files(page, image_files["bright.jpg"])
    page.evaluate(
        "Object.assign(document.getElementById('loading'), { hidden: false, textContent: '1 of 2' })"
    )
    expect(page.locator("#loading")).to_be_visible()  # shown during the download
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("status")).to_have_text("Stopped. 0 of 1 checked.")
    page.get_by_role("button", name="Check picture").click()
    page.get_by_role("button", name="Start over").click()
    choose_files(page, image_files["dark.png"])
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    for route in held:
        route.continue_()
    page.get_by_role("button", name="Check it again").wait_for()
    expect(page.get_by_role("status")).to_contain_text("dark.png: ")
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.locator("#loading")).to_be_hidden()


def test_removing_image_during_run_keeps_focus_on_stop(open_page: Open, image_files: ImageFiles) -> None:
    page = open_page().page
    held: list[Route] = []
    page.route(DETECT, lambda route: held.append(route))
    choose_files(page, image_files["bright.jpg"], image_files["dark.png"])
    page.locator("#run").click()
    page.get_by_role("button", name="Remove dark.png").click()
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    page.get_by_role("button", name="Remove bright.jpg").click()
    expect(page.get_by_label("Choose pictures")).to_be_focused()
    expect(page.get_by_role("status")).to_be_empty()
    page.unroute_all(behavior="ignoreErrors")
    choose_files(page, image_files["grey.webp"])
    run_check(page)
    expect(page.locator("h2.verdict")).to_have_text("Cannot tell")


@pytest.mark.parametrize("key", ["סומסום היפתח", "מפתח אחר"])
def test_key_in_any_script(open_page: Open, image_files: ImageFiles, tiny_model_dir: Path, key: str) -> None:
    with running(tiny_model_dir, api_key="סומסום היפתח") as address:
        monitored = open_page(at=address)
        monitored.expected = ("403 (Forbidden)",)
        page = monitored.page
        choose_files(page, image_files["bright.jpg"])
        page.get_by_label("This service requires a key").fill(key)
        page.get_by_role("button", name="Use it").click()
        if key == "סומסום היפתח":
            expect(page.locator("h2.verdict")).to_have_text("Very likely AI-made")
        else:
            expect(page.locator("#problem")).to_have_text("The service does not accept this key.")
            expect(page.get_by_label("This service requires a key")).to_be_focused()


def test_size_limit_message_matches_checker(open_page: Open, tiny_model_dir: Path, tmp_path: Path) -> None:
    if not site.has_private_mode():
        pytest.skip("private mode is not built: run `make web` (needs npm)")
    path = tmp_path / "scan.tif"
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 600, 3), np.uint8))
    path.write_bytes(encode(noise, "TIFF", compression="jpeg"))
    with running(tiny_model_dir, max_body_bytes=100_000) as address:
        page = open_page(at=address).page
        page.get_by_text("In this browser", exact=True).click()
        choose_private(page, path)
        page.get_by_role("button", name="Send this picture to the service").click()
        expect(page.locator(".reason")).to_contain_text("The file is larger than 100 kB.")


def test_browser_warning_is_hidden_for_service(open_page: Open) -> None:
    if not site.has_private_mode():
        pytest.skip("private mode is not built: run `make web` (needs npm)")
    monitored = open_page(
        "docs.html", service_workers="block"
    )  # Playwright routes do not reach workers of a service worker
    monitored.expected = ("Service Worker registration blocked",)
    page = monitored.page
    noisy = (site.WEB / "assets/js/private/decode.js").read_text(encoding="utf-8")
    assert "return drawn.data.every" in noisy
    noisy = noisy.replace("return drawn.data.every", "return false && drawn.data.every")
    page.route(
        "**/private/decode.js", lambda route: route.fulfill(body=noisy, content_type="text/javascript")
    )
    page.goto(f"{monitored.address}/predict.html")
    page.get_by_text("In this browser", exact=True).click()
    expect(page.locator("#noisy")).to_be_visible()
    page.get_by_text("On the service", exact=True).click()
    expect(page.locator("#noisy")).to_be_hidden()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_tools_and_table_precede_cards_for_many_images(
    open_page: Open, image_files: ImageFiles, viewport: dict[str, int]
) -> None:
    page = open_page(viewport=viewport).page
    choose_files(page, *[image_files["bright.jpg"]] * 8)
    run_check(page)
    expect(page.locator("#rows tr")).to_have_count(8)
    tops = [_top(page, selector) for selector in ("#reset", "#status", "#results", "#cards", "#history")]
    assert tops == sorted(tops)
    assert tops[0] < viewport["height"] / 2


def _top(page: Page, selector: str) -> float:
    box = page.locator(selector).bounding_box()
    assert box
    return box["y"]


def test_long_name_does_not_widen_page(open_page: Open, image_files: ImageFiles, tmp_path: Path) -> None:
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True).page
    choose_files(page, *_copies(image_files, tmp_path, f"IMG_{'1234567890' * 8}.png"))
    run_check(page)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
