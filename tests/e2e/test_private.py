"""predict.html in private mode: images are checked in the browser, without a service."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from imageprocess.detector import Detector
from imageprocess.model import registry
from imageprocess.types import Source
from imageprocess.web import site
from testkit.pictures import encode, scene
from testkit.records import png_chunk
from testkit.service import running
from tests.support.browsing import Open, choose_private, post_images, saved_records
from tests.support.golden_pictures import golden_pictures

pytestmark = pytest.mark.e2e
ImageFiles = dict[str, Path]


def test_image_is_checked_immediately_and_nothing_is_sent(open_static: Open, image_files: ImageFiles) -> None:
    monitored = open_static()
    page = monitored.page
    expect(page.locator("#privacy")).to_contain_text("nothing is sent anywhere")
    expect(page.locator("#where")).to_be_hidden()  # there is no choice here
    page.get_by_role("status").wait_for(state="attached")
    choose_private(page, image_files["bright.jpg"])
    expect(page.locator("h2.verdict")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("bright.jpg: ")
    sent: list[str] = []
    monitored.page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    choose_private(page, image_files["dark.png"], image_files["grey.webp"])
    expect(page.get_by_role("status")).to_contain_text("2 pictures checked")
    assert {line.rpartition("/")[2] for line in sent} <= {"icons.svg"} and all(
        line.startswith("GET") for line in sent
    )


def test_at_most_200_files(open_static: Open) -> None:
    small = [encode(scene(seed, 160, 120), "JPEG", quality=80) for seed in range(8)]
    files: list[Any] = [
        {"name": f"{i:03}.jpg", "mimeType": "image/jpeg", "buffer": small[i % 8]} for i in range(203)
    ]
    page = open_static().page
    choose_private(page, *files)
    expect(page.get_by_role("article")).to_have_count(200)
    expect(page.locator("#rows tr")).to_have_count(200)
    expect(page.get_by_role("status")).to_contain_text("200 pictures checked")
    records = saved_records(page)
    assert [record["source"] for record in records] == [f"{i:03}.jpg" for i in range(200)]
    assert {record["status"] for record in records} == {"ok"}
    assert len({record["sha256"] for record in records}) == 8


def test_skipped_files_are_reported(open_static: Open, image_files: ImageFiles) -> None:
    page = open_static().page
    page.set_input_files("#files", [image_files["grey.webp"]] * 201)
    expect(page.get_by_role("alert").filter(has_text="At most 200 pictures at a time: 1")).to_be_visible()
    page.get_by_role("button", name="Start over").click()


def test_stop_and_resume(open_static: Open, image_files: ImageFiles) -> None:
    page = open_static().page
    page.set_input_files("#files", [image_files["bright.jpg"]] * 60)
    page.locator("h2.verdict").first.wait_for()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("status")).to_contain_text("Stopped.")
    done = page.locator("h2.verdict").count()
    assert 1 <= done < 60
    expect(page.locator("#progress")).to_be_hidden()
    page.get_by_role("button", name=f"Check {60 - done} picture").click()
    expect(page.locator("h2.verdict")).to_have_count(60)


def test_damaged_and_unsupported_files_have_different_errors(
    open_static: Open, image_files: ImageFiles
) -> None:
    page = open_static().page
    choose_private(
        page,
        image_files["broken.jpg"],
        image_files["notes.txt"],
        image_files["scan.tif"],
        image_files["dark.png"],
    )
    codes = [record.get("error", {}).get("code") for record in saved_records(page)]
    assert codes == ["corrupt", "unsupported_format", "unsupported_format", None]
    scan = page.get_by_role("article", name="scan.tif")
    expect(scan.locator(".reason")).to_have_text(
        "Browsers cannot open TIFF files. The service and the command line can."
    )
    expect(scan.get_by_role("button", name="Send this one")).to_have_count(0)  # there is no service


def test_hostile_files_do_not_break_the_worker(open_static: Open, shared_dir: Path) -> None:
    """Files of decoder fuzzing corpora; afterwards the same worker still checks a valid image."""
    folder = shared_dir / "hostile"
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size < 100_000]
    if not files:
        pytest.skip("needs ../shared/hostile")
    chosen = [path.read_bytes() for path in files[:: max(1, len(files) // 80)]]
    sound = encode(scene(1), "PNG")
    page = open_static("docs.html").page
    codes = page.evaluate(
        """async (files) => {
            const { detect } = await import("./assets/js/private/client.js");
            const codes = [];
            for (const data of files) {
                const file = new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], "x");
                const { status, error } = (await detect(file, { mode: "balanced" })).record;
                codes.push(error?.code ?? status);
            }
            return codes;
        }""",
        [base64.b64encode(data).decode() for data in [*chosen, sound]],
    )
    assert set(codes) <= {"ok", "corrupt", "unsupported_format", "too_many_pixels"}
    assert codes[-1] == "ok" and "corrupt" in codes


def _large_png(width: int, height: int) -> bytes:
    """A uniform grey PNG of a few kilobytes for any size."""
    packed = zlib.compressobj(1)
    body = packed.compress(b"\0" + b"\x60" * width) + b"".join(
        packed.compress(b"\0" + b"\x60" * width) for _ in range(height - 1)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", body + packed.flush()), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, body) for kind, body in chunks)


def test_60_megapixels_are_accepted_and_240_are_rejected(open_static: Open) -> None:
    page = open_static().page
    files: list[Any] = [
        {"name": f"{width}.png", "mimeType": "image/png", "buffer": _large_png(width, height)}
        for width, height in ((10_000, 6_000), (20_000, 12_000))
    ]
    choose_private(page, *files)
    sixty, more = saved_records(page)
    assert (sixty["image"]["width"], sixty["image"]["height"]) == (10_000, 6_000)
    assert sixty["verdict"]["label"] in ("ai", "real", "unsure")
    assert more["error"]["code"] == "too_many_pixels"


def test_no_preview_for_image_over_pixel_limit(open_page: Open) -> None:
    page = open_page().page
    picture = {"name": "x.png", "mimeType": "image/png", "buffer": _large_png(10_001, 10_001)}
    page.set_input_files("#files", picture)  # type: ignore[arg-type]
    expect(page.locator(".frame")).to_have_attribute("data-drawn", "false")


def test_mode_change_updates_verdict_immediately(open_static: Open, tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(_unsure_image())
    page = open_static().page
    choose_private(page, path)
    page.get_by_label("How certain an answer must be").select_option("high-confidence")
    expect(page.locator(".decided b")).to_have_text("all the evidence, without a firm answer")
    page.get_by_label("How certain an answer must be").select_option("best-guess")
    expect(page.locator(".decided b")).to_have_text("the model, from the pixels alone")


def test_mode_changed_during_run_applies(open_static: Open, image_files: ImageFiles) -> None:
    """The mode changes when the first image starts."""
    page = open_static().page
    page.evaluate(
        """() => {
            const mode = document.getElementById("mode");
            new MutationObserver((_, watch) => {
                if (!document.querySelector("[data-state=running]")) return;
                watch.disconnect();
                mode.value = "best-guess";
                mode.dispatchEvent(new Event("change"));
            }).observe(document.getElementById("cards"), { subtree: true, attributes: true });
        }"""
    )
    choose_private(page, image_files["grey.webp"], image_files["dark.png"])
    expect(page.get_by_role("status")).to_contain_text("2 pictures checked")
    expected = registry.verify(registry.resolve()).thresholds["best-guess"]
    for record in saved_records(page):
        thresholds = next(item for item in record["evidence"] if item["kind"] == "model")["detail"][
            "thresholds"
        ]
        assert (thresholds["ai"], thresholds["real"]) == (expected.ai, expected.real)


def _unsure_image() -> bytes:
    """An image that is unsure for the shipped model in mode high-confidence."""
    detector = Detector()
    for name, data in golden_pictures().items():
        if detector.detect(Source(name, data), mode="high-confidence").verdict.label == "unsure":  # type: ignore[union-attr]
            return data
    raise AssertionError("no image is unsure for this model")


def test_canvas_noise_is_detected(open_static: Open, static_dir: Path) -> None:
    """Anti-fingerprinting noise: some changed bits in the pixels of the canvas."""
    noise = """
        const read = OffscreenCanvasRenderingContext2D.prototype.getImageData;
        OffscreenCanvasRenderingContext2D.prototype.getImageData = function (...place) {
            const image = read.apply(this, place);
            for (let i = 0; i < image.data.length; i += 97) image.data[i] ^= 1;
            return image;
        };
    """
    worker = (static_dir / "below/assets/js/private/worker.js").read_text(encoding="utf-8")
    monitored = open_static(
        "docs.html", service_workers="block"
    )  # Playwright routes do not reach workers of a service worker
    monitored.expected = ("Service Worker registration blocked",)
    page = monitored.page
    page.route(
        "**/private/worker.js",
        lambda route: route.fulfill(body=noise + worker, content_type="text/javascript"),
    )
    page.goto(f"{monitored.address}/predict.html")
    expect(page.locator("#noisy")).to_be_visible()
    expect(page.locator("#noisy")).to_contain_text("less reliable")
    page.unroute_all()
    page.reload()
    page.wait_for_load_state("networkidle")
    expect(page.locator("#noisy")).to_be_hidden()


def test_switch_between_browser_and_service(open_page: Open, image_files: ImageFiles, address: str) -> None:
    if not site.has_private_mode():
        pytest.skip("private mode is not built: run `make web` (needs npm)")
    monitored = open_page()
    page = monitored.page
    assert page.evaluate("crossOriginIsolated")  # else the model has one thread
    expect(page.get_by_label("On the service")).to_be_checked()
    expect(page.locator("#privacy")).to_contain_text("The service runs on this computer")
    page.get_by_text("In this browser", exact=True).click()
    expect(page.locator("#privacy")).to_contain_text("nothing is sent anywhere")
    choose_private(
        page,
        image_files["bright.jpg"],
        image_files["dark.png"],
        image_files["grey.webp"],
        image_files["scan.tif"],
    )
    assert not any("detect" in url for url in monitored.requested_urls)
    here = saved_records(page)
    records = post_images(
        address, image_files["bright.jpg"], image_files["dark.png"], image_files["grey.webp"]
    )
    for actual, expected in zip(here, records, strict=False):
        assert actual["verdict"]["label"] == expected["verdict"]["label"]
        assert actual["verdict"]["probability_ai"] == pytest.approx(
            expected["verdict"]["probability_ai"], abs=0.001
        )
    page.get_by_role("article", name="scan.tif").get_by_role(
        "button", name="Send this picture to the service"
    ).click()
    expect(page.get_by_role("article", name="scan.tif").get_by_role("heading")).to_have_text(
        "Very likely AI-made"
    )
    # Only this file is sent, now or later.
    expect(page.locator("#where-browser")).to_be_checked()
    page.set_input_files("#files", image_files["=cmd.png"])
    expect(page.get_by_role("article", name="=cmd.png").get_by_role("heading")).to_be_visible()
    assert sum("v1/detect" in url for url in monitored.requested_urls) == 1


def test_page_says_when_private_mode_is_not_built(
    open_page: Open, image_files: ImageFiles, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "RUNTIME", tiny_model_dir)
    with running(tiny_model_dir) as address:
        page = open_page(at=address).page
        expect(page.locator("#privacy")).to_contain_text("Private mode is not installed on this site")
        expect(page.locator("#where")).to_be_hidden()
        page.set_input_files("#files", image_files["bright.jpg"])
        page.get_by_role("button", name="Check picture").click()
        expect(page.locator("h2.verdict")).to_have_text("Very likely AI-made")


def test_missing_model_file_is_reported(open_static: Open, image_files: ImageFiles) -> None:
    monitored = open_static("docs.html", service_workers="block")
    monitored.expected = ("404", "Service Worker registration blocked")
    page = monitored.page
    page.route("**/model.onnx*", lambda route: route.fulfill(status=404))
    page.goto(f"{monitored.address}/predict.html")
    page.set_input_files("#files", image_files["bright.jpg"])
    expect(page.get_by_role("alert").locator("visible=true")).to_contain_text(
        "could not be started in this browser"
    )
    page.unroute_all()
    page.get_by_role("button", name="Check picture").click()
    expect(page.locator("h2.verdict")).to_be_visible()
