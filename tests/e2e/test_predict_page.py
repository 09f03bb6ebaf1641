"""predict.html with a service: verdict, mode, table, exports, heat map."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from imageprocess.report.table import csv_header
from testkit.pictures import encode, plain
from tests.support.browsing import Open, choose_files, post_images, run_check

pytestmark = pytest.mark.e2e
ImageFiles = dict[str, Path]


def test_image_from_file_to_verdict(open_page: Open, image_files: ImageFiles) -> None:
    monitored = open_page()
    page = monitored.page
    expect(page.locator("#limits")).to_contain_text("20 MB")
    choose_files(page, image_files["bright.jpg"])
    expect(page.get_by_role("img", name="Preview of bright.jpg")).to_be_visible()
    assert not any(
        "detect" in url for url in monitored.requested_urls
    )  # nothing is sent before the button is pressed
    run_check(page)
    card = page.get_by_role("article", name="bright.jpg")
    expect(card.get_by_role("heading")).to_have_text("Very likely AI-made")
    expect(card.locator(".reason")).to_contain_text("chance that the picture is AI-made")
    expect(card.locator(".decided")).to_have_text("Based on the model, from the pixels alone")
    expect(card.locator(".facts")).to_contain_text("JPEG · 600 × 400")
    card.get_by_text("Evidence").click()
    expect(card.locator(".evidence").get_by_role("listitem")).to_contain_text("it proves nothing alone")
    expect(page.get_by_role("status")).to_have_text("bright.jpg: Very likely AI-made")


def test_bar_shows_probability_and_unsure_range(open_page: Open, address: str, tmp_path: Path) -> None:
    path = tmp_path / "lighter.png"
    path.write_bytes(encode(plain(140), "PNG"))
    page = open_page().page
    choose_files(page, path)
    run_check(page)
    probability = post_images(address, path)[0]["verdict"]["probability_ai"]
    assert 0.6 < probability < 0.8
    meter = page.get_by_role("meter")
    expect(meter).to_have_attribute("aria-valuenow", str(round(100 * probability)))
    expect(meter).to_have_attribute("aria-valuetext", re.compile("20% to 80% this mode gives no firm answer"))
    expect(page.locator(".meter")).to_have_attribute("style", re.compile("--low: 0.2.*--high: 0.8"))
    assert _needle(page) == pytest.approx(probability, abs=0.01)
    page.evaluate("document.documentElement.dir = 'rtl'")
    assert _needle(page) == pytest.approx(1 - probability, abs=0.01)


def _needle(page: Page) -> float:
    """Position of the needle on the bar, as a fraction from the left."""
    track, needle = page.get_by_role("meter").bounding_box(), page.locator(".needle").bounding_box()
    assert track and needle
    return (needle["x"] + needle["width"] / 2 - track["x"]) / track["width"]


def test_mode_is_sent_to_service(open_page: Open, image_files: ImageFiles) -> None:
    page = open_page().page
    choose_files(page, image_files["grey.webp"])
    run_check(page)
    expect(page.locator("h2.verdict")).to_have_text("Cannot tell")
    page.get_by_label("How certain an answer must be").select_option("best-guess")
    expect(page.locator("h2.verdict")).to_have_text(re.compile("Leaning"))  # at once


def test_mode_change_sends_only_checked_images_again(open_page: Open, image_files: ImageFiles) -> None:
    monitored = open_page()
    page = monitored.page
    choose_files(page, image_files["grey.webp"])
    run_check(page)
    choose_files(page, image_files["dark.png"])  # not checked until the button is pressed
    page.get_by_label("How certain an answer must be").select_option("best-guess")
    expect(page.locator("h2.verdict")).to_have_text(re.compile("Leaning"))
    expect(page.get_by_role("article", name="dark.png")).to_contain_text("Ready to be checked.")
    assert sum("v1/detect" in url for url in monitored.requested_urls) == 2


def test_enlarged_image_with_heat_map_and_thumbnail(open_page: Open, image_files: ImageFiles) -> None:
    page = open_page().page
    choose_files(page, image_files["bright.jpg"])
    run_check(page)
    assert page.locator("#rows .thumb").evaluate("canvas => canvas.width") == 96
    page.get_by_role("button", name="Enlarge bright.jpg").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".heat")).to_be_visible()
    expect(dialog.locator(".legend")).to_contain_text("not proof")
    before = dialog.locator("canvas").first.bounding_box()
    dialog.get_by_role("button", name="Zoom in or out").click()
    after = dialog.locator("canvas").first.bounding_box()
    assert before and after and after["height"] > 2 * before["height"]
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)


def test_several_images_give_table_csv_and_json(
    open_page: Open, image_files: ImageFiles, address: str
) -> None:
    page = open_page().page
    files = [image_files[name] for name in ("bright.jpg", "dark.png", "broken.jpg", "=cmd.png", "notes.txt")]
    choose_files(page, *files)
    run_check(page)
    expect(page.locator("#rows th")).to_have_text([path.name for path in files])
    expect(page.locator("#rows td.verdict")).to_have_text(
        [
            "Very likely AI-made",
            "Very likely real",
            "Could not be checked",
            "Very likely AI-made",
            "Could not be checked",
        ]
    )
    expect(page.get_by_role("status")).to_have_text(
        "5 pictures checked. Very likely AI-made: 2, Very likely real: 1, Could not be checked: 2."
    )

    text = _saved(page, "Save as CSV", "verdicts.csv")
    assert text.startswith(csv_header())
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["source"] for row in rows] == [
        "bright.jpg",
        "dark.png",
        "broken.jpg",
        "'=cmd.png",
        "notes.txt",
    ]
    assert [row["label"] for row in rows] == ["ai", "real", "", "ai", ""]
    assert [row["error_code"] for row in rows] == ["", "", "corrupt", "", "unsupported_format"]
    records = post_images(address, *files)
    assert [float(row["probability_ai"] or -1) for row in rows] == [
        record.get("verdict", {}).get("probability_ai", -1) for record in records
    ]

    saved = json.loads(_saved(page, "Save as JSON", "verdicts.json"))
    assert [_without_time(record) for record in saved] == [_without_time(record) for record in records]


def test_completion_is_announced_after_table_is_rendered(open_page: Open, image_files: ImageFiles) -> None:
    """With a slow connection table.js loads late: status and button must not report completion before it."""
    monitored = open_page("index.html", service_workers="block")
    monitored.expected = ("Service Worker registration blocked",)
    page = monitored.page
    late: list[Route] = []
    page.route("**/results-table.js", lambda route: late.append(route))
    page.goto(f"{monitored.address}/predict.html")
    page.evaluate(
        """() => {
            window.rowsAtTheEnd = [];
            const ended = () => document.querySelector("#status").dataset.key === "finished.other";
            const look = () => ended() && window.rowsAtTheEnd.push(document.querySelectorAll("#rows tr").length);
            new MutationObserver(look).observe(document.querySelector("main"), {
                attributes: true, subtree: true,
            });
        }"""
    )
    choose_files(page, image_files["bright.jpg"], image_files["dark.png"])
    page.locator("#run").click()
    expect(page.locator("h2.verdict")).to_have_count(2)
    page.evaluate("new Promise((done) => setTimeout(done))")  # pending tasks of the last verdict have run
    expect(page.get_by_role("button", name="again")).to_be_hidden()
    late[0].continue_()
    expect(page.get_by_role("button", name="again")).to_be_visible()
    expect(page.locator("#rows tr")).to_have_count(2)
    assert set(page.evaluate("window.rowsAtTheEnd")) == {2}


def _saved(page: Page, button: str, name: str) -> str:
    with page.expect_download() as saving:
        page.get_by_role("button", name=button).click()
    assert saving.value.suggested_filename == name
    return Path(saving.value.path()).read_text(encoding="utf-8")


def _without_time(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "elapsed_ms"}


def test_damaged_file_has_its_own_error(open_page: Open, image_files: ImageFiles) -> None:
    page = open_page().page
    choose_files(page, image_files["broken.jpg"], image_files["scan.tif"])
    run_check(page)
    broken = page.get_by_role("article", name="broken.jpg")
    expect(broken.get_by_role("heading")).to_have_text("Could not be checked")
    expect(broken.locator(".reason")).to_contain_text("The file is damaged and cannot be opened")
    scan = page.get_by_role("article", name="scan.tif")  # no browser shows TIFF; the service reads it
    expect(scan).to_contain_text("This browser cannot show this file.")
    expect(scan.get_by_role("heading")).to_have_text("Very likely AI-made")


def test_heat_map_overlay_and_opacity(open_page: Open, image_files: ImageFiles, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "left.png"
    picture = Image.new("RGB", (400, 400), (5, 5, 5))
    picture.paste((255, 255, 255), (0, 0, 200, 400))
    picture.save(path)
    page = open_page().page
    choose_files(page, path)
    run_check(page)
    page.get_by_label("Show where the model looked").check()
    expect(page.get_by_text("Where the model looked; not proof.")).to_be_visible()
    heat = page.locator("canvas.heat")
    preview = page.get_by_role("img", name="Preview of left.png")
    assert heat.bounding_box() == preview.bounding_box()
    left, right = heat.evaluate(
        """canvas => {
            const row = canvas.getContext("2d").getImageData(0, canvas.height / 2, canvas.width, 1).data;
            return [0.15, 0.85].map((x) => row[4 * Math.round(x * canvas.width) + 3]);
        }"""
    )
    assert left > 200 and right < 20
    page.get_by_label("Opacity").fill("20")
    expect(heat).to_have_css("opacity", "0.2")
    page.get_by_label("Show where the model looked").uncheck()
    expect(heat).to_be_hidden()


def test_metadata_claim_is_shown_as_claim(open_page: Open, address: str, tmp_path: Path) -> None:
    """Generator metadata decides: the page says so and shows no unsure range and no estimate."""
    from PIL import Image, PngImagePlugin

    note = PngImagePlugin.PngInfo()
    note.add_text(
        "parameters", "a lighthouse\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512"
    )
    path = tmp_path / "noted.png"
    Image.new("RGB", (512, 512), (128, 128, 128)).save(path, pnginfo=note)
    verdict = post_images(address, path)[0]["verdict"]
    assert (verdict["label"], verdict["decided_by"]) == ("ai", "metadata")
    page = open_page().page
    choose_files(page, path)
    run_check(page)
    expect(page.locator("h2.verdict")).to_have_text(
        "Made with Stable Diffusion web UI, according to the file"
    )
    expect(page.locator(".decided b")).to_have_text("the file’s metadata")
    expect(page.get_by_role("meter")).to_have_attribute(
        "aria-valuetext", "97%, how often such records were true"
    )
    assert httpx.get(f"{address}/readyz").status_code == 200
