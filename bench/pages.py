"""Costs of the pages in Chromium: first paint, time until the model is ready, time per image, bytes.

    python -m bench.pages [--weights]

Builds the static site, serves it on this machine, and writes bench/results/pages.json and the table in
docs/benchmarks.md. --weights measures only the bytes and keeps the recorded times (for a busy machine). Needs
Chromium and the npm packages of private mode (`make web`).
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

from bench.markers import write_between
from imageprocess.web import site
from testkit.chromium import CHROMIUM_ARGUMENTS, chromium_path
from testkit.page_costs import first_paint_ms, megapixel, model_ready_ms, picture_ms, weight_bytes
from testkit.serving import serving_files

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results" / "pages.json"


def main() -> None:
    if not site.has_private_mode():
        sys.exit("private mode is not built: run `make web` first (it needs npm)")
    with tempfile.TemporaryDirectory() as folder:
        site.build(Path(folder), site.browser_model())
        with serving_files(Path(folder)) as address:
            figures = _with_weights(address) if "--weights" in sys.argv[1:] else measure(address)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    _write_table(figures)
    print(json.dumps(figures, indent=1))


def _launched(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGUMENTS)


def _weights(browser: Browser, address: str) -> dict[str, int]:
    return {f"{name}_bytes": weight_bytes(browser, f"{address}/{name}") for name in site.PAGES}


def _with_weights(address: str) -> dict[str, float | int | str]:
    """The recorded results with the current bytes of the pages."""
    with sync_playwright() as playwright, _launched(playwright) as browser:
        return {**json.loads(RESULTS.read_text(encoding="utf-8")), **_weights(browser, address)}


def measure(address: str) -> dict[str, float | int | str]:
    with sync_playwright() as playwright:
        browser = _launched(playwright)
        figures: dict[str, float | int | str] = {
            "chromium": browser.version,
            "first_paint_ms": _median(lambda: first_paint_ms(browser, f"{address}/predict.html")),
            "model_ready_ms": _median(lambda: model_ready_ms(browser, address)),
            "megapixel_ms": _median(lambda: picture_ms(browser, address, megapixel()), rounds=3),
            **_weights(browser, address),
        }
        browser.close()
    return figures


def _median(measured, rounds: int = 5) -> float:  # type: ignore[no-untyped-def]
    return round(statistics.median(measured() for _ in range(rounds)), 1)


def _write_table(figures: dict[str, float | int | str]) -> None:
    rows = [
        ("first paint", f"{figures['first_paint_ms']:.0f} ms", "1,000 ms"),
        ("model ready, first visit", f"{figures['model_ready_ms']:.0f} ms", "3,000 ms"),
        ("a 1-megapixel JPEG, file to verdict", f"{figures['megapixel_ms']:.0f} ms", "400 ms"),
        *(
            (f"{name} without the model", f"{figures[f'{name}_bytes'] / 1000:.0f} KB", "100 KB")
            for name in site.PAGES
        ),  # type: ignore[operator]
    ]
    table = "\n".join(
        [
            "| measured on this machine | | budget |",
            "|---|---|---|",
            *(f"| {a} | {b} | {c} |" for a, b, c in rows),
        ]
    )
    write_between(ROOT / "docs" / "benchmarks.md", "pages", table)


if __name__ == "__main__":
    main()
