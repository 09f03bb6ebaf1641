"""predict.html and its service: limits, key, stop, a service that does not answer, content security policy."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from testkit.service import running
from tests.support.browsing import Open, choose_files, run_check

pytestmark = pytest.mark.e2e
ImageFiles = dict[str, Path]


def test_stop_keeps_results_and_can_resume(open_page: Open, image_files: ImageFiles) -> None:
    page = open_page().page
    choose_files(page, *[image_files["bright.jpg"]] * 40)
    page.get_by_role("button", name="Check 40 pictures").click()
    page.locator("h2.verdict").first.wait_for()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("status")).to_contain_text("Stopped.")
    done = page.locator("h2.verdict").count()
    assert 1 <= done < 40
    page.get_by_role("button", name=f"Check {40 - done} picture").click()
    expect(page.locator("h2.verdict")).to_have_count(40)


def test_too_large_file_is_not_sent(open_page: Open, image_files: ImageFiles, tiny_model_dir: Path) -> None:
    size = image_files["bright.jpg"].stat().st_size
    with running(tiny_model_dir, max_body_bytes=size - 1) as address:
        monitored = open_page(at=address)
        choose_files(monitored.page, image_files["bright.jpg"])
        run_check(monitored.page)
        expect(monitored.page.locator(".reason")).to_contain_text("The file is larger than")
        assert not any("detect" in url for url in monitored.requested_urls)


def test_key_is_requested_and_kept_in_memory_only(
    open_page: Open, image_files: ImageFiles, tiny_model_dir: Path
) -> None:
    with running(tiny_model_dir, api_key="open sesame") as address:
        monitored = open_page(at=address)
        monitored.expected = ("403 (Forbidden)",)
        page = monitored.page
        field = page.get_by_label("This service requires a key")
        expect(field).to_be_focused()
        field.fill("a wrong one")
        page.keyboard.press("Enter")
        expect(field).to_be_hidden()
        choose_files(page, image_files["bright.jpg"])
        page.get_by_role("button", name="Check picture").click()
        expect(page.locator("#problem")).to_have_text("The service does not accept this key.")
        field.fill("open sesame")
        page.get_by_role("button", name="Use it").click()
        expect(page.locator("h2.verdict")).to_have_text("Very likely AI-made")
        stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        assert "sesame" not in stored + page.content() and "sesame" not in "".join(monitored.requested_urls)
        page.reload()
        expect(field).to_be_visible()


def test_unreachable_service_is_reported(
    open_page: Open, image_files: ImageFiles, tiny_model_dir: Path
) -> None:
    with running(tiny_model_dir) as address:
        monitored = open_page(at=address)
    monitored.expected = ("ERR_CONNECTION_REFUSED",)
    choose_files(monitored.page, image_files["bright.jpg"])
    monitored.page.get_by_role("button", name="Check picture").click()
    expect(monitored.page.get_by_role("alert")).to_have_text("The service does not respond. Is it running?")
    expect(monitored.page.get_by_text("Ready to be checked.")).to_be_visible()


def test_content_security_policy_is_enforced(open_page: Open) -> None:
    monitored = open_page()
    monitored.page.evaluate("document.body.setAttribute('onclick', 'document.title = 1')")
    monitored.page.locator("body").click(position={"x": 1, "y": 1})
    assert any("Content Security Policy" in text for text in monitored.errors)
    assert monitored.page.title() != "1"
    monitored.expected = ("Content Security Policy",)
