"""Time to first paint, time until the model is ready, time per image and page weight, in a real Chromium."""

from __future__ import annotations

import base64
import io
import statistics

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Response

from testkit.waiting import wait_until

ROUNDS = 7
PRIVATE = (
    "/assets/ort/",
    "/assets/js/private/",
    "/model/",
    "/tools.json",
    "/network/",
)  # files of the model


def megapixel() -> bytes:
    """A JPEG of 1152 x 864 with soft shapes and grain, like a photograph."""
    rng = np.random.default_rng(1)
    blobs = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize(
        (1152, 864), Image.Resampling.BICUBIC
    )
    grain = rng.normal(0, 8, (864, 1152, 1))
    stream = io.BytesIO()
    Image.fromarray(np.clip(np.asarray(blobs) + grain, 0, 255).astype(np.uint8)).save(
        stream, "JPEG", quality=88
    )
    return stream.getvalue()


def first_paint_ms(browser: Browser, address: str) -> float:
    """First contentful paint of a first visit."""
    with browser.new_context(service_workers="block") as context:
        page = context.new_page()
        page.goto(address)
        paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
        return float(
            wait_until(lambda: page.evaluate(paint), pause=lambda s: page.wait_for_timeout(1000 * s))
        )


def model_ready_ms(browser: Browser, address: str) -> float:
    """From the start of a first visit until the model is fetched, compiled and probed."""
    with browser.new_context(service_workers="block") as context:
        page = context.new_page()
        page.goto(f"{address}/predict.html")
        ready = """async () => {
            const { load } = await import("./assets/js/private/client.js");
            await load();
            return performance.now();
        }"""
        return float(page.evaluate(ready))


def picture_ms(browser: Browser, address: str, picture: bytes, folder: str = "model/") -> float:
    """Median time from file to record in private mode, with the model of `folder` loaded."""
    with browser.new_context(service_workers="block") as context:
        page = context.new_page()
        page.goto(f"{address}/predict.html")
        # The page itself loads the small model, which would end the calls below.
        page.wait_for_load_state("networkidle")
        times = page.evaluate(
            """async ([data, rounds, folder]) => {
                const { detect, load } = await import("./assets/js/private/client.js");
                const model = { folder };
                await load(undefined, model);
                const file = new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], "x.jpg");
                const times = [];
                for (let i = 0; i < rounds + 2; i++) {
                    const began = performance.now();
                    const { record } = await detect(file, { mode: "balanced", model });
                    if (record.status !== "ok") throw new Error(JSON.stringify(record));
                    times.push(performance.now() - began);
                }
                return times.slice(2);
            }""",
            [base64.b64encode(picture).decode(), ROUNDS, folder],
        )
        return float(statistics.median(times))


def weight_bytes(browser: Browser, address: str, locale: str = "en-US") -> int:
    """Uncompressed bytes of a first visit, without the files of the model."""
    sizes: dict[str, int] = {}

    def count(response: Response) -> None:
        if response.ok and not any(part in response.url for part in PRIVATE):
            sizes[response.url] = len(response.body())

    with browser.new_context(service_workers="block", locale=locale) as context:
        page = context.new_page()
        page.on("requestfinished", lambda request: count(request.response()))
        page.goto(address)
        page.wait_for_load_state("networkidle")
    return sum(sizes.values())
