"""The README's picture of the page: a real verdict on a sample picture.

    python -m bench.screenshot [MODEL]      # a shipped model's name or a model folder

Writes docs/predict.png. Needs Chromium.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from pathlib import Path

import uvicorn
from playwright.sync_api import sync_playwright

from imageprocess.serve.app import create_app
from imageprocess.serve.settings import Settings

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "src/imageprocess/web/assets/samples/spheres.webp"
OUT = ROOT / "docs/predict.png"


def main() -> None:
    app = create_app(Settings(model=sys.argv[1] if len(sys.argv) > 1 else None))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                sys.exit("the service did not start")
            time.sleep(0.01)
        shoot(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
    finally:
        server.should_exit = True
        thread.join()


def shoot(address: str) -> None:
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
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
