"""Signatures of Content Credentials in the browser: verified only on request, with the same result as Python."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from imageprocess.decode import sniff
from imageprocess.provenance import read_provenance
from imageprocess.provenance.trust import INTERIM_SETTING, SETTING
from imageprocess.web import site
from testkit.pictures import encode, scene
from testkit.records import facts, jpeg
from testkit.serving import serving_files
from tests.support.browsing import MonitoredPage, choose_private, monitored_page, saved_records

c2pa = pytest.importorskip("c2pa", reason="needs the extra [c2pa]")
pytest.importorskip("cryptography", reason="needs the package cryptography")
from testkit.credentials import authority, created, opened, placed, sign  # noqa: E402

pytestmark = pytest.mark.e2e
CHECK = "Check their signatures here"
JPEG = encode(scene(1), "JPEG")
TRUSTED, LEGACY = authority("Listed"), authority("Once listed")


@pytest.fixture(scope="module", autouse=True)
def trust_lists(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two trust lists used by Python and the site."""
    folder = tmp_path_factory.mktemp("lists")
    with pytest.MonkeyPatch.context() as patch:
        for setting, signer in ((SETTING, TRUSTED), (INTERIM_SETTING, LEGACY)):
            path = folder / f"{setting}.pem"
            path.write_text(signer.root_pem, encoding="utf-8")
            patch.setenv(setting, str(path))
        yield


@pytest.fixture(scope="module")
def site_address(trust_lists: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not (site.has_private_mode() and site.verifier_files()):
        pytest.skip("private mode is not built: run `make web` (needs npm)")
    folder = tmp_path_factory.mktemp("site")
    site.build(folder, site.browser_model())
    with serving_files(folder) as address:
        yield address


def _open(monitored: MonitoredPage) -> Page:
    monitored.page.goto(f"{monitored.address}/predict.html")
    monitored.page.wait_for_load_state("networkidle")
    return monitored.page


def _signed() -> dict[str, bytes]:
    ai = [created("trainedAlgorithmicMedia")]
    made = sign(JPEG, ai, by=TRUSTED)
    changed = bytearray(made)
    changed[-100] ^= 1
    nested = b""
    for _ in range(40):
        nested = (8 + len(nested)).to_bytes(4, "big") + b"jumb" + nested
    description = b"jumdc2pa" + bytes(12) + b"\3c2pa\0"
    store = (4 + len(description)).to_bytes(4, "big") + description + nested
    store = (8 + len(store)).to_bytes(4, "big") + b"jumb" + store
    return {
        "trusted.jpg": made,
        "capture.jpg": sign(JPEG, [created("digitalCapture")], by=TRUSTED),
        "legacy.jpg": sign(JPEG, ai, by=LEGACY),
        "unknown.jpg": sign(JPEG, ai, by=authority("Nobody")),
        "changed.jpg": bytes(changed),
        "of-a-trusted-part.jpg": sign(JPEG, [opened()], by=TRUSTED, ingredients=[("parentOf", made)]),
        "of-an-unknown-part.jpg": sign(
            JPEG, [created("digitalCapture"), placed()], by=TRUSTED,
            ingredients=[("componentOf", sign(JPEG, ai, by=authority("Nobody")))],
        ),
        "signed.png": sign(encode(scene(2), "PNG"), ai, "image/png", by=TRUSTED),
        "signed.webp": sign(encode(scene(2), "WEBP"), ai, "image/webp", by=TRUSTED),
        "nested.jpg": jpeg([(0xEB, b"JP\0\1\0\0\0\1" + store)]),
    }  # fmt: skip


def _compare(page: Page, files: dict[str, bytes], *, exactly: bool = True) -> None:
    """`exactly`: compare wording too; library releases differ in their reason for an obsolete certificate."""
    for name, data in files.items():
        actual = page.evaluate(
            """async ([data, name]) => {
                const { checkCredentials } = await import("./assets/js/private/client.js");
                return checkCredentials(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name));
            }""",
            [base64.b64encode(data).decode(), name],
        )
        kind = sniff(data)
        assert kind
        evidence = [item for item in read_provenance(data, facts(kind)) if item.kind == "c2pa"]
        expected = [
            {"claim": i.claim, "trust": i.trust, "points_to": i.points_to, **_detail(i.detail)}
            for i in evidence
        ]
        actual_fields = [
            {"claim": i["claim"], "trust": i["trust"], "points_to": i["points_to"], **_detail(i["detail"])}
            for i in actual
        ]
        if any("the library that reads them says" in item["claim"] for item in expected):
            assert [item["detail"]["state"] for item in actual] == ["unreadable"], (
                name
            )  # with the message of the library
        elif exactly:
            assert json.loads(json.dumps(expected)) == actual_fields, name
        elif any(
            item["state"] == "not_verified" for item in actual_fields
        ):  # an expired certificate is not verified here
            assert {item["trust"] for item in expected} == {"valid_untrusted"}, name
        else:
            keys = ("trust", "points_to", "state", "signer", "signals", "manifests")
            assert [[i.get(k) for k in keys] for i in expected] == [
                [i.get(k) for k in keys] for i in actual_fields
            ], name


def _detail(detail: Any) -> dict[str, Any]:
    return {name: value for name, value in detail.items() if name not in ("trust_list", "remedy")}


def test_c2pa_library_is_fetched_only_on_request(browser: Browser, site_address: str, tmp_path: Path) -> None:
    path = tmp_path / "signed.jpg"
    path.write_bytes(_signed()["trusted.jpg"])
    with monitored_page(browser, site_address) as monitored:
        page = _open(monitored)
        choose_private(page, path)
        (record,) = saved_records(page)
        assert [i["trust"] for i in record["evidence"] if i["kind"] == "c2pa"] == ["unsigned"]
        page.get_by_role("button", name="Show the file’s metadata").click()
        expect(page.get_by_role("button", name=f"{CHECK} (downloads")).to_be_visible()
        assert not [url for url in monitored.requested_urls if "c2pa" in url or "trust/" in url]


def test_c2pa_counts_in_verdict_until_removed(browser: Browser, site_address: str, tmp_path: Path) -> None:
    path = tmp_path / "capture.jpg"
    path.write_bytes(_signed()["capture.jpg"])
    with monitored_page(browser, site_address) as monitored:
        page = _open(monitored)
        choose_private(page, path)
        page.get_by_role("button", name="Show the file’s metadata").click()
        panel = page.get_by_role("dialog")
        panel.get_by_role("button", name=CHECK).click()
        expect(panel.locator("[data-state=trusted]")).to_contain_text("which is on the trust list")
        panel.get_by_role("button", name="Close").click()
        page.get_by_role("button", name="again").wait_for()
        assert _verdict(page) == ("real", "c2pa")
        page.reload()
        choose_private(page, path)  # cached and used without another download
        assert _verdict(page) == ("real", "c2pa")
        assert sum("c2pa_bg.wasm" in url for url in monitored.requested_urls) == 1
        page.get_by_role("button", name="Show the file’s metadata").click()
        panel.get_by_role("button", name="Remove the download").click()
        expect(panel.get_by_role("button", name=f"{CHECK} (downloads")).to_be_visible()
        panel.get_by_role("button", name="Close").click()
        page.get_by_role("button", name="again").wait_for()
        assert _verdict(page)[1] != "c2pa"


def _verdict(page: Page) -> tuple[str, str]:
    (record,) = saved_records(page)
    return record["verdict"]["label"], record["verdict"]["decided_by"]


def test_signature_states_match_python(browser: Browser, site_address: str) -> None:
    with monitored_page(browser, site_address) as monitored:
        _compare(_open(monitored), _signed())


def test_real_credentials_match_python(browser: Browser, site_address: str, shared_dir: Path) -> None:
    paths = [
        *sorted((shared_dir / "fixtures" / "provenance").glob("*.*")),
        *sorted((shared_dir / "fixtures" / "records").glob("*/c2pa-*")),
    ]
    files = {path.name: path.read_bytes() for path in paths if sniff(path.read_bytes())}
    with monitored_page(browser, site_address) as monitored:
        _compare(_open(monitored), files, exactly=False)
