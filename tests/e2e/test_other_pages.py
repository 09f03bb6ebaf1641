"""index.html and docs.html: content from the service, layout, contrast and structure."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from imageprocess.web import site
from testkit.service import running
from tests.support.browsing import DESKTOP, PHONE, Open

pytestmark = pytest.mark.e2e
PAGES = ["index.html", "predict.html", "docs.html"]

FIGURES = {"n": 1234, "accuracy": 0.8765, "auroc": 0.9432, "fpr@balanced": 0.0321, "coverage@balanced": 0.75}
MEASURED = {
    "data_id": "d",
    "date": "2030-01-02",
    "splits": {
        "test": {"tier": "equalised", **FIGURES, "intervals": {"accuracy": [0.85, 0.9]}},
        "open_test": {"raw": {**FIGURES, "accuracy": 0.7111}, "equalised": {**FIGURES, "accuracy": 0.6999}},
    },
}


@pytest.fixture
def measured_model(tiny_model_dir: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "measured"
    shutil.copytree(tiny_model_dir, folder)
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "measured": MEASURED}))
    return folder


def test_first_page_shows_model_accuracy(open_page: Open, measured_model: Path) -> None:
    rest = ["1,234", "0.943"]
    with running(measured_model) as address:
        page = open_page("", at=address).page
        expect(page.locator("#measured-lead")).to_contain_text("2030-01-02")
        expect(page.locator("#measured-rows tr")).to_have_count(3)
        rows = [row.split("\t") for row in page.locator("#measured-rows tr").all_inner_texts()]
    assert [[cell.strip() for cell in row] for row in rows] == [
        [
            "Test pictures re-saved at random sizes and qualities",
            "87.7% (85.0% – 90.0%)",
            "3.2%",
            "25.0%",
            *rest,
        ],
        ["Sources not used in training as they were published", "71.1%", "3.2%", "25.0%", *rest],
        [
            "Sources not used in training re-saved at random sizes and qualities",
            "70.0%",
            "3.2%",
            "25.0%",
            *rest,
        ],
    ]


def test_key_columns_are_visible_on_phone(open_page: Open, measured_model: Path) -> None:
    with running(measured_model) as address:
        page = open_page("", at=address, viewport=PHONE).page
        expect(page.locator("#measured")).to_be_visible()
        expect(page.locator("#measured-rows tr")).to_have_count(3)
        for cell in page.locator("#measured tr").last.locator("th, td").locator("visible=true").all():
            box = cell.bounding_box()
            assert box and box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
        expect(page.locator("#measured tbody tr").last.locator("td").locator("visible=true")).to_have_count(3)


def test_own_image_on_first_page(open_page: Open, image_files: dict[str, Path]) -> None:
    page = open_page("index.html").page
    where = "stay in this browser" if site.has_private_mode() else "The service runs on this computer"
    expect(page.locator("#privacy")).to_contain_text(where)
    page.set_input_files("#files", image_files["bright.jpg"])
    expect(page.locator("#tried .verdict")).to_have_text("Very likely AI-made")
    expect(page.get_by_role("img", name="Preview of bright.jpg")).to_be_visible()
    page.set_input_files("#files", image_files["notes.txt"])
    expect(page.locator("#tried .warning")).to_contain_text("This file format is not supported.")


def test_first_page_names_model(open_page: Open) -> None:
    page = open_page("index.html").page
    expect(page.locator("#network-other")).to_contain_text("given by another model, tiny")


def test_model_without_measurements_shows_none(open_page: Open) -> None:
    page = open_page("index.html").page
    expect(page.locator("#measured-lead")).to_have_text("No accuracy figures are available for this model.")
    expect(page.locator("#measured")).to_be_hidden()


def test_missing_measurements_are_reported(open_page: Open) -> None:
    monitored = open_page("docs.html", service_workers="block")
    monitored.expected = ("Service Worker registration blocked", "status of 503")
    page = monitored.page
    page.route("**/model/model.json", lambda route: route.fulfill(status=503))
    page.goto(f"{monitored.address}/index.html")
    expect(page.locator("#measured-lead")).to_have_text("The model’s accuracy figures could not be loaded.")


def test_api_page_without_service_says_so(open_page: Open) -> None:
    monitored = open_page("index.html", service_workers="block")
    monitored.expected = ("Service Worker registration blocked", "ERR_FAILED")
    page = monitored.page
    page.route("**/openapi.json", lambda route: route.abort())
    page.goto(f"{monitored.address}/docs.html")
    expect(page.locator("#lead")).to_have_text("The service does not respond. Is it running?")
    expect(page.get_by_role("heading").locator("visible=true")).to_have_count(1)


def test_network_drawing_matches_its_file(open_page: Open, address: str) -> None:
    page = open_page("index.html").page
    network = httpx.get(f"{address}/assets/network/network.json").json()
    expect(page.locator(".layer p")).to_have_count(2 + len(network["blocks"]))
    texts = page.locator(".layer p").all_inner_texts()
    for text, block in zip(texts[1:-1], network["blocks"], strict=True):
        assert f"{block['outputs']} maps of {block['side']} × {block['side']}" in text
    expect(page.locator("#network-lead")).to_contain_text(f"{network['parameters']:,}")
    for image in page.locator("main img").all():
        image.scroll_into_view_if_needed()  # lazily loaded
        image.evaluate("image => image.decode()")
        assert image.evaluate("image => image.complete && image.naturalWidth") > 0


def test_first_page_links_to_predict_page(open_page: Open) -> None:
    page = open_page("").page
    page.get_by_role("link", name="Check a picture").last.click()
    expect(page).to_have_title("Check a picture · imageprocess")


def test_api_page_lists_every_route(open_page: Open, address: str) -> None:
    page = open_page("docs").page
    paths = httpx.get(f"{address}/openapi.json").json()["paths"]
    calls = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
    expect(page.locator("#calls summary code")).to_have_text(calls)
    page.locator("#calls summary").first.click()
    page.get_by_role("link", name="Results").click()
    expect(page.locator("#Results")).to_have_attribute("open", "")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_no_horizontal_scroll_in_ltr_and_rtl(open_page: Open, name: str, viewport: dict[str, int]) -> None:
    page = open_page(name, viewport=viewport).page
    for direction in ("ltr", "rtl"):
        page.evaluate("direction => { document.documentElement.dir = direction; }", direction)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], direction


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_contrast(open_page: Open, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1 against paper and surface."""
    page = open_page(color_scheme=scheme).page
    for ink in ("--ink", "--soft", "--ai", "--real", "--unsure", "--error"):
        for ground in ("--paper", "--surface", "--sunken"):
            assert _contrast(page, ink, ground) >= 4.5, (ink, ground)


def _contrast(page: Page, ink: str, ground: str) -> float:
    colours = page.evaluate(
        """names => names.map((name) => {
            const probe = document.body.appendChild(document.createElement("i"));
            probe.style.color = `var(${name})`;
            const colour = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map((c) => c / 255);
            probe.remove();
            return colour;
        })""",
        [ink, ground],
    )
    linear = [[c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb] for rgb in colours]
    light, dark = sorted((0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05 for r, g, b in linear), reverse=True)
    return light / dark


@pytest.mark.parametrize("name", PAGES)
def test_landmarks_labels_and_headings(open_page: Open, name: str) -> None:
    page = open_page(name).page
    expect(page.get_by_role("main")).to_have_count(1)
    expect(page.get_by_role("banner")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.locator("html")).to_have_attribute("lang", "en")
    unnamed = page.locator("button:visible, input:visible, select:visible, a:visible").evaluate_all(
        """elements => elements.filter((e) => !(e.textContent.trim() || e.ariaLabel || e.labels?.length))
            .map((e) => e.outerHTML)"""
    )
    assert unnamed == []
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
