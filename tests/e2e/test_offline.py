"""The static site without a network, and with a new model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browsing import Open, choose_private, saved_records, watching
from service import files_served

pytestmark = pytest.mark.e2e
Drawn = dict[str, Path]


def _settled(page: Page, *large: str) -> None:
    """The service worker has kept the pages, and these files are in the cache."""
    page.wait_for_load_state("networkidle")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    for _ in range(200):
        kept = _kept(page)
        if all(any(name in address for address in kept) for name in large):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"kept are only {kept}")


def _kept(page: Page) -> list[str]:
    """The addresses of the large files in the cache."""
    kept: list[str] = page.evaluate(
        """caches.open('imageprocess-private').then((cache) => cache.keys())
            .then((keys) => keys.map(({ url }) => url))"""
    )
    return kept


def test_after_one_visit_it_works_without_a_network(browser: Browser, static_dir: Path, drawn: Drawn) -> None:
    """The first page alone is visited; the other is never seen online."""
    drawn_apart = (static_dir / "below/network/model.onnx").exists()
    with files_served(static_dir) as served, watching(browser, served) as watched:
        page = watched.page
        page.goto(f"{served}/below/index.html")
        _settled(page, "/ort/", "/model/model.onnx", *(["/network/model.onnx"] if drawn_apart else []))
        page.context.set_offline(True)
        watched.expected = ("ERR_INTERNET_DISCONNECTED",)
        _go_on(page, served, drawn)


def _go_on(page: Page, served: str, drawn: Drawn) -> None:
    for route in ("predict.html", "predict.html?lang=he", "predict.html?lang=en"):
        page.goto(f"{served}/below/{route}")
    choose_private(page, drawn["bright.jpg"])
    assert saved_records(page)[0]["status"] == "ok"
    page.goto(f"{served}/below/")
    page.get_by_role("button", name="Three balls").click()
    expect(page.locator("#tried h3.verdict")).to_be_visible()
    expect(page.locator(".sheet")).to_have_count(4)


def test_a_new_model_replaces_the_kept_one(
    browser: Browser, static_dir: Path, tiny_model_dir: Path, tmp_path: Path, drawn: Drawn
) -> None:
    folder = tmp_path / "site"
    shutil.copytree(static_dir, folder)
    with files_served(folder) as served, watching(browser, served) as watched:
        page = watched.page
        page.goto(f"{served}/below/predict.html")
        choose_private(page, drawn["bright.jpg"])
        before = saved_records(page)[0]["model"]
        _settled(page, "/ort/", "/model/model.onnx")
        for name in ("model.json", "model.onnx"):
            shutil.copy(tiny_model_dir / name, folder / "below/model" / name)
        page.reload()
        choose_private(page, drawn["bright.jpg"])
        record = saved_records(page)[0]
        assert record["model"]["name"] == "tiny" and record["model"] != before
        assert record["verdict"]["label"] == "ai"
        sha256 = json.loads((tiny_model_dir / "model.json").read_text())["files"]["model.onnx"]
        assert [address for address in _kept(page) if ".onnx" in address] == [
            f"{served}/below/model/model.onnx?v={sha256}"
        ]


def test_no_page_asks_for_anything_that_is_not_there(open_static: Open) -> None:
    """Every address that a page of the static site asks for answers, and is of this host."""
    for name in ("index.html", "predict.html", "docs.html"):
        watched = open_static(name)
        failed: list[str] = []
        watched.page.on(
            "response", lambda response, failed=failed: response.ok or failed.append(response.url)
        )
        watched.page.reload()
        watched.page.wait_for_load_state("networkidle")
        assert failed == []
