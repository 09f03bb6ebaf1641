"""The extension in Firefox: engine, and scan of a page with images of another site."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imageprocess.detector import Detector
from testkit.pictures import encode, gradient, scene
from testkit.waiting import wait_until
from tests.support.firefox import Firefox, firefox_running
from tests.support.picture_site import Site

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    if not (shutil.which("firefox") or shutil.which("firefox-esr")):
        pytest.skip("needs Firefox: `apt-get install firefox-esr`")
    with firefox_running(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def root(firefox: Firefox, packages: Path) -> str:
    """Root URL of the extension's pages."""
    (package,) = packages.glob("*-firefox.zip")
    return firefox.install(package)


def test_verdict_matches_command_line_in_firefox(firefox: Firefox, root: str) -> None:
    data = encode(scene(3, 640, 480), "JPEG", quality=90)
    firefox.open(f"{root}popup.html")
    answer = firefox.evaluate(
        """const question = {to: "engine", call: "check", name: "a.jpg", mode: "balanced", url: arguments[0]};
        return browser.runtime.sendMessage({to: "background", call: "start"})
            .then(() => browser.runtime.sendMessage(question))""",
        "data:image/jpeg;base64," + base64.b64encode(data).decode(),
    )
    expected = Detector().detect(data)
    assert answer["record"]["verdict"]["label"] == expected.verdict.label  # type: ignore[union-attr]
    actual = next(item for item in answer["record"]["evidence"] if item["kind"] == "model")
    own = next(item for item in expected.evidence if item.kind == "model")
    assert abs(actual["detail"]["probability_ai"] - own.detail["probability_ai"]) < 0.01


def _scan(firefox: Firefox, root: str, address: str) -> dict[str, Any]:
    """Start a scan of a page, as the popup does; returns the final progress."""
    page = firefox.open(address)
    firefox.open(f"{root}popup.html")
    tab = firefox.evaluate(
        "return browser.tabs.query({}).then((tabs) => tabs.find(({ url }) => url === arguments[0]).id)",
        address,
    )
    reached = firefox.evaluate(
        """return browser.runtime.sendMessage({to: "background", call: "scan", tabId: arguments[0]})""", tab
    )
    assert reached == {"value": True}

    def progress() -> dict[str, Any]:
        state: dict[str, Any] = firefox.evaluate(
            """return browser.tabs.sendMessage(arguments[0], {call: "progress"}, {frameId: 0})""", tab
        )
        return state

    def finished() -> dict[str, Any] | None:
        state = progress()
        return state if state["checked"] and not state["running"] else None

    result = wait_until(finished, timeout_s=120, interval_s=0.2, state=progress)
    assert result is not None
    firefox.switch(page)
    return result


def test_scan_respects_permissions(firefox: Firefox, root: str, sites: tuple[Site, Site]) -> None:
    first, second = sites
    firefox.allow("*://127.0.0.1/*")
    near = [first.picture(f"/ff-{i}.png", encode(scene(i, 300, 200), "PNG")) for i in range(3)]
    far = second.picture("/ff-far.jpg", encode(gradient(300, 200), "JPEG"))
    page = first.page("".join(f'<img src="{url}" width=300 height=200>' for url in [*near, far]))
    progress = _scan(firefox, root, page)
    assert progress["checked"] == 4 and progress["needs"] == ["http://localhost/*"]
    firefox.allow("*://localhost/*")
    progress = _scan(firefox, root, page + "?again")
    assert progress["checked"] == 4 and progress["needs"] == []
