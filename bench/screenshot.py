"""The README's screenshot of predict.html: a real verdict on a sample image.

    python -m bench.screenshot [MODEL]      # a shipped model's name or a model folder

Writes docs/predict.png. Needs Chromium.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from testkit.chromium import CHROMIUM_ARGUMENTS, chromium_path
from testkit.service import running

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "src/imageprocess/web/assets/samples/spheres.webp"
OUT = ROOT / "docs/predict.png"


def main() -> None:
    with running(sys.argv[1] if len(sys.argv) > 1 else None) as address:
        shoot(address)


def shoot(address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1120, "height": 860})
        page.goto(f"{address}/predict.html")
        page.set_input_files("#files", PICTURE)
        page.get_by_role("button", name="Check picture").click()
        page.get_by_role("button", name="Check it again").wait_for()
        page.evaluate("scrollTo(0, 0)")
        OUT.parent.mkdir(exist_ok=True)
        page.screenshot(path=OUT)
        browser.close()


if __name__ == "__main__":
    main()
