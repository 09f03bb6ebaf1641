"""Hostile manifests: nesting, box counts, garbage, remote addresses, missing library, threads."""

from __future__ import annotations

import socket
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imageprocess.provenance import read_provenance
from imageprocess.provenance.c2pa.jumbf import is_sane
from imageprocess.verdict import decide
from testkit.records import facts, jpeg, png, with_xmp, xmp
from tests.support.content_credentials import (
    CAPTURED,
    GENERATED,
    HAS_EXTRA,
    needs_extra,
    read_credentials,
    single_credential,
)

if HAS_EXTRA:
    from testkit.credentials import created, opened, sign


@needs_extra
def test_threads_share_c2pa_library(photo: bytes, trust_list: Path) -> None:
    signed = sign(photo, [created(GENERATED)])
    with ThreadPoolExecutor(8) as pool:
        items = list(pool.map(lambda _: single_credential(signed, trust_list), range(40)))
    assert {item.detail["state"] for item in items} == {"trusted"}


@needs_extra
def test_manifest_without_extra_counts_as_unsigned(
    photo: bytes, trust_list: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generated, captured = sign(photo, [created(GENERATED)]), sign(photo, [created(CAPTURED)])
    opened_twice = sign(photo, [opened()], ingredients=[("parentOf", generated)])
    monkeypatch.setitem(sys.modules, "c2pa", None)  # makes the import fail
    for data in (generated, opened_twice):
        item = single_credential(data, trust_list)
        assert (item.trust, item.points_to, item.detail["state"]) == ("unsigned", "ai", "not_verified")
        assert "signature was not checked" in item.claim and "pip install" not in item.claim
        assert item.detail["remedy"] == "pip install 'imageprocess[c2pa]'"
        assert decide([item], None).decided_by == "metadata"
    capture = single_credential(captured, trust_list)
    assert capture.points_to == "real" and decide([capture], None).label == "unsure"


def store(depth: int) -> bytes:
    """A C2PA manifest store of nested superboxes."""
    inner = b""
    for _ in range(depth):
        inner = struct.pack(">I", 8 + len(inner)) + b"jumb" + inner
    described = struct.pack(">I", 30) + b"jumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0"
    return struct.pack(">I", 8 + len(described) + len(inner)) + b"jumb" + described + inner


def test_deeply_nested_boxes_never_reach_the_library(trust_list: Path) -> None:
    assert is_sane(store(5)) and not is_sane(store(200)) and not is_sane(store(2_000))
    item = single_credential(png([(b"caBX", store(2_000))]), trust_list, "PNG")
    assert item.detail["state"] == "not_verified" and item.points_to == "nothing"


def test_too_many_boxes_never_reach_the_library() -> None:
    boxes = struct.pack(">I", 8) + b"free"
    assert not is_sane(struct.pack(">I", 8 + 8 * 60_000) + b"jumb" + boxes * 60_000)


@needs_extra
def test_garbage_manifest_store_is_unreadable(trust_list: Path) -> None:
    for garbage in (store(1), store(3), store(0) + b"\0" * 50):
        (item,) = read_provenance(png([(b"caBX", garbage)]), facts("PNG"), trust_list=trust_list)
        assert item.points_to == "nothing" and item.detail["state"] in ("unreadable", "not_verified")
        assert "changed after" not in item.claim


def test_remote_manifest_url_is_reported_not_fetched(trust_list: Path) -> None:
    data = with_xmp("JPEG", xmp(attributes='dcterms:provenance="http://127.0.0.1:9/manifest.c2pa"'))
    item = single_credential(data, trust_list)
    assert item.points_to == "nothing" and "not fetched" in item.claim
    assert item.detail["address"] == "http://127.0.0.1:9/manifest.c2pa"


@needs_extra
def test_remote_manifest_is_never_fetched(trust_list: Path) -> None:
    """A remote manifest is named, alone and beside an embedded one; its server gets no connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/manifest.c2pa"
        named = with_xmp("JPEG", xmp(attributes=f'dcterms:provenance="{address}"'))
        assert address in single_credential(named, trust_list).detail["address"]
        assert single_credential(sign(named, [created(GENERATED)]), trust_list).detail["state"] == "trusted"
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept()


def test_image_without_manifest_has_no_c2pa_evidence(trust_list: Path) -> None:
    assert read_credentials(jpeg(), trust_list) == []
