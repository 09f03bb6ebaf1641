"""predict.html as a person uses it."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from imageprocess.report.table import csv_header
from testkit.pictures import encode, plain
from tests.support.browsing import PHONE, Open, check, choose, put
from tests.support.service import running

pytestmark = pytest.mark.e2e
Drawn = dict[str, Path]


def test_one_picture_from_file_to_verdict(open_page: Open, drawn: Drawn) -> None:
    watched = open_page()
    page = watched.page
    expect(page.locator("#limits")).to_contain_text("20 MB")
    choose(page, drawn["bright.jpg"])
    expect(page.get_by_role("img", name="Preview of bright.jpg")).to_be_visible()
    assert not any("detect" in url for url in watched.asked)  # nothing leaves before it is asked for
    check(page)
    card = page.get_by_role("article", name="bright.jpg")
    expect(card.get_by_role("heading")).to_have_text("Very likely AI-made")
    expect(card.locator(".reason")).to_contain_text("chance that an AI made it")
    expect(card.locator(".decided")).to_have_text("Based on the model, from the pixels alone")
    expect(card.locator(".facts")).to_contain_text("JPEG · 600 × 400")
    card.get_by_text("Evidence").click()
    expect(card.locator(".evidence").get_by_role("listitem")).to_contain_text("it proves nothing alone")
    expect(page.get_by_role("status")).to_have_text("bright.jpg: Very likely AI-made")


def test_the_bar_shows_the_probability_and_the_band_of_unsure(
    open_page: Open, address: str, tmp_path: Path
) -> None:
    path = tmp_path / "lighter.png"
    path.write_bytes(encode(plain(140), "PNG"))
    page = open_page().page
    choose(page, path)
    check(page)
    probability = put(address, path)[0]["verdict"]["probability_ai"]
    assert 0.6 < probability < 0.8
    meter = page.get_by_role("meter")
    expect(meter).to_have_attribute("aria-valuenow", str(round(100 * probability)))
    expect(meter).to_have_attribute(
        "aria-valuetext", re.compile("20% to 80% this setting gives no firm answer")
    )
    expect(page.locator(".meter")).to_have_attribute("style", re.compile("--low: 0.2.*--high: 0.8"))
    assert _needle(page) == pytest.approx(probability, abs=0.01)
    page.evaluate("document.documentElement.dir = 'rtl'")
    assert _needle(page) == pytest.approx(1 - probability, abs=0.01)


def _needle(page: Page) -> float:
    """Where it stands on the bar, from the left."""
    track, needle = page.get_by_role("meter").bounding_box(), page.locator(".needle").bounding_box()
    assert track and needle
    return (needle["x"] + needle["width"] / 2 - track["x"]) / track["width"]


def test_the_mode_is_the_services(open_page: Open, drawn: Drawn) -> None:
    page = open_page().page
    choose(page, drawn["grey.webp"])
    check(page)
    expect(page.locator("h2.verdict")).to_have_text("Cannot tell")
    page.get_by_label("How certain an answer must be").select_option("best-guess")
    expect(page.locator("h2.verdict")).to_have_text(re.compile("Leaning"))  # at once


def test_another_mode_sends_nothing_that_was_not_sent(open_page: Open, drawn: Drawn) -> None:
    watched = open_page()
    page = watched.page
    choose(page, drawn["grey.webp"])
    check(page)
    choose(page, drawn["dark.png"])  # waits for the button
    page.get_by_label("How certain an answer must be").select_option("best-guess")
    expect(page.locator("h2.verdict")).to_have_text(re.compile("Leaning"))
    expect(page.get_by_role("article", name="dark.png")).to_contain_text("Ready to be checked.")
    assert sum("v1/detect" in url for url in watched.asked) == 2


def test_what_is_no_picture_gets_an_answer(open_page: Open, tmp_path: Path) -> None:
    page = open_page().page
    paste = """text => {
        const data = new DataTransfer();
        data.setData("text/plain", text);
        document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
    }"""
    page.evaluate(paste, "https://pictures.example/a.jpg")
    expect(page.locator("#problem")).to_contain_text("That is a link")
    page.evaluate(paste, "hello")
    expect(page.locator("#problem")).to_have_text("There is no picture in what was pasted.")
    page.evaluate(
        """() => {
            const dataTransfer = new DataTransfer();
            dataTransfer.setData("text/uri-list", "https://pictures.example/a.jpg");
            window.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }"""
    )
    expect(page.locator("#problem")).to_contain_text("That is a link")
    (tmp_path / "empty.png").write_bytes(b"")
    choose(page, tmp_path / "empty.png")
    check(page)
    expect(page.locator(".reason")).to_have_text("The file is empty.")


def test_a_picture_enlarged_with_its_map_and_a_thumbnail(open_page: Open, drawn: Drawn) -> None:
    page = open_page().page
    choose(page, drawn["bright.jpg"])
    check(page)
    assert page.locator("#rows .thumb").evaluate("canvas => canvas.width") == 96
    page.get_by_role("button", name="Enlarge bright.jpg").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".heat")).to_be_visible()
    expect(dialog.locator(".legend")).to_contain_text("not proof")
    before = dialog.locator("canvas").first.bounding_box()
    dialog.get_by_role("button", name="Zoom in or out").click()
    after = dialog.locator("canvas").first.bounding_box()
    assert before and after and after["height"] > 2 * before["height"]
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)


def test_on_a_phone_the_verdict_comes_before_the_controls(open_page: Open, drawn: Drawn) -> None:
    page = open_page(viewport=PHONE).page
    choose(page, drawn["bright.jpg"])
    check(page)
    boxes = [page.locator(name).bounding_box() for name in ("h2.verdict", "#run", "#results")]
    tops = [box["y"] for box in boxes if box]
    assert len(tops) == 3 and tops == sorted(tops)


def test_several_pictures_one_table_and_a_csv(open_page: Open, drawn: Drawn, address: str) -> None:
    page = open_page().page
    files = [drawn[name] for name in ("bright.jpg", "dark.png", "broken.jpg", "=cmd.png", "notes.txt")]
    choose(page, *files)
    check(page)
    expect(page.locator("#rows th")).to_have_text([path.name for path in files])
    expect(page.locator("#rows td.verdict")).to_have_text(
        [
            "Very likely AI-made",
            "Very likely real",
            "Could not be checked",
            "Very likely AI-made",
            "Could not be checked",
        ]
    )
    expect(page.get_by_role("status")).to_have_text(
        "5 pictures checked. Very likely AI-made: 2, Very likely real: 1, Could not be checked: 2."
    )

    text = _saved(page, "Save as CSV", "verdicts.csv")
    assert text.startswith(csv_header())
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["source"] for row in rows] == [
        "bright.jpg",
        "dark.png",
        "broken.jpg",
        "'=cmd.png",
        "notes.txt",
    ]
    assert [row["label"] for row in rows] == ["ai", "real", "", "ai", ""]
    assert [row["error_code"] for row in rows] == ["", "", "corrupt", "", "unsupported_format"]
    told = put(address, *files)
    assert [float(row["probability_ai"] or -1) for row in rows] == [
        record.get("verdict", {}).get("probability_ai", -1) for record in told
    ]

    saved = json.loads(_saved(page, "Save as JSON", "verdicts.json"))
    assert [_lasting(record) for record in saved] == [_lasting(record) for record in told]


def test_the_end_is_told_once_the_table_is_drawn(open_page: Open, drawn: Drawn) -> None:
    """On a slow line the table's code comes late: neither the status nor the button may say that all is done before."""
    watched = open_page("index.html", service_workers="block")
    watched.expected = ("Service Worker registration blocked",)
    page = watched.page
    late: list[Route] = []
    page.route("**/results-table.js", lambda route: late.append(route))
    page.goto(f"{watched.address}/predict.html")
    page.evaluate(
        """() => {
            window.rowsAtTheEnd = [];
            const ended = () => document.querySelector("#status").dataset.key === "finished.other";
            const look = () => ended() && window.rowsAtTheEnd.push(document.querySelectorAll("#rows tr").length);
            new MutationObserver(look).observe(document.querySelector("main"), {
                attributes: true, subtree: true,
            });
        }"""
    )
    choose(page, drawn["bright.jpg"], drawn["dark.png"])
    page.locator("#run").click()
    expect(page.locator("h2.verdict")).to_have_count(2)
    page.evaluate("new Promise((done) => setTimeout(done))")  # what follows the last verdict at once is over
    expect(page.get_by_role("button", name="again")).to_be_hidden()
    late[0].continue_()
    expect(page.get_by_role("button", name="again")).to_be_visible()
    expect(page.locator("#rows tr")).to_have_count(2)
    assert set(page.evaluate("window.rowsAtTheEnd")) == {2}


def _saved(page: Page, button: str, name: str) -> str:
    with page.expect_download() as saving:
        page.get_by_role("button", name=button).click()
    assert saving.value.suggested_filename == name
    return Path(saving.value.path()).read_text(encoding="utf-8")


def _lasting(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "elapsed_ms"}


def test_a_damaged_file_is_told_apart_from_the_others(open_page: Open, drawn: Drawn) -> None:
    page = open_page().page
    choose(page, drawn["broken.jpg"], drawn["scan.tif"])
    check(page)
    broken = page.get_by_role("article", name="broken.jpg")
    expect(broken.get_by_role("heading")).to_have_text("Could not be checked")
    expect(broken.locator(".reason")).to_contain_text("The file is damaged and cannot be opened")
    scan = page.get_by_role("article", name="scan.tif")  # no browser shows TIFF; the service reads it
    expect(scan).to_contain_text("This browser cannot show this file.")
    expect(scan.get_by_role("heading")).to_have_text("Very likely AI-made")


def test_drop_anywhere(open_page: Open, drawn: Drawn) -> None:
    page = open_page().page
    data = list(drawn["dark.png"].read_bytes())
    transfer = page.evaluate_handle(
        """data => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(data)], "dropped.png", {type: "image/png"}));
            return transfer;
        }""",
        data,
    )
    page.dispatch_event("footer", "dragover", {"dataTransfer": transfer})
    expect(page.locator("body")).to_have_class(re.compile("dropping"))
    page.dispatch_event("footer", "drop", {"dataTransfer": transfer})
    expect(page.locator("body")).not_to_have_class(re.compile("dropping"))
    check(page)
    expect(page.get_by_role("article", name="dropped.png").get_by_role("heading")).to_have_text(
        "Very likely real"
    )


def test_paste(open_page: Open, drawn: Drawn) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"]).page
    page.evaluate(
        """async data => {
            const blob = new Blob([new Uint8Array(data)], {type: "image/png"});
            await navigator.clipboard.write([new ClipboardItem({"image/png": blob})]);
        }""",
        list(drawn["dark.png"].read_bytes()),
    )
    page.keyboard.press("Control+V")
    expect(page.get_by_role("article")).to_have_count(1)
    check(page)
    expect(page.locator("h2.verdict")).to_have_text("Very likely real")


def test_start_over_leaves_nothing(open_page: Open, drawn: Drawn) -> None:
    page = open_page().page
    choose(page, drawn["bright.jpg"], drawn["dark.png"])
    check(page)
    page.get_by_role("button", name="Start over").click()
    expect(page.get_by_role("article")).to_have_count(0)
    expect(page.locator("#results")).to_be_hidden()
    expect(page.get_by_role("status")).to_be_empty()
    expect(page.get_by_role("heading", name="Drop pictures anywhere")).to_be_visible()
    choose(page, drawn["bright.jpg"])  # the same file again
    expect(page.get_by_role("article")).to_have_count(1)


def test_one_picture_can_be_taken_out(open_page: Open, drawn: Drawn) -> None:
    page = open_page().page
    choose(page, drawn["bright.jpg"], drawn["dark.png"])
    check(page)
    page.get_by_role("button", name="Remove bright.jpg").click()
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.locator("tbody tr")).to_have_count(1)


def test_heat_map_lies_over_the_picture_and_fades(open_page: Open, drawn: Drawn, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "left.png"
    picture = Image.new("RGB", (400, 400), (5, 5, 5))
    picture.paste((255, 255, 255), (0, 0, 200, 400))
    picture.save(path)
    page = open_page().page
    choose(page, path)
    check(page)
    page.get_by_label("Show where the model looked").check()
    expect(page.get_by_text("Where the model looked; not proof.")).to_be_visible()
    heat = page.locator("canvas.heat")
    preview = page.get_by_role("img", name="Preview of left.png")
    assert heat.bounding_box() == preview.bounding_box()
    left, right = heat.evaluate(
        """canvas => {
            const row = canvas.getContext("2d").getImageData(0, canvas.height / 2, canvas.width, 1).data;
            return [0.15, 0.85].map((x) => row[4 * Math.round(x * canvas.width) + 3]);
        }"""
    )
    assert left > 200 and right < 20
    page.get_by_label("Opacity").fill("20")
    expect(heat).to_have_css("opacity", "0.2")
    page.get_by_label("Show where the model looked").uncheck()
    expect(heat).to_be_hidden()


def test_keyboard_alone(open_page: Open, drawn: Drawn) -> None:
    page = open_page().page
    page.on("filechooser", lambda chooser: None)  # early: Chromium takes a moment to hand its chooser over
    expect(_tab_to(page, "Choose pictures")).to_be_focused()
    with page.expect_file_chooser() as choosing:
        page.keyboard.press("Enter")
    choosing.value.set_files(drawn["bright.jpg"])
    expect(page.get_by_role("button", name="Check picture")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h2.verdict")).to_have_text("Very likely AI-made")
    box = _tab_to(page, "Show where the model looked")
    page.keyboard.press("Space")
    expect(box).to_be_checked()
    slider = _tab_to(page, "Opacity")
    page.keyboard.press("End")
    expect(slider).to_have_value("100")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".evidence").get_by_role("listitem")).to_be_visible()
    _tab_to(page, "Start over", back=True)
    page.keyboard.press("Enter")
    expect(page.get_by_role("article")).to_have_count(0)
    expect(page.get_by_label("Choose pictures")).to_be_focused()


def _tab_to(page: Page, name: str, back: bool = False) -> Any:
    wanted = page.get_by_label(name).or_(page.get_by_role("button", name=name)).first
    for _ in range(20):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return wanted
    raise AssertionError(f"{name} is not reached by Tab")


def test_phone(open_page: Open, drawn: Drawn) -> None:
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True).page
    choose(page, drawn["bright.jpg"], drawn["dark.png"])
    check(page)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    card = page.get_by_role("article", name="bright.jpg")
    picture, finding = card.locator(".frame").bounding_box(), card.locator(".finding").bounding_box()
    assert picture and finding
    assert finding["y"] >= picture["y"] + picture["height"]  # one column
    for button in page.locator("button:visible, label.button:visible").all():
        box = button.bounding_box()
        assert box and box["height"] >= 36 and box["width"] >= 36


def test_stop_keeps_what_is_done_and_the_rest_can_go_on(open_page: Open, drawn: Drawn) -> None:
    page = open_page().page
    choose(page, *[drawn["bright.jpg"]] * 40)
    page.get_by_role("button", name="Check 40 pictures").click()
    page.locator("h2.verdict").first.wait_for()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("status")).to_contain_text("Stopped.")
    done = page.locator("h2.verdict").count()
    assert 1 <= done < 40
    page.get_by_role("button", name=f"Check {40 - done} picture").click()
    expect(page.locator("h2.verdict")).to_have_count(40)


def test_what_is_too_large_is_not_even_sent(open_page: Open, drawn: Drawn, tiny_model_dir: Path) -> None:
    size = drawn["bright.jpg"].stat().st_size
    with running(tiny_model_dir, max_body_bytes=size - 1) as address:
        watched = open_page(at=address)
        choose(watched.page, drawn["bright.jpg"])
        check(watched.page)
        expect(watched.page.locator(".reason")).to_contain_text("The file is larger than")
        assert not any("detect" in url for url in watched.asked)


def test_a_key_is_asked_for_and_kept_in_memory_alone(
    open_page: Open, drawn: Drawn, tiny_model_dir: Path
) -> None:
    with running(tiny_model_dir, api_key="open sesame") as address:
        watched = open_page(at=address)
        watched.expected = ("403 (Forbidden)",)
        page = watched.page
        field = page.get_by_label("This service requires a key")
        expect(field).to_be_focused()
        field.fill("a wrong one")
        page.keyboard.press("Enter")
        expect(field).to_be_hidden()
        choose(page, drawn["bright.jpg"])
        page.get_by_role("button", name="Check picture").click()
        expect(page.locator("#problem")).to_have_text("The service does not accept this key.")
        field.fill("open sesame")
        page.get_by_role("button", name="Use it").click()
        expect(page.locator("h2.verdict")).to_have_text("Very likely AI-made")
        kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        assert "sesame" not in kept + page.content() and "sesame" not in "".join(watched.asked)
        page.reload()
        expect(field).to_be_visible()


def test_a_service_that_went_away_is_said(open_page: Open, drawn: Drawn, tiny_model_dir: Path) -> None:
    with running(tiny_model_dir) as address:
        watched = open_page(at=address)
    watched.expected = ("ERR_CONNECTION_REFUSED",)
    choose(watched.page, drawn["bright.jpg"])
    watched.page.get_by_role("button", name="Check picture").click()
    expect(watched.page.get_by_role("alert")).to_have_text("The service does not respond. Is it running?")
    expect(watched.page.get_by_text("Ready to be checked.")).to_be_visible()


def test_a_name_is_text_and_never_markup(open_page: Open, drawn: Drawn) -> None:
    page = open_page().page
    name = "<img src=x onerror=alert(1)>.png"
    page.set_input_files(
        "#files", {"name": name, "mimeType": "image/png", "buffer": drawn["dark.png"].read_bytes()}
    )
    check(page)
    expect(page.get_by_role("rowheader")).to_have_text(name)
    expect(page.locator("main img")).to_have_count(0)


def test_the_policy_is_enforced_and_the_watch_sees_it(open_page: Open) -> None:
    watched = open_page()
    watched.page.evaluate("document.body.setAttribute('onclick', 'document.title = 1')")
    watched.page.locator("body").click(position={"x": 1, "y": 1})
    assert any("Content Security Policy" in text for text in watched.complaints)
    assert watched.page.title() != "1"
    watched.expected = ("Content Security Policy",)


def test_statements_are_told_as_statements(open_page: Open, address: str, tmp_path: Path) -> None:
    """A generator's own note decides; the page says so, draws no band, and shows no estimate."""
    from PIL import Image, PngImagePlugin

    note = PngImagePlugin.PngInfo()
    note.add_text(
        "parameters", "a lighthouse\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512"
    )
    path = tmp_path / "noted.png"
    Image.new("RGB", (512, 512), (128, 128, 128)).save(path, pnginfo=note)
    verdict = put(address, path)[0]["verdict"]
    assert (verdict["label"], verdict["decided_by"]) == ("ai", "metadata")
    page = open_page().page
    choose(page, path)
    check(page)
    expect(page.locator("h2.verdict")).to_have_text(
        "Made with Stable Diffusion web UI, according to the file"
    )
    expect(page.locator(".decided b")).to_have_text("the file’s metadata")
    expect(page.get_by_role("meter")).to_have_attribute(
        "aria-valuetext", "97%, how often such records were true"
    )
    assert httpx.get(f"{address}/readyz").status_code == 200
