"""Costs of the pages in Chromium: first paint, time until the model is ready, time per image of both models, bytes.

    python -m bench.pages [--weights]

Builds the static site, serves it on this machine, and writes bench/results/pages.json and the table in
docs/benchmarks.md. --weights measures only the bytes and keeps the recorded times (for a busy machine). Needs
Chromium and the npm packages of private mode (`make web`); the times also need the large model (`imageprocess model get
clip`).
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from functools import partial
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
    only_weights = "--weights" in sys.argv[1:]
    large = site.thorough_model()
    if large is None and not only_weights:
        sys.exit("the large model is not installed: run `imageprocess model get clip` first")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site.build(folder, site.browser_model(), thorough=large)
        with serving_files(folder) as address, serving_files(folder, isolated=True) as isolated:
            figures = _with_weights(address) if only_weights else measure(address, isolated)
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


def measure(address: str, isolated: str) -> dict[str, float | int | str]:
    """`isolated`: the address at which pages have WebAssembly threads."""
    picture = megapixel()
    with sync_playwright() as playwright:
        browser = _launched(playwright)
        figures: dict[str, float | int | str] = {
            "chromium": browser.version,
            "first_paint_ms": _median(lambda: first_paint_ms(browser, f"{address}/predict.html")),
            "model_ready_ms": _median(lambda: model_ready_ms(browser, address)),
            "cpus": os.cpu_count() or 1,
            **{
                f"{folder}_{threads}_ms": _median(partial(picture_ms, browser, at, picture, f"{folder}/"), 3)
                for folder in ("model", "thorough")
                for threads, at in (("single", address), ("threads", isolated))
            },
            **_weights(browser, address),
        }
        browser.close()
    return figures


def _median(measured, rounds: int = 5) -> float:  # type: ignore[no-untyped-def]
    return round(statistics.median(measured() for _ in range(rounds)), 1)


def _write_table(figures: dict[str, float | int | str]) -> None:
    threads = min(4, int(figures["cpus"]))  # MAX_THREADS of model.js
    rows = [
        ("first paint", f"{figures['first_paint_ms']:.0f} ms", "1,000 ms"),
        ("model ready, first visit", f"{figures['model_ready_ms']:.0f} ms", "3,000 ms"),
        ("a 1-megapixel JPEG, file to verdict, one thread", f"{figures['model_single_ms']:.0f} ms", "150 ms"),
        (f"the same, {threads} threads", f"{figures['model_threads_ms']:.0f} ms", ""),
        ("the same with the large model, one thread", f"{figures['thorough_single_ms']:.0f} ms", ""),
        (f"the same with the large model, {threads} threads", f"{figures['thorough_threads_ms']:.0f} ms", ""),
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
