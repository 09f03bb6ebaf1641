"""Scan of a page: lazy images, srcset, backgrounds, data and blob URLs, and images of other sites."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from imageprocess.detector import Detector
from imageprocess.report.records import to_record
from imageprocess.types import Source
from imageprocess.web import site
from testkit.pictures import encode, scene
from tests.support.browsing import wait_on_page
from tests.support.golden_pictures import golden_picture
from tests.support.picture_site import Site

from .conftest import Extension, Start

pytestmark = pytest.mark.e2e
SIZE = "width:160px;height:120px"
BOTH = ["http://127.0.0.1/*", "http://localhost/*"]
Sites = tuple[Site, Site]


def _image_file(seed: int) -> bytes:
    form = ("JPEG", "PNG", "WEBP")[seed % 3]
    picture = golden_picture(seed, 300, 225) if seed % 2 else scene(seed, 300, 225)
    return encode(picture, form)


class ScanPage:
    """A page of sixty images; `read`: URL -> bytes of the images that must be checked."""

    def __init__(self, here: Site, there: Site) -> None:
        self.here, self.there = here, there
        self.read: dict[str, bytes] = {}
        self.skipped_paths: list[str] = []  # paths that must not be requested again
        parts = [self._image(seed) for seed in range(20)]
        parts += [self._set(seed) for seed in range(20, 26)]
        parts += [self._background(seed) for seed in range(26, 32)]
        parts += [self._cross_site(seed) for seed in range(32, 38)]
        parts += [self._data(seed) for seed in range(38, 42)]
        parts += [
            f'<img class="blob" style="{SIZE}" data-from="{self._add(seed)}">' for seed in range(42, 46)
        ]
        parts += self._skipped_images()
        parts += ['<div style="height:4000px"></div>']
        parts += [f'<img loading="lazy" style="{SIZE}" src="{self._add(seed)}">' for seed in range(46, 54)]
        self.address = here.page("".join(parts))

    def _add(self, seed: int, at: Site | None = None) -> str:
        data = _image_file(seed)
        address = (at or self.here).picture(f"/{seed}.{('jpg', 'png', 'webp')[seed % 3]}", data)
        self.read[address] = data
        return address

    def _image(self, seed: int) -> str:
        return f'<img style="{SIZE}" src="{self._add(seed)}">'

    def _set(self, seed: int) -> str:
        """A small candidate beside the one to be checked; a third of them in a <picture>."""
        small = self.here.picture(f"/small-{seed}.png", encode(scene(seed, 80, 60), "PNG"))
        large = self._add(seed)
        if seed % 3:
            return f'<img style="{SIZE}" src="{small}" srcset="{small} 80w, {large} 300w" sizes="60px">'
        return (
            f'<picture><source srcset="{small} 1x, {large} 4x"><img style="{SIZE}" src="{small}"></picture>'
        )

    def _background(self, seed: int) -> str:
        return f"""<div style="{SIZE};background:#eee url('{self._add(seed)}')"></div>"""

    def _cross_site(self, seed: int) -> str:
        return f'<img style="{SIZE}" src="{self._add(seed, self.there)}">'

    def _data(self, seed: int) -> str:
        data = encode(scene(seed, 300, 225), "PNG")
        address = f"data:image/png;base64,{base64.b64encode(data).decode()}"
        self.read[address] = data
        return f'<img style="{SIZE}" src="{address}">'

    def _skipped_images(self) -> list[str]:
        """Images to skip: trackers, hidden, drawings, broken."""
        pixel = encode(scene(1, 1, 1), "PNG")
        trackers = [self.here.picture(f"/tracker-{i}.png", pixel) for i in range(2)]
        self.skipped_paths = [
            "/tracker-0.png",
            "/tracker-1.png",
            "/hidden.png",
            "/drawing.svg",
            "/broken.jpg",
        ]
        hidden = self.here.picture("/hidden.png", _image_file(70))
        drawing = self.here.picture(
            "/drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="200" height="200"/>'
        )
        return [
            f'<img src="{trackers[0]}">',
            f'<img style="{SIZE}" src="{trackers[1]}">',
            f'<img hidden src="{hidden}">',
            f'<img style="{SIZE}" src="{drawing}">',
            f'<img style="{SIZE}" src="{self.here.address}/broken.jpg">',
            f'<img style="{SIZE}" src="data:image/svg+xml,<svg/>">',
        ]

    def open(self, extension: Extension) -> Page:
        page = extension.context.new_page()
        page.goto(self.address)
        page.evaluate(
            """Promise.all([...document.querySelectorAll('.blob')].map(async (img) => {
                const blob = await (await fetch(img.dataset.from)).blob();
                img.src = URL.createObjectURL(blob);
                await img.decode();
            }))"""
        )
        return page


def _badges(page: Page) -> list[str]:
    """Labels of the badges in the closed shadow root."""
    session = page.context.new_cdp_session(page)
    session.send("DOM.enable")
    nodes = session.send("DOM.getFlattenedDocument", {"depth": -1, "pierce": True})["nodes"]
    session.detach()
    named = [
        dict(zip(node["attributes"][::2], node["attributes"][1::2], strict=True))
        for node in nodes
        if node.get("attributes")
    ]
    return [one["data-label"] for one in named if one.get("class") == "badge"]


def _records(extension: Extension, page: Page) -> list[dict[str, Any]]:
    popup = extension.popup(page)
    with popup.expect_download() as saving:
        popup.get_by_role("button", name="Save as JSON").click()
    records: list[dict[str, Any]] = json.loads(Path(saving.value.path()).read_text(encoding="utf-8"))
    popup.close()
    return records


def _extension_requests(log: Path, root: str) -> list[str]:
    """URLs requested by the extension, from the net log of the browser."""
    net_log = json.loads(log.read_text(encoding="utf-8"))
    requests = {
        (event["params"].get("initiator", ""), event["params"]["url"])
        for event in net_log["events"]
        if "url" in event.get("params", {}) and "initiator" in event["params"]
    }
    return [
        url
        for initiator, url in requests
        if initiator.startswith(root.rstrip("/")) and url.startswith("http")
    ]


def test_scan_of_sixty_images(start: Start, sites: Sites, tmp_path: Path) -> None:
    log = tmp_path / "net.json"
    extension = start(allowed=BOTH, more=(f"--log-net-log={log}",))
    scan_page = ScanPage(*sites)
    page = scan_page.open(extension)
    page.wait_for_load_state("networkidle")
    requested_before = [list(one.requested_paths) for one in sites]
    progress = extension.scan(page)
    records = _records(extension, page)
    _same_verdicts(scan_page, records)
    assert len(records) == progress["checked"] == len(scan_page.read) == 54
    assert progress["skipped"] == {"small": 3, "drawing": 2, "broken": 1} and not progress["needs"]
    labels = [record["verdict"]["label"] for record in records]
    assert sorted(_badges(page)) == sorted(labels)
    assert progress["counts"] == {label: labels.count(label) for label in set(labels)}
    again = [
        path
        for path in sites[0].requested_paths[len(requested_before[0]) :]
        if path in scan_page.skipped_paths
    ]
    assert not again, "a skipped image was requested again"
    extension.context.close()
    urls = _extension_requests(log, extension.root)
    assert urls and set(urls) <= set(scan_page.read), "requests other than for the images"


def _same_verdicts(scan_page: ScanPage, records: list[dict[str, Any]]) -> None:
    detector = Detector(str(site.browser_model()))
    expected = {}
    for address, data in scan_page.read.items():
        python_result = to_record(detector.detect(Source(address, data)))
        expected[python_result["sha256"]] = python_result["verdict"]
    assert len(expected) == len(scan_page.read)
    for record in records:
        actual, python_verdict = record["verdict"], expected.pop(record["sha256"])
        assert (actual["label"], actual["decided_by"]) == (
            python_verdict["label"],
            python_verdict["decided_by"],
        )
        assert actual["probability_ai"] == pytest.approx(python_verdict["probability_ai"], abs=1e-4)
    assert not expected, f"{len(expected)} images were not checked"


@pytest.fixture(scope="module")
def extension(start: Start) -> Extension:
    return start(allowed=["http://127.0.0.1/*"])


def test_memory_is_bounded_over_scans(extension: Extension, sites: Sites) -> None:
    """Five pages with sixty large images: each decoded image that leaks holds at least 8 MB."""
    here = sites[0]
    page = extension.context.new_page()
    held = []
    for turn in range(5):
        names = [f"/large-{turn}-{i}.jpg" for i in range(12)]
        for i, name in enumerate(names):
            here.picture(name, encode(scene(100 + 20 * turn + i, 1600, 1200), "JPEG"))
        page.goto(here.page("".join(f'<img src="{name}" width=200 height=150>' for name in names)))
        assert extension.scan(page)["checked"] == len(names)
        held.append(_memory(extension))
    assert held[-1] < 1.25 * held[1], [size // 1_000_000 for size in held]


def _memory(extension: Extension) -> int:
    """Resident bytes of the extension's processes."""
    assert extension.context.browser
    session = extension.context.browser.new_browser_cdp_session()
    processes = [
        Path(f"/proc/{one['id']}") for one in session.send("SystemInfo.getProcessInfo")["processInfo"]
    ]
    session.detach()
    of_extension = [one for one in processes if b"--extension-process" in (one / "cmdline").read_bytes()]
    assert of_extension
    return sum(4096 * int((one / "statm").read_text(encoding="ascii").split()[1]) for one in of_extension)


def test_added_and_removed_images(extension: Extension, sites: Sites) -> None:
    here = sites[0]
    here.picture("/first.png", _image_file(80))
    here.picture("/second.png", _image_file(81))
    page = extension.context.new_page()
    page.goto(here.page(f'<img id="one" style="{SIZE}" src="/first.png">'))
    assert extension.scan(page)["checked"] == 1
    page.evaluate(
        f"""document.body.insertAdjacentHTML('beforeend', '<img style="{SIZE}" src="/second.png">')"""
    )
    wait_on_page(page, lambda: len(_badges(page)) == 2, state=lambda: _badges(page))
    page.evaluate("document.getElementById('one').remove()")
    wait_on_page(page, lambda: len(_badges(page)) == 1, state=lambda: _badges(page))
    popup = extension.popup(page)
    popup.get_by_role("button", name="Remove the badges").click()
    wait_on_page(page, lambda: not _badges(page), state=lambda: _badges(page))
    assert page.evaluate("document.body.children.length") == 1  # the page is unchanged


def test_cross_site_images_are_listed_and_not_read(extension: Extension, sites: Sites) -> None:
    here, there = sites
    address = there.picture("/private.png", _image_file(90))
    page = extension.context.new_page()
    page.goto(here.page(f'<img style="{SIZE}" src="{address}">'))
    progress = extension.scan(page)
    assert progress["counts"] == {"needs": 1} and progress["needs"] == ["http://localhost/*"]
    popup = extension.popup(page)
    expect(popup.locator("#needs-allow")).to_have_text("1 picture is on another site. Allow localhost")
