"""The README's screenshot of the browser extension: real verdicts on a page of sample images.

    make extension && python -m bench.extension_screenshot [--look DIR]

Writes docs/extension.png and a smaller copy for the first page. --look also saves the panel and the popup, light and
dark, in English and Hebrew, into DIR. Needs Chromium.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
from PIL import Image
from playwright.sync_api import BrowserContext, Frame, Page, Playwright, sync_playwright

from testkit.chromium import CHROMIUM_ARGUMENTS, chromium_path
from testkit.serving import serving_files
from testkit.waiting import wait_until

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "build/extension/chromium"
OUT = ROOT / "docs/extension.png"
FIRST_PAGE = ROOT / "src/imageprocess/web/assets/extension.webp"
SAMPLES = ROOT / "src/imageprocess/web/assets/samples"
ARTICLE = """<!doctype html><meta charset=utf-8><title>Field notes</title><meta name=color-scheme content="light dark">
<style>
body { font: 17px/1.6 Georgia, serif; max-width: 1000px; margin: 28px auto; padding: 0 24px }
h1 { font-size: 30px; margin: 0 0 12px } p { margin: 10px 0 18px }
.row { display: grid; grid-template-columns: repeat(3, 1fr); gap: 20px }
img { width: 100%; display: block; border-radius: 4px }
</style>
<h1>Field notes from a week by the water</h1>
<p>We walked along the lake in the morning, came through the town at noon, and found three strange marbles on the way.
Some of what you see here was never there.</p>
<div class=row><img src=lake.png alt=""><img src=street.jpg alt=""><img src=spheres.webp alt=""></div>
<p>Tomorrow we go on to the mountains, where the weather is said to be better and the roads are said to be worse.</p>"""

# All animations have ended and the last change has been painted.
SETTLED = """Promise.all(document.getAnimations({subtree: true}).map(({finished}) => finished))
    .then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))"""


def _opened(playwright: Playwright, folder: Path, language: str, theme: str) -> BrowserContext:
    """A browser with the packaged extension, which is permitted on 127.0.0.1 as after a click on its menu entry."""
    package = folder / f"package-{language}-{theme}"
    shutil.copytree(PACKAGE, package)
    manifest = json.loads((package / "manifest.json").read_text(encoding="utf-8"))
    manifest["host_permissions"] = ["http://127.0.0.1/*"]
    (package / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return playwright.chromium.launch_persistent_context(
        str(folder / f"profile-{language}-{theme}"),
        executable_path=chromium_path(),
        args=[*CHROMIUM_ARGUMENTS, "--headless=new", f"--load-extension={package}"],
        ignore_default_args=["--disable-extensions"],
        viewport={"width": 1120, "height": 700},
        color_scheme=theme,  # type: ignore[arg-type]
    )


def _shoot(context: BrowserContext, address: str, out: Path, language: str, popup_out: Path | None) -> None:
    worker = (
        context.service_workers[0] if context.service_workers else context.wait_for_event("serviceworker")
    )
    root = worker.url.removesuffix("background.js")
    page = context.new_page()
    page.goto(address)
    tab = worker.evaluate(
        "async (url) => (await chrome.tabs.query({})).find((t) => t.url === url).id", address
    )
    popup = context.new_page()
    popup.set_viewport_size({"width": 430, "height": 620})
    popup.goto(f"{root}popup.html?tab={tab}&lang={language}")
    popup.wait_for_selector("body[data-ready]")
    popup.locator("#scan").click()
    _finished(popup, tab)
    if popup_out:
        popup.screenshot(path=popup_out)
    worker.evaluate(
        """([id, src]) => chrome.contextMenus.onClicked.dispatch({mediaType: "image", srcUrl: src}, {id})""",
        [tab, f"{address}lake.png"],
    )
    page.bring_to_front()
    panel = _panel(page)
    panel.locator("h2.verdict").wait_for()
    panel.evaluate(SETTLED)
    page.screenshot(path=out)


def _finished(popup: Page, tab: int) -> None:
    def is_finished() -> bool:
        progress = popup.evaluate(
            "(id) => chrome.tabs.sendMessage(id, {call: 'progress'}, {frameId: 0}).catch(() => null)", tab
        )
        return bool(progress and progress["checked"] == 3 and not progress["running"])

    wait_until(is_finished, timeout_s=240, interval_s=0.2, pause=_pause(popup))
    popup.evaluate(SETTLED)


def _panel(page: Page) -> Frame:
    def panel() -> Frame | None:
        return next((frame for frame in page.frames if "panel.html" in frame.url), None)

    frame = wait_until(panel, pause=_pause(page))
    assert frame is not None
    return frame


def _pause(page: Page) -> Callable[[float], None]:
    return lambda seconds: page.wait_for_timeout(1000 * seconds)


@click.command()
@click.option("--look", type=click.Path(path_type=Path, file_okay=False))
def main(look: Path | None) -> None:
    if not PACKAGE.is_dir():
        sys.exit("no package: run `make extension` first")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        shutil.copytree(SAMPLES, folder / "page")
        (folder / "page/index.html").write_text(ARTICLE, encoding="utf-8")
        shots = [("en", "light", OUT, None)]
        if look:
            look.mkdir(parents=True, exist_ok=True)
            shots += [
                (
                    language,
                    theme,
                    look / f"page-{language}-{theme}.png",
                    look / f"popup-{language}-{theme}.png",
                )
                for language in ("en", "he")
                for theme in ("light", "dark")
            ]
        with serving_files(folder / "page") as address:
            for language, theme, out, popup_out in shots:
                context = _opened(playwright, folder, language, theme)
                _shoot(context, f"{address}/", out, language, popup_out)
                context.close()
                shutil.rmtree(folder / f"package-{language}-{theme}")
                shutil.rmtree(folder / f"profile-{language}-{theme}")
    with Image.open(OUT) as shot:
        shot.convert("RGB").save(FIRST_PAGE, "WEBP", quality=70, method=6)


if __name__ == "__main__":
    main()
