"""Content Credentials: the four states told apart, and what actions and ingredients say.

Every manifest is made here, by a certificate authority that is made here.
"""

from __future__ import annotations

import importlib.util
import socket
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from imageprocess.provenance import read_provenance
from imageprocess.provenance.c2pa.jumbf import is_sane
from imageprocess.provenance.c2pa.state import active_state
from imageprocess.types import Evidence, PointsTo, Thresholds
from imageprocess.verdict import decide
from testkit.pictures import encode, scene
from testkit.records import IPTC, facts, jpeg, png, with_xmp, xmp

needs_extra = pytest.mark.skipif(
    not (importlib.util.find_spec("c2pa") and importlib.util.find_spec("cryptography")),
    reason="needs the extra [c2pa], and cryptography to make certificates",
)
if importlib.util.find_spec("c2pa") and importlib.util.find_spec("cryptography"):
    from testkit.credentials import Action, authority, created, opened, placed, sign

MIMES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "TIFF": "image/tiff",
}
GENERATED, CAPTURED = "trainedAlgorithmicMedia", "digitalCapture"


@pytest.fixture(scope="session")
def photo() -> bytes:
    return encode(scene(1), "JPEG")


@pytest.fixture(scope="session")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trust list with the tests' own authority on it."""
    path = tmp_path_factory.mktemp("trust") / "list.pem"
    path.write_text(authority().root_pem)
    return path


@pytest.fixture(scope="session")
def suspicious(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trust list with somebody else on it."""
    path = tmp_path_factory.mktemp("trust") / "list.pem"
    path.write_text(authority("Somebody Else").root_pem)
    return path


def read(data: bytes, trust_list: Path, form: str = "JPEG") -> list[Evidence]:
    found = read_provenance(data, facts(form), trust_list=trust_list)
    assert all(
        item.kind == "c2pa" and item.detail["proves"] and item.detail["does_not_prove"] for item in found
    )
    return found


def only(data: bytes, trust_list: Path, form: str = "JPEG") -> Evidence:
    (item,) = read(data, trust_list, form)
    return item


@needs_extra
@pytest.mark.parametrize("form", MIMES)
def test_a_trusted_signer_in_every_container(form: str, trusting: Path) -> None:
    item = only(sign(encode(scene(1), form), [created(GENERATED)], MIMES[form]), trusting, form)
    assert (item.trust, item.points_to, item.detail["state"]) == ("trusted", "ai", "trusted")
    assert item.detail["signer"] == "Test Signer" and item.detail["signals"] == ["fullyGenAIMedia"]
    assert decide([item], None).decided_by == "c2pa"


@needs_extra
def test_an_unknown_signer_is_untrusted_and_its_claim_of_ai_is_a_claim(
    photo: bytes, suspicious: Path
) -> None:
    item = only(sign(photo, [created(GENERATED)]), suspicious)
    assert (item.trust, item.points_to, item.detail["state"]) == ("valid_untrusted", "ai", "untrusted")
    assert "not on the trust list" in item.claim
    assert decide([item], None).decided_by == "metadata"


@needs_extra
def test_without_a_list_nobody_is_trusted_and_the_reason_says_so(photo: bytes, tmp_path: Path) -> None:
    item = only(sign(photo, [created(GENERATED)]), tmp_path / "none.pem")
    assert item.trust == "valid_untrusted"
    reason = decide([item], None).reason
    assert "no trust list is installed" in reason
    assert "imageprocess trust" not in reason  # a visitor of somebody's page reads it
    assert item.detail["remedy"] == "imageprocess trust update"


@needs_extra
def test_an_untrusted_capture_never_makes_a_picture_real(photo: bytes, suspicious: Path) -> None:
    item = only(sign(photo, [created(CAPTURED)]), suspicious)
    assert (item.trust, item.points_to) == ("valid_untrusted", "real")
    assert decide([item], None).label == "unsure"


@needs_extra
def test_an_expired_signer_is_untrusted_though_on_the_list(photo: bytes, tmp_path: Path) -> None:
    brief = authority("Brief", timedelta(seconds=8))
    path = tmp_path / "list.pem"
    path.write_text(brief.root_pem)
    data = sign(photo, [created(GENERATED)], by=brief)
    deadline = time.monotonic() + 30
    while (item := only(data, path)).trust == "trusted" and time.monotonic() < deadline:
        time.sleep(0.5)
    assert item.detail["state"] == "untrusted" and "expired" in item.claim
    assert item.points_to == "ai"
    unlisted = only(data, tmp_path / "none.pem")
    assert "no trust list is installed" in unlisted.claim and "expired" not in unlisted.claim


@needs_extra
def test_a_signer_on_the_interim_list_alone_is_legacy(
    photo: bytes, trusting: Path, suspicious: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sign(photo, [created(GENERATED)])
    part = sign(photo, [created(GENERATED)], by=authority("Somebody Else"))
    edited = sign(photo, [opened()], ingredients=[("parentOf", part)])
    monkeypatch.setenv("IMAGEPROCESS_INTERIM_TRUST_LIST", str(trusting))
    for data in (made, edited):
        item = only(data, suspicious)
        assert (item.trust, item.detail["state"], item.points_to) == ("trusted", "legacy", "ai")
        assert "frozen interim trust list (legacy)" in item.claim
    assert only(made, trusting).detail["state"] == "trusted"  # on both: the conformance list counts
    assert only(part, trusting).trust == "valid_untrusted"  # on neither
    cut = made.replace(b"trainedAlgorithmicMedia", b"trainedAlgorithmicMedib")
    assert only(cut, suspicious).trust == "broken"


@needs_extra
def test_a_signature_made_while_its_certificate_was_valid_stays_trusted(shared_dir: Path) -> None:
    """A real file: its signer's certificate has expired since, and its time stamp is by a trusted authority."""
    data = (shared_dir / "fixtures" / "provenance" / "google-whisk-1.jpeg").read_bytes()
    trust_list = shared_dir / "fixtures" / "trust" / "C2PA-TRUST-LIST.pem"
    found = read_provenance(data, facts("JPEG"), trust_list=trust_list)
    (item,) = [item for item in found if item.kind == "c2pa"]
    assert (item.trust, item.points_to) == ("trusted", "ai") and item.detail["signed_at"].startswith(
        "2025-11-23"
    )


@needs_extra
def test_tampering_breaks_it_and_decides_nothing(photo: bytes, trusting: Path) -> None:
    signed = sign(photo, [created(GENERATED)])
    claim = signed.index(GENERATED.encode())
    for at in (len(signed) - 100, claim):  # the picture's own bytes; an assertion's
        broken = bytearray(signed)
        broken[at] ^= 1
        item = only(bytes(broken), trusting)
        assert (item.trust, item.points_to, item.detail["state"]) == ("broken", "nothing", "broken")
        model = Evidence("model", "", "measured", "real", {"probability_ai": 0.1})
        verdict = decide([item, model], Thresholds(0.8, 0.2))
        assert verdict.decided_by == "model" and "Warning" in verdict.reason


@needs_extra
def test_a_manifest_moved_to_another_picture_is_broken(photo: bytes, trusting: Path) -> None:
    signed = sign(photo, [created(CAPTURED)])
    end = 2
    while signed[end + 1] in (0xE0, 0xEB):
        end += 2 + struct.unpack(">H", signed[end + 2 : end + 4])[0]
    other = encode(scene(2), "JPEG")
    assert only(signed[:end] + other[20:], trusting).detail["state"] == "broken"


@needs_extra
@pytest.mark.parametrize(
    ("actions", "points_to", "signal"),
    [
        ([created(GENERATED), {"action": "c2pa.cropped"}], "ai", "fullyGenAIMedia"),
        ([created("compositeWithTrainedAlgorithmicMedia")], "ai_edited", "partlyGenAICreation"),
        ([created(CAPTURED), {"action": "c2pa.edited", "digitalSourceType": IPTC + GENERATED}], "ai_edited",
         "perceptibleGenAI"),
        ([created(CAPTURED)], "real", "capturedMedia"),
        ([created("computationalCapture"), {"action": "c2pa.transcoded"}], "real", "capturedMedia"),
        ([created("compositeCapture")], "real", "capturedMediaStitched"),
        ([created(CAPTURED), {"action": "c2pa.cropped"}], "nothing", "ambiguousActions"),
        ([created("digitalCreation")], "nothing", "nonGenAIDigitalCreation"),
        ([created("screenCapture")], "nothing", "screenCaptureMayContainGenAI"),
        ([created("composite")], "nothing", "compositionMayContainGenAI"),
        ([created("algorithmicMedia")], "nothing", None),
    ],
)  # fmt: skip
def test_actions_in_the_vocabulary_of_the_asset_rubrics(
    actions: list[Action], points_to: PointsTo, signal: str | None, photo: bytes, trusting: Path
) -> None:
    item = only(sign(photo, actions), trusting)
    assert item.points_to == points_to
    assert signal in item.detail["signals"] if signal else "signals" not in item.detail


@needs_extra
def test_bings_manifests_name_the_tool_instead_of_a_source_type(photo: bytes, trusting: Path) -> None:
    """Which the standard does not allow, so that its signer is not trusted; but nothing was changed since."""
    agent = created(None, softwareAgent="Image Creator from Designer", description="AI Generated Image")
    item = only(sign(photo, [agent]), trusting)
    assert (item.trust, item.points_to) == ("valid_untrusted", "ai")
    assert (
        "breaks the standard's rules" in item.claim and item.detail["model"] == "Image Creator from Designer"
    )


@needs_extra
def test_a_parents_story_is_the_pictures_own(photo: bytes, trusting: Path) -> None:
    generated, captured = sign(photo, [created(GENERATED)]), sign(photo, [created(CAPTURED)])
    cropped: Action = {"action": "c2pa.cropped"}
    assert only(sign(photo, [opened()], ingredients=[("parentOf", generated)]), trusting).points_to == "ai"
    assert (
        only(sign(photo, [opened(), cropped], ingredients=[("parentOf", generated)]), trusting).points_to
        == "ai"
    )
    assert only(sign(photo, [opened()], ingredients=[("parentOf", captured)]), trusting).points_to == "real"
    edited = only(sign(photo, [opened(), cropped], ingredients=[("parentOf", captured)]), trusting)
    assert edited.points_to == "nothing"
    unsigned = only(sign(photo, [opened()], ingredients=[("parentOf", photo)]), trusting)
    assert unsigned.points_to == "nothing" and "mediaUnknownProvenance" in unsigned.detail["signals"]


@needs_extra
def test_a_part_by_an_ai_makes_an_edit_and_an_input_to_a_model_makes_nothing(
    photo: bytes, trusting: Path
) -> None:
    generated = sign(photo, [created(GENERATED)])
    mixed = sign(photo, [created(CAPTURED), placed()], ingredients=[("componentOf", generated)])
    assert only(mixed, trusting).points_to == "ai_edited"
    inspired = sign(photo, [created("digitalCreation")], ingredients=[("inputTo", generated)])
    assert only(inspired, trusting).points_to == "nothing"


@needs_extra
def test_an_ingredient_is_only_as_good_as_its_own_signer(photo: bytes, trusting: Path) -> None:
    foreign = sign(photo, [created(GENERATED)], by=authority("Stranger"))
    own, of_ingredient = read(sign(photo, [opened()], ingredients=[("parentOf", foreign)]), trusting)
    assert (own.trust, own.points_to) == ("trusted", "nothing")
    assert (of_ingredient.trust, of_ingredient.points_to) == ("valid_untrusted", "ai")
    capture = sign(photo, [created(CAPTURED)], by=authority("Stranger"))
    assert only(sign(photo, [opened()], ingredients=[("parentOf", capture)]), trusting).points_to == "nothing"


@needs_extra
def test_a_broken_ingredient_says_nothing(photo: bytes, trusting: Path) -> None:
    generated = bytearray(sign(photo, [created(GENERATED)]))
    generated[generated.index(GENERATED.encode())] ^= 1
    for item in read(sign(photo, [opened()], ingredients=[("parentOf", bytes(generated))]), trusting):
        assert item.points_to == "nothing"


@needs_extra
def test_bytes_appended_to_a_signed_file_break_it_and_to_a_plain_one_fake_nothing(
    photo: bytes, trusting: Path
) -> None:
    signed = sign(photo, [created(GENERATED)])
    assert only(signed + b"trainedAlgori", trusting).detail["state"] == "broken"
    assert read(photo + signed, trusting) == []
    assert read(photo + b"jumbjumdc2pa", trusting) == []


@needs_extra
def test_threads_share_the_library(photo: bytes, trusting: Path) -> None:
    signed = sign(photo, [created(GENERATED)])
    with ThreadPoolExecutor(8) as pool:
        items = list(pool.map(lambda _: only(signed, trusting), range(40)))
    assert {item.detail["state"] for item in items} == {"trusted"}


@needs_extra
def test_without_the_extra_a_manifest_is_worth_what_an_unsigned_note_is(
    photo: bytes, trusting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generated, captured = sign(photo, [created(GENERATED)]), sign(photo, [created(CAPTURED)])
    opened_twice = sign(photo, [opened()], ingredients=[("parentOf", generated)])
    monkeypatch.setitem(
        sys.modules, "c2pa", None
    )  # what Python itself does for a module that cannot be imported
    for data in (generated, opened_twice):
        item = only(data, trusting)
        assert (item.trust, item.points_to, item.detail["state"]) == ("unsigned", "ai", "not_verified")
        assert "signature was not checked" in item.claim and "pip install" not in item.claim
        assert item.detail["remedy"] == "pip install 'imageprocess[c2pa]'"
        assert decide([item], None).decided_by == "metadata"
    capture = only(captured, trusting)
    assert capture.points_to == "real" and decide([capture], None).label == "unsure"


@needs_extra
def test_a_partners_model_is_named_in_a_parameter_of_adobes_own(photo: bytes, trusting: Path) -> None:
    parameters = {
        "com.adobe.digitalSourceType": IPTC + GENERATED,
        "com.adobe.details": "imagen-3.0-generate-002",
    }
    action = {**opened(), "parameters": {**opened().get("parameters", {}), **parameters}}
    item = only(sign(photo, [action], ingredients=[("parentOf", photo)]), trusting)
    assert item.points_to == "ai" and "imagen-3.0-generate-002" in item.detail["model"]


def test_hashes_that_match_and_mismatch_are_no_sign_of_a_change() -> None:
    def results(*failures: str) -> dict[str, list[dict[str, str]]]:
        success = ["claimSignature.validated", "assertion.dataHash.match"]
        return {"success": [{"code": c} for c in success], "failure": [{"code": c} for c in failures]}

    assert active_state(results("assertion.dataHash.mismatch"))[0] == "contradictory"
    assert active_state(results("assertion.dataHash.mismatch", "claimSignature.mismatch"))[0] == "broken"
    assert active_state({"failure": [{"code": "assertion.dataHash.mismatch"}]})[0] == "broken"


def store(depth: int) -> bytes:
    """A C2PA manifest store of nested superboxes."""
    inner = b""
    for _ in range(depth):
        inner = struct.pack(">I", 8 + len(inner)) + b"jumb" + inner
    described = struct.pack(">I", 30) + b"jumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0"
    return struct.pack(">I", 8 + len(described) + len(inner)) + b"jumb" + described + inner


def test_deep_nesting_never_reaches_the_library(trusting: Path) -> None:
    assert is_sane(store(5)) and not is_sane(store(200)) and not is_sane(store(2_000))
    item = only(png([(b"caBX", store(2_000))]), trusting, "PNG")
    assert item.detail["state"] == "not_verified" and item.points_to == "nothing"


def test_too_many_boxes_never_reach_the_library() -> None:
    boxes = struct.pack(">I", 8) + b"free"
    assert not is_sane(struct.pack(">I", 8 + 8 * 60_000) + b"jumb" + boxes * 60_000)


@needs_extra
def test_a_store_of_garbage_is_unreadable_not_a_crash(trusting: Path) -> None:
    for garbage in (store(1), store(3), store(0) + b"\0" * 50):
        (item,) = read_provenance(png([(b"caBX", garbage)]), facts("PNG"), trust_list=trusting)
        assert item.points_to == "nothing" and item.detail["state"] in ("unreadable", "not_verified")
        assert "changed after" not in item.claim


def test_an_address_of_a_manifest_kept_elsewhere_is_told_not_fetched(trusting: Path) -> None:
    data = with_xmp("JPEG", xmp(attributes='dcterms:provenance="http://127.0.0.1:9/manifest.c2pa"'))
    item = only(data, trusting)
    assert item.points_to == "nothing" and "not fetched" in item.claim
    assert item.detail["address"] == "http://127.0.0.1:9/manifest.c2pa"


@needs_extra
def test_nothing_is_ever_fetched(trusting: Path) -> None:
    """A manifest kept elsewhere is named, alone and beside an embedded one; a server on this machine hears nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/manifest.c2pa"
        named = with_xmp("JPEG", xmp(attributes=f'dcterms:provenance="{address}"'))
        assert address in only(named, trusting).detail["address"]
        assert only(sign(named, [created(GENERATED)]), trusting).detail["state"] == "trusted"
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_picture_without_a_manifest_has_no_evidence_of_one(trusting: Path) -> None:
    assert read(jpeg(), trusting) == []
