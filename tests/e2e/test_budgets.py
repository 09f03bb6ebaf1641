"""Time and size budgets of the pages, with headroom for a busy machine; `python -m bench.pages` measures them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from testkit.page_costs import first_paint_ms, megapixel, model_ready_ms, picture_ms, weight_bytes

pytestmark = pytest.mark.e2e
BUSY = 5  # factor on the budgets, for busy machines


def test_first_paint_under_a_second(browser: Browser, static_address: str) -> None:
    assert first_paint_ms(browser, f"{static_address}/predict.html") < 1000 * BUSY


def test_model_ready_within_three_seconds(browser: Browser, static_address: str) -> None:
    assert model_ready_ms(browser, static_address) < 3000 * BUSY


def test_megapixel_image_in_400_ms(browser: Browser, static_address: str) -> None:
    assert picture_ms(browser, static_address, megapixel()) < 400 * BUSY


@pytest.mark.parametrize("name", ["index.html", "predict.html", "docs.html"])
@pytest.mark.parametrize("locale", ["en-US", "he-IL"])
def test_page_without_model_is_under_100_kb(
    browser: Browser, static_address: str, name: str, locale: str
) -> None:
    assert weight_bytes(browser, f"{static_address}/{name}", locale) < 100_000
