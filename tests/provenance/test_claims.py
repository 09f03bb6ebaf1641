"""Claims of manifest stores parsed without the library match those of the library."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageprocess.provenance.c2pa.cbor import MalformedError, decode_cbor
from imageprocess.provenance.c2pa.claims import read_claims
from imageprocess.provenance.c2pa.history import summarise
from imageprocess.provenance.c2pa.identities import read_identities
from imageprocess.provenance.file import read_file
from imageprocess.provenance.inspection import inspect_file
from testkit.records import C2PA_ACTIONS, IDENTITY, cbor, png_chunk, png_texts, store_of_two, store_with_claim


def test_action_with_non_text_name_is_skipped() -> None:
    store = store_with_claim().replace(b"\x66action\x6cc2pa.created", b"\x66action\x80\x6bc2pa.create")
    report = read_claims(store)
    assert report is not None
    story = summarise(report["manifests"], report["active_manifest"], report["manifests"].keys())
    assert story.points_to == "nothing"


def test_manifest_store_is_parsed_without_library() -> None:
    report = read_claims(store_with_claim())
    assert report is not None and report["active_manifest"] == "urn:1"
    story = summarise(report["manifests"], "urn:1", report["manifests"].keys())
    assert (story.points_to, story.signals) == ("ai", ["fullyGenAIMedia", "mediaUnknownProvenance"])
    assert report["manifests"]["urn:1"]["claim_generator"] == "tool"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("1864", 100), ("3903e7", -1000), ("f5", True), ("f6", None), ("6161", "a"), ("4101", b"\1"),
        ("bf61619f0203ffff", {"a": [2, 3]}), ("fb3ff199999999999a", 1.1), ("c11a514b67b0", 1363896240),
        ("7f657374726561646d696e67ff", "streaming"),
    ],
)  # fmt: skip
def test_cbor_values(data: str, value: object) -> None:
    assert decode_cbor(bytes.fromhex(data)) == value


@pytest.mark.parametrize(
    "data", [b"", b"\x9f", b"\x81" * 100, b"\x7b" + b"\xff" * 8, C2PA_ACTIONS[:-1], b"\x1c"]
)
def test_invalid_cbor_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_cbor(data)


@pytest.mark.parametrize("name", ["bing-dalle3-1.jpg", "google-whisk-1.jpeg", "openai-chatgpt-1.png"])
def test_real_manifest_stores_claim_ai(name: str, shared_dir: Path) -> None:
    data = (shared_dir / "fixtures" / "provenance" / name).read_bytes()
    store = read_file(data, "PNG" if name.endswith("png") else "JPEG").manifest_store
    assert store is not None
    report = read_claims(store)
    assert report is not None
    assert (
        summarise(report["manifests"], report["active_manifest"], report["manifests"].keys()).points_to
        == "ai"
    )


def test_inspection_shows_ingredient_chain_identities_and_soft_bindings() -> None:
    plain = png_texts({})
    data = plain[:33] + png_chunk(b"caBX", store_of_two()) + plain[33:]
    report, _ = inspect_file(data, None, "PNG")
    second, first = report["manifests"]
    assert (second["claim_generator"], second["active"], second["says"]) == ("Editor", True, "ai")
    assert second["identities"] == ["Ada Example by ID Desk, creator (cawg.identity_claims_aggregation)"]
    assert second["soft_bindings"] == ["Adobe TrustMark"]
    (parent,) = second["ingredients"]
    assert (parent["title"], parent["manifest"]) == ("draft.png", first["label"])
    assert (first["claim_generator"], first["active"], first["says"]) == ("Painter", False, "ai")


@pytest.mark.parametrize(
    ("signature", "value"),
    [
        (cbor([b"", {}, b"{", b""]), "no name, creator (cawg.identity_claims_aggregation)"),
        (b"\x9f", "no name, creator (cawg.identity_claims_aggregation)"),
        (
            cbor([b"", {}, b'{"credentialSubject": [1]}', b""]),
            "no name, creator (cawg.identity_claims_aggregation)",
        ),
    ],
)
def test_damaged_identity_assertion_has_no_name(signature: bytes, value: str) -> None:
    data = {**IDENTITY, "signature": signature}
    assert read_identities({"assertions": [{"label": "cawg.identity", "data": data}]}) == [value]
    assert read_identities({"assertions": [{"label": "cawg.identity", "data": None}]}) == ["unreadable"]
