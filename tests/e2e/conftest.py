"""Chromium, the service and the static site."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from imageprocess.serve.app import create_app
from imageprocess.serve.settings import Settings
from imageprocess.web import site
from testkit.chromium import CHROMIUM_ARGUMENTS, chromium_path
from testkit.pictures import encode, plain
from testkit.service import running
from testkit.serving import serving_files
from tests.support.browsing import TIMEOUT_MS, MonitoredPage, Open, monitored_page

ARGUMENTS = [*CHROMIUM_ARGUMENTS, "--headless"]


# One per file, not one per run: Playwright keeps an event loop running in the main thread, and later tests run loops
# of their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address(tiny_model_dir: Path) -> Iterator[str]:
    with running(tiny_model_dir) as address:
        yield address


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Open]:
    """open_page("predict.html", at=another service's address, viewport=..., color_scheme=...)"""
    yield from _opening(browser, address)


def _opening(browser: Browser, address: str) -> Iterator[Open]:
    with ExitStack() as stack:

        def open_one(name: str = "predict.html", at: str = address, **context: object) -> MonitoredPage:
            monitored = stack.enter_context(monitored_page(browser, at, **context))
            monitored.page.goto(f"{at}/{name}")
            monitored.page.wait_for_load_state("networkidle")
            return monitored

        yield open_one


@pytest.fixture(scope="session")
def static_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The static site with the shipped model, as `make site` builds it."""
    if not site.has_private_mode():
        pytest.skip("private mode is not built: run `make web` (needs npm)")
    folder = (
        tmp_path_factory.mktemp("static") / "below"
    )  # project pages are served below the root of their host
    document = json.dumps(create_app(Settings()).openapi())
    site.build(folder, site.browser_model(), issues="https://issues.example/new", openapi=document)
    return folder.parent


@pytest.fixture(scope="session")
def static_address(static_dir: Path) -> Iterator[str]:
    with serving_files(static_dir) as address:
        yield f"{address}/below"


@pytest.fixture
def open_static(browser: Browser, static_address: str) -> Iterator[Open]:
    """As open_page, on the static site."""
    yield from _opening(browser, static_address)


@pytest.fixture(scope="session")
def image_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Image files by name. For the tiny model bright is AI, dark is real, grey is unsure."""
    folder = tmp_path_factory.mktemp("drawn")
    jpeg = encode(plain(250, 600, 400), "JPEG")
    contents = {
        "bright.jpg": jpeg,
        "dark.png": encode(plain(5, 300, 500), "PNG"),
        "grey.webp": encode(plain(128, 200, 200), "WEBP"),
        "=cmd.png": encode(plain(250, 200, 200), "PNG"),
        "broken.jpg": jpeg[: len(jpeg) // 3],
        "notes.txt": b"not a picture",
        "scan.tif": encode(
            plain(250, 200, 200), "TIFF", compression="jpeg"
        ),  # a format that no browser reads
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in contents}
