"""Chromium with the extension, and sites on 127.0.0.1 with images to check."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Worker, expect, sync_playwright

from imageprocess.web import site
from testkit.chromium import CHROMIUM_ARGUMENTS, chromium_path
from tests.support.browsing import DESKTOP, TIMEOUT_MS, wait_on_page
from tests.support.picture_site import Site

ARGUMENTS = [*CHROMIUM_ARGUMENTS, "--headless=new", "--lang=en"]
EXTENSION = Path(__file__).parents[2] / "extension"


def _builder() -> ModuleType:
    """The module extension/build.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("extension_build", EXTENSION / "build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def builder() -> ModuleType:
    return _builder()


@pytest.fixture(scope="session")
def packages(builder: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output folder of `make extension`."""
    if not site.has_private_mode():
        pytest.skip("the model runtime is missing: run `make web` (needs npm)")
    out = tmp_path_factory.mktemp("extension")
    builder.build(out, site.browser_model())
    return out


class Extension:
    """The extension in a running browser."""

    def __init__(self, context: BrowserContext, worker: Worker) -> None:
        self.context = context
        self.worker = worker
        self.root = worker.url.removesuffix("background.js")
        self.requested_urls: list[str] = []  # URLs of all requests of this browser
        context.on("request", lambda request: self.requested_urls.append(request.url))

    def tab_id(self, page: Page) -> int:
        number: int = self.worker.evaluate(
            "async (url) => (await chrome.tabs.query({})).find((tab) => tab.url === url)?.id", page.url
        )
        return number

    def right_click(self, page: Page, src: str | None, frame_id: int = 0) -> None:
        """Dispatch the event of a click on the context menu entry."""
        self.worker.evaluate(
            """([id, src, frameId]) => chrome.contextMenus.onClicked.dispatch(
                {menuItemId: "check", frameId, ...(src && {mediaType: "image", srcUrl: src})}, {id})""",
            [self.tab_id(page), src, frame_id],
        )

    def panel(self, page: Page) -> Any:
        """The frame of the panel, once it shows a verdict or an error."""

        def panel() -> Any:
            frame = next((one for one in page.frames if one.url.startswith(f"{self.root}panel.html")), None)
            return frame if frame and frame.locator("h2").count() else None

        return wait_on_page(page, panel, state=lambda: [frame.url for frame in page.frames])

    def popup(self, page: Page | None = None, query: str = "") -> Page:
        """The toolbar popup for `page`, opened in a tab."""
        opened = self.context.new_page()
        tab = f"tab={self.tab_id(page)}" if page else ""
        opened.goto(f"{self.root}popup.html?{tab}{query}")
        opened.wait_for_selector("body[data-ready]")
        return opened

    def scan(self, page: Page) -> dict[str, Any]:
        """Check the images of a page; returns the final progress."""
        tab = self.tab_id(page)
        popup = self.popup(page)
        popup.get_by_role("button", name="Check the pictures").click()
        states: deque[dict[str, Any]] = deque(maxlen=10)

        def is_stable() -> bool:
            """Ended, and the same for a second: a page's late images are taken up after 0.7 s."""
            states.append(
                self.worker.evaluate(
                    "(id) => chrome.tabs.sendMessage(id, {call: 'progress'}, {frameId: 0}).catch(() => ({}))",
                    tab,
                )
            )
            last = states[-1]
            is_ended = bool(last.get("checked")) and not last["running"]
            return is_ended and len(states) == 10 and all(state == last for state in states)

        wait_on_page(popup, is_stable, timeout_s=3 * TIMEOUT_MS / 1000, state=lambda: states[-1])
        popup.close()
        return states[-1]


Start = Callable[..., Extension]


@pytest.fixture(scope="module")
def start(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """start(allowed=[match patterns], more=(arguments,), ...): `allowed`: host permissions, as granted by the user."""
    expect.set_options(timeout=TIMEOUT_MS)
    contexts: list[BrowserContext] = []
    with sync_playwright() as playwright:

        def start_one(
            allowed: list[str] | None = None, more: tuple[str, ...] = (), **options: Any
        ) -> Extension:
            folder = packages / "chromium"
            if allowed:
                folder = tmp_path_factory.mktemp("allowed") / "chromium"
                shutil.copytree(packages / "chromium", folder)
                manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
                manifest["host_permissions"] = allowed
                (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
            loaded = [f"--disable-extensions-except={folder}", f"--load-extension={folder}"]
            context = playwright.chromium.launch_persistent_context(
                str(tmp_path_factory.mktemp("profile")),
                executable_path=chromium_path(),
                args=[*ARGUMENTS, *loaded, *more],
                ignore_default_args=["--disable-extensions"],
                **{"viewport": DESKTOP, "accept_downloads": True, **options},
            )
            contexts.append(context)
            context.set_default_timeout(TIMEOUT_MS)
            worker = (
                context.service_workers[0]
                if context.service_workers
                else context.wait_for_event("serviceworker")
            )
            return Extension(context, worker)

        yield start_one
        for context in contexts:
            context.close()


@pytest.fixture(scope="session")
def sites() -> Iterator[tuple[Site, Site]]:
    """A site, and another under a second host name that serves some of its images."""
    with Site("127.0.0.1") as first, Site("localhost") as second:
        yield first, second
