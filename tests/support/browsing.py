"""A monitored page in Chromium, user actions on it, and direct requests to the service."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page

from testkit.waiting import wait_until

T = TypeVar("T")

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
TIMEOUT_MS = 30_000  # generous, for busy machines


@dataclass
class MonitoredPage:
    """A page with its requests, console errors and page errors."""

    page: Page
    address: str
    requested_urls: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()  # substrings of errors that the test provokes

    def check(self) -> None:
        away = [
            url
            for url in self.requested_urls
            if not url.startswith((self.address + "/", f"blob:{self.address}/"))
        ]
        assert not away, f"requests to another host: {away}"
        unexpected = [text for text in self.errors if not any(part in text for part in self.expected)]
        assert not unexpected, unexpected


@contextmanager
def monitored_page(browser: Browser, address: str, **context: object) -> Iterator[MonitoredPage]:
    """A new page; unexpected errors and requests fail the test when it closes."""
    with browser.new_context(**{"viewport": DESKTOP, "accept_downloads": True, **context}) as opened:
        monitored = MonitoredPage(opened.new_page(), address)
        monitored.page.set_default_timeout(TIMEOUT_MS)
        monitored.page.on("request", lambda request: monitored.requested_urls.append(request.url))
        monitored.page.on("pageerror", lambda error: monitored.errors.append(str(error)))
        monitored.page.on(
            "console",
            lambda message: (
                monitored.errors.append(message.text) if message.type in ("error", "warning") else None
            ),
        )
        yield monitored
        monitored.check()


Open = Callable[..., MonitoredPage]


def choose_files(page: Page, *files: Path) -> None:
    page.set_input_files("#files", list(files))


def run_check(page: Page) -> None:
    """Press the button and wait until all images are checked."""
    page.locator("#run").click()
    page.get_by_role("button", name="again").wait_for()


def post_images(address: str, *files: Path) -> list[dict[str, Any]]:
    sent = [("file", (path.name, path.read_bytes())) for path in files]
    results: list[dict[str, Any]] = httpx.post(f"{address}/v1/detect", files=sent).json()["results"]
    return results


def choose_private(page: Page, *files: Path | dict[str, Any]) -> None:
    """Choose files in private mode, where checking starts immediately, and wait until all are checked."""
    page.set_input_files("#files", list(files))  # type: ignore[arg-type]
    page.get_by_role("button", name="again").wait_for(timeout=8 * TIMEOUT_MS)


def saved_records(page: Page) -> list[dict[str, Any]]:
    """Records from "Save as JSON"."""
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save as JSON").click()
    records: list[dict[str, Any]] = json.loads(Path(saving.value.path()).read_text(encoding="utf-8"))
    return records


def probability(record: dict[str, Any]) -> float:
    """Probability of the model's evidence, whatever decided."""
    evidence = next(item for item in record["evidence"] if item["kind"] == "model")
    return float(evidence["detail"]["probability_ai"])


def process_in_strips(page: Page, cutter: str, rgba: NDArray[np.uint8], spec: dict[str, Any]) -> bytes:
    """Output of `cutter`, a class of private mode ("resample.js Resampler"), for (H, W, 4) pixels passed in two strips,
    as for a large image."""
    height, width = rgba.shape[:2]
    actual = page.evaluate(
        """async ([file, name, rgba, width, height, spec]) => {
            const cutter = new (await import(`./assets/js/private/${file}`))[name](width, height, spec);
            const rows = Uint8Array.from(atob(rgba), (c) => c.charCodeAt(0));
            const half = Math.ceil(height / 2);
            cutter.push(rows.subarray(0, half * width * 4), half);
            cutter.push(rows.subarray(half * width * 4), height - half);
            return btoa(Array.from(cutter.finish(), (byte) => String.fromCharCode(byte)).join(""));
        }""",
        [*cutter.split(), base64.b64encode(rgba.tobytes()).decode(), width, height, spec],
    )
    return base64.b64decode(actual)


def wait_on_page(
    page: Page,
    condition: Callable[[], T],
    *,
    timeout_s: float = TIMEOUT_MS / 1000,
    state: Callable[[], object] | None = None,
) -> T:
    """`wait_until` that processes page events: Playwright delivers them only inside its own calls."""
    return wait_until(
        condition,
        timeout_s=timeout_s,
        interval_s=0.1,
        pause=lambda seconds: page.wait_for_timeout(1000 * seconds),
        state=state,
    )
