"""The static site offline, and after updates of model and release."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from imageprocess.web import site
from testkit.serving import serving_files
from tests.support.browsing import (
    MonitoredPage,
    Open,
    choose_private,
    monitored_page,
    saved_records,
    wait_on_page,
)

pytestmark = pytest.mark.e2e
ImageFiles = dict[str, Path]


def _wait_for_cache(page: Page, *large: str) -> None:
    """Wait until the service worker has cached the pages and these files."""
    page.wait_for_load_state("networkidle")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")

    def has_all() -> bool:
        cached = _cached_urls(page)
        return all(any(name in address for address in cached) for name in large)

    wait_on_page(page, has_all, state=lambda: _cached_urls(page))


def _cached_urls(page: Page) -> list[str]:
    """URLs of the large files in the cache."""
    urls: list[str] = page.evaluate(
        """caches.open('imageprocess-private').then((cache) => cache.keys())
            .then((keys) => keys.map(({ url }) => url))"""
    )
    return urls


def test_works_offline_after_one_visit(browser: Browser, static_dir: Path, image_files: ImageFiles) -> None:
    """Only the first page is visited online."""
    drawn_apart = (static_dir / "below/network/model.onnx").exists()
    with serving_files(static_dir) as served, monitored_page(browser, served) as monitored:
        page = monitored.page
        page.goto(f"{served}/below/index.html")
        _wait_for_cache(page, "/ort/", "/model/model.onnx", *(["/network/model.onnx"] if drawn_apart else []))
        page.context.set_offline(True)
        monitored.expected = ("ERR_INTERNET_DISCONNECTED",)
        _check_offline(page, served, image_files)


def _check_offline(page: Page, served: str, image_files: ImageFiles) -> None:
    for route in ("predict.html", "predict.html?lang=he", "predict.html?lang=en"):
        page.goto(f"{served}/below/{route}")
        assert page.evaluate("crossOriginIsolated"), route
    choose_private(page, image_files["bright.jpg"])
    assert saved_records(page)[0]["status"] == "ok"
    page.goto(f"{served}/below/")
    page.get_by_role("button", name="Three balls").click()
    expect(page.locator("#tried h3.verdict")).to_be_visible()
    expect(page.locator(".sheet")).to_have_count(4)


def test_has_threads_from_second_visit(browser: Browser, static_dir: Path, image_files: ImageFiles) -> None:
    """The service worker sends the headers that a static host cannot send."""
    with serving_files(static_dir) as served, monitored_page(browser, served) as monitored:
        page = monitored.page
        records = []
        for is_isolated in (False, True):
            page.goto(f"{served}/below/predict.html")
            _wait_for_cache(page)
            assert page.evaluate("crossOriginIsolated") is is_isolated
            choose_private(page, image_files["bright.jpg"])
            records += saved_records(page)
        assert [record["status"] for record in records] == ["ok", "ok"]
        assert records[0]["verdict"] == records[1]["verdict"]


@contextmanager
def _modifiable_site(
    browser: Browser, static_dir: Path, tmp_path: Path
) -> Iterator[tuple[Path, MonitoredPage]]:
    """A modifiable copy of the site with predict.html open."""
    shutil.copytree(static_dir, tmp_path / "site")
    with serving_files(tmp_path / "site") as served, monitored_page(browser, served) as monitored:
        monitored.page.goto(f"{served}/below/predict.html")
        yield tmp_path / "site/below", monitored


def test_new_model_replaces_cached_one(
    browser: Browser, static_dir: Path, tiny_model_dir: Path, tmp_path: Path, image_files: ImageFiles
) -> None:
    with _modifiable_site(browser, static_dir, tmp_path) as (below, monitored):
        page = monitored.page
        choose_private(page, image_files["bright.jpg"])
        before = saved_records(page)[0]["model"]
        _wait_for_cache(page, "/ort/", "/model/model.onnx")
        for name in ("model.json", "model.onnx"):
            shutil.copy(tiny_model_dir / name, below / "model" / name)
        page.reload()
        choose_private(page, image_files["bright.jpg"])
        record = saved_records(page)[0]
        assert record["model"]["name"] == "tiny" and record["model"] != before
        assert record["verdict"]["label"] == "ai"
        sha256 = json.loads((tiny_model_dir / "model.json").read_text())["files"]["model.onnx"]
        assert [address for address in _cached_urls(page) if ".onnx" in address] == [
            f"{monitored.address}/below/model/model.onnx?v={sha256}"
        ]


def test_new_release_is_cached_completely(
    browser: Browser, static_dir: Path, tmp_path: Path, image_files: ImageFiles
) -> None:
    """One visit after the release suffices, for new files and for files not requested yet."""
    with _modifiable_site(browser, static_dir, tmp_path) as (below, monitored):
        page = monitored.page
        _wait_for_cache(page, "/ort/", "/model/model.onnx")
        _release(below)
        page.reload()
        page.wait_for_function(
            """async () => (await (await caches.match(new URL("shell.json", location)))?.text())?.includes("newer")"""
        )
        page.context.set_offline(True)
        monitored.expected = ("ERR_INTERNET_DISCONNECTED",)
        page.reload()
        choose_private(page, image_files["bright.jpg"])
        assert page.evaluate("newer") == 1
        assert page.evaluate("import('./assets/js/exports.js').then(({ newer }) => newer)") == 1


def _release(below: Path) -> None:
    """One more file that is requested immediately, and one that is requested later."""
    scripts = below / "assets/js"
    (scripts / "newer.js").write_text("export const newer = (globalThis.newer = 1);\n", encoding="utf-8")
    for name in ("predict.js", "exports.js"):
        text = (scripts / name).read_text(encoding="utf-8")
        (scripts / name).write_text(f'export * from "./newer.js";\n{text}', encoding="utf-8")
    shell = json.loads((below / "shell.json").read_text(encoding="utf-8"))
    changed = {f"assets/js/{name}": "new" for name in ("newer.js", "predict.js", "exports.js")}
    (below / "shell.json").write_text(json.dumps(shell | changed), encoding="utf-8")


def test_cache_manifest_changes_with_content(tmp_path: Path, tiny_model_dir: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model_dir, folder)
    before = site.shell(folder)
    with (folder / "model.json").open("a", encoding="utf-8") as stream:
        stream.write("\n")
    after = site.shell(folder)
    assert {address for address in after if after[address] != before[address]} == {"model/model.json"}
    assert set(before) == set(after) >= {"site.json", "predict.html", "assets/js/feedback.js"}


def test_no_page_requests_missing_files(open_static: Open) -> None:
    """Every URL that a page of the static site requests exists and is on this host."""
    for name in ("index.html", "predict.html", "docs.html"):
        monitored = open_static(name)
        failed: list[str] = []
        monitored.page.on(
            "response", lambda response, failed=failed: response.ok or failed.append(response.url)
        )
        monitored.page.reload()
        monitored.page.wait_for_load_state("networkidle")
        assert failed == []
