"""Content Credentials: trust states of signers, tampering, expiry.

Every manifest is signed here by a certificate authority of the test run.
"""

from __future__ import annotations

import struct
from datetime import timedelta
from pathlib import Path

import pytest

from imageprocess.provenance import read_provenance
from imageprocess.provenance.c2pa.state import active_state
from imageprocess.types import Evidence, Thresholds
from imageprocess.verdict import decide
from testkit.pictures import encode, scene
from testkit.records import facts
from testkit.waiting import wait_until
from tests.support.content_credentials import (
    CAPTURED,
    GENERATED,
    HAS_EXTRA,
    MIMES,
    needs_extra,
    read_credentials,
    single_credential,
)

if HAS_EXTRA:
    from testkit.credentials import authority, created, opened, sign


@needs_extra
@pytest.mark.parametrize("form", MIMES)
def test_trusted_signer_in_every_container(form: str, trust_list: Path) -> None:
    item = single_credential(
        sign(encode(scene(1), form), [created(GENERATED)], MIMES[form]), trust_list, form
    )
    assert (item.trust, item.points_to, item.detail["state"]) == ("trusted", "ai", "trusted")
    assert item.detail["signer"] == "Test Signer" and item.detail["signals"] == ["fullyGenAIMedia"]
    assert decide([item], None).decided_by == "c2pa"


@needs_extra
def test_unknown_signer_is_valid_untrusted(photo: bytes, other_trust_list: Path) -> None:
    item = single_credential(sign(photo, [created(GENERATED)]), other_trust_list)
    assert (item.trust, item.points_to, item.detail["state"]) == ("valid_untrusted", "ai", "untrusted")
    assert "not on the trust list" in item.claim
    assert decide([item], None).decided_by == "metadata"


@needs_extra
def test_missing_trust_list_is_named_in_reason(photo: bytes, tmp_path: Path) -> None:
    item = single_credential(sign(photo, [created(GENERATED)]), tmp_path / "none.pem")
    assert item.trust == "valid_untrusted"
    reason = decide([item], None).reason
    assert "no trust list is installed" in reason
    assert "imageprocess trust" not in reason  # visitors of a page cannot run commands
    assert item.detail["remedy"] == "imageprocess trust update"


@needs_extra
def test_untrusted_capture_does_not_decide_real(photo: bytes, other_trust_list: Path) -> None:
    item = single_credential(sign(photo, [created(CAPTURED)]), other_trust_list)
    assert (item.trust, item.points_to) == ("valid_untrusted", "real")
    assert decide([item], None).label == "unsure"


@needs_extra
def test_expired_signer_on_list_is_untrusted(photo: bytes, tmp_path: Path) -> None:
    brief = authority("Brief", timedelta(seconds=8))
    path = tmp_path / "list.pem"
    path.write_text(brief.root_pem)
    data = sign(photo, [created(GENERATED)], by=brief)
    wait_until(lambda: single_credential(data, path).trust != "trusted", timeout_s=30, interval_s=0.5)
    item = single_credential(data, path)
    assert item.detail["state"] == "untrusted" and "expired" in item.claim
    assert item.points_to == "ai"
    unlisted = single_credential(data, tmp_path / "none.pem")
    assert "no trust list is installed" in unlisted.claim and "expired" not in unlisted.claim


@needs_extra
def test_signer_on_interim_list_only_is_legacy(
    photo: bytes, trust_list: Path, other_trust_list: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sign(photo, [created(GENERATED)])
    part = sign(photo, [created(GENERATED)], by=authority("Somebody Else"))
    edited = sign(photo, [opened()], ingredients=[("parentOf", part)])
    monkeypatch.setenv("IMAGEPROCESS_INTERIM_TRUST_LIST", str(trust_list))
    for data in (made, edited):
        item = single_credential(data, other_trust_list)
        assert (item.trust, item.detail["state"], item.points_to) == ("trusted", "legacy", "ai")
        assert "frozen interim trust list (legacy)" in item.claim
    assert (
        single_credential(made, trust_list).detail["state"] == "trusted"
    )  # on both lists: the conformance list has priority
    assert single_credential(part, trust_list).trust == "valid_untrusted"  # on neither list
    cut = made.replace(b"trainedAlgorithmicMedia", b"trainedAlgorithmicMedib")
    assert single_credential(cut, other_trust_list).trust == "broken"


@needs_extra
def test_timestamped_signature_stays_trusted_after_expiry(shared_dir: Path) -> None:
    """A real file with an expired signer certificate and a time stamp by a trusted authority."""
    data = (shared_dir / "fixtures" / "provenance" / "google-whisk-1.jpeg").read_bytes()
    trust_list = shared_dir / "fixtures" / "trust" / "C2PA-TRUST-LIST.pem"
    evidence = read_provenance(data, facts("JPEG"), trust_list=trust_list)
    (item,) = [item for item in evidence if item.kind == "c2pa"]
    assert (item.trust, item.points_to) == ("trusted", "ai") and item.detail["signed_at"].startswith(
        "2025-11-23"
    )


@needs_extra
def test_tampered_file_is_broken_and_does_not_decide(photo: bytes, trust_list: Path) -> None:
    signed = sign(photo, [created(GENERATED)])
    claim = signed.index(GENERATED.encode())
    for at in (len(signed) - 100, claim):  # in the image data; in an assertion
        broken = bytearray(signed)
        broken[at] ^= 1
        item = single_credential(bytes(broken), trust_list)
        assert (item.trust, item.points_to, item.detail["state"]) == ("broken", "nothing", "broken")
        model = Evidence("model", "", "measured", "real", {"probability_ai": 0.1})
        verdict = decide([item, model], Thresholds(0.8, 0.2))
        assert verdict.decided_by == "model" and "Warning" in verdict.reason


@needs_extra
def test_manifest_copied_to_other_image_is_broken(photo: bytes, trust_list: Path) -> None:
    signed = sign(photo, [created(CAPTURED)])
    end = 2
    while signed[end + 1] in (0xE0, 0xEB):
        end += 2 + struct.unpack(">H", signed[end + 2 : end + 4])[0]
    other = encode(scene(2), "JPEG")
    assert single_credential(signed[:end] + other[20:], trust_list).detail["state"] == "broken"


@needs_extra
def test_appended_bytes_break_signed_file_and_are_ignored_in_unsigned_file(
    photo: bytes, trust_list: Path
) -> None:
    signed = sign(photo, [created(GENERATED)])
    assert single_credential(signed + b"trainedAlgori", trust_list).detail["state"] == "broken"
    assert read_credentials(photo + signed, trust_list) == []
    assert read_credentials(photo + b"jumbjumdc2pa", trust_list) == []


def test_contradictory_hash_results_are_not_tampering() -> None:
    def results(*failures: str) -> dict[str, list[dict[str, str]]]:
        success = ["claimSignature.validated", "assertion.dataHash.match"]
        return {"success": [{"code": c} for c in success], "failure": [{"code": c} for c in failures]}

    assert active_state(results("assertion.dataHash.mismatch"))[0] == "contradictory"
    assert active_state(results("assertion.dataHash.mismatch", "claimSignature.mismatch"))[0] == "broken"
    assert active_state({"failure": [{"code": "assertion.dataHash.mismatch"}]})[0] == "broken"
