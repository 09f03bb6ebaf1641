"""The right-click path: from the menu's event to a verdict beside the picture."""

from __future__ import annotations

import pytest

from picture_site import Site
from pictures import encode, scene
from records import png_texts

pytestmark = pytest.mark.e2e


def test_probe(start, sites) -> None:
    first, second = sites
    ext = start(allowed=["http://127.0.0.1/*"])
    url = first.picture("/a.jpg", encode(scene(1, 640, 480), "JPEG"))
    page = ext.context.new_page()
    page.on("console", lambda m: print("PAGE", m.text))
    ext.worker.on("console", lambda m: print("SW", m.text))
    ext.context.on("page", lambda p: (print("NEW PAGE", p.url), p.on("console", lambda m: print("P2", p.url, m.text))))
    page.goto(first.page('<img src="/a.jpg" width=400>'))
    ext.right_click(page, url)
    panel = ext.panel(page)
    print(panel.locator("body").inner_text())
    page.screenshot(path="/tmp/probe.png")
    assert 0
