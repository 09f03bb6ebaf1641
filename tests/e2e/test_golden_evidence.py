"""Private mode reads the same evidence from files as Python: records, signatures, watermarks."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image

from imageprocess.detector import Detector
from imageprocess.watermark.payloads import PAYLOADS
from testkit.marks import Way, embed_dwt_dct, embed_stealth
from testkit.pictures import encode
from testkit.records import IPTC, jpeg, jpeg_xmp, png_texts, xmp, xmp_source_type
from tests.support.browsing import Open, probability, saved_records
from tests.support.golden_pages import page_with_files, python_record
from tests.support.golden_pictures import golden_picture
from tests.support.record_rows import rows
from tests.support.record_variants import variants

pytestmark = pytest.mark.e2e


def test_watermark_evidence_matches_python(open_static: Open, tmp_path: Path) -> None:
    """Every payload in every encoding, hidden texts in both places, and unmarked images."""
    noisy = np.asarray(golden_picture(1, 648, 403))
    files = {
        f"{i}-{way}.png": encode(Image.fromarray(embed_dwt_dct(noisy, payload.bits, way)), "PNG")
        for way in get_args(Way)
        for i, payload in enumerate(PAYLOADS)
    }
    files["unmarked.png"] = encode(Image.fromarray(noisy), "PNG")
    files["small.png"] = encode(Image.fromarray(embed_dwt_dct(noisy[:200, :200], PAYLOADS[0].bits)), "PNG")
    note = {"Software": "NovelAI", "Comment": json.dumps({"prompt": "a hat", "uc": "fog", "seed": 7})}
    for text in (json.dumps(note).encode(), b"nothing that is known"):
        for signature in (b"stealth_rgbinfo", b"stealth_rgbcomp"):
            hidden = embed_stealth(noisy, signature, text)
            files[f"{len(files)}.png"] = encode(Image.fromarray(hidden), "PNG")
        for signature in (b"stealth_pnginfo", b"stealth_pngcomp"):
            alpha = embed_stealth(np.full((*noisy.shape[:2], 1), 255, dtype=np.uint8), signature, text)
            files[f"{len(files)}.png"] = encode(
                Image.fromarray(np.concatenate([noisy, alpha], axis=2)), "PNG"
            )
    _compare_evidence(open_static, files, tmp_path)


def _files_with_records() -> dict[str, bytes]:
    graph = {
        "10": {"class_type": "SaveImage", "inputs": {"images": ["9", 0]}},
        "9": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0]}},
        "3": {
            "class_type": "KSampler",
            "inputs": {
                "seed": 18446744073709551615,
                "cfg": 7.25,
                "positive": ["6", 0],
                "latent_image": ["5", 0],
            },
        },
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": 'a cat "on" a mat: yes'}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 320, "height": 240}},
    }
    a1111 = (
        "a cat\nNegative prompt: blurry\n"
        'Steps: 20, Sampler: Euler a, Seed: 1, Hashes: {"a": "b, c"}, Version: f2.0'
    )
    job = "a fox --v 6.1 --ar 3:2 Job ID: 01234567-89ab-cdef-0123-456789abcdef"
    invoke = {"positive_prompt": "x", "app_version": "4.2", "model": {"name": "m"}}
    term = f"{IPTC}trainedAlgorithmicMedia"
    notes = {
        "comfyui": {"prompt": json.dumps(graph)},
        "comfyui-other-size": {"prompt": json.dumps(graph).replace("240", "512")},
        "a1111": {"parameters": a1111},
        "img2img": {"parameters": a1111 + ", Denoising strength: 0.4"},
        "novelai": {"Software": "NovelAI", "Comment": json.dumps({"prompt": "x", "uc": "y", "seed": 7})},
        "invokeai": {"invokeai_metadata": json.dumps(invoke)},
        "fooocus": {"parameters": json.dumps({"version": "Fooocus v2", "prompt": "x", "inpaint": None})},
        "midjourney": {"Description": job, "Author": "someone"},
        "aigc": {"AIGC": json.dumps({"Label": "1", "ContentProducer": "p"})},
        "not-json": {"prompt": '{"1": NaN', "workflow": "[" * 100_000},
    }
    packets = {
        "iptc": xmp_source_type("trainedAlgorithmicMedia"),
        "iptc-edit": xmp_source_type("compositeWithTrainedAlgorithmicMedia"),
        "credit": xmp(attributes='photoshop:Credit="Made with Google AI"'),
        "remote": xmp(attributes='dcterms:provenance="https://example.org/m"'),
        "entity": b'<!DOCTYPE x [<!ENTITY a "b">]>' + xmp_source_type("trainedAlgorithmicMedia"),
        "nested": xmp(
            "<xmpMM:Ingredients><rdf:Bag>"
            f"<rdf:li Iptc4xmpExt:DigitalSourceType='{term}'/></rdf:Bag></xmpMM:Ingredients>"
        ),
        "escaped": xmp(
            f"<Iptc4xmpExt:DigitalSourceType><![CDATA[{IPTC}]]>digitalCapture</Iptc4xmpExt:DigitalSourceType>",
            "<dc:title>&lt;b&#62;</dc:title>",
        ),
    }
    return {
        **{f"{name}.png": png_texts(texts) for name, texts in notes.items()},
        **{f"{name}.jpg": jpeg_xmp(packet) for name, packet in packets.items()},
        "cut-off.jpg": jpeg([(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x0f")]),
        "camera.jpg": _camera(),
    }


def _camera() -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "NIKON CORPORATION", "NIKON D90"
    exif.get_ifd(0x8769).update({0x9003: "2020:01:02 03:04:05", 0x829A: 1 / 250, 0x8827: 200})
    return jpeg([(0xE1, exif.tobytes())])


def test_metadata_evidence_matches_python(open_static: Open, tmp_path: Path) -> None:
    _compare_evidence(open_static, _files_with_records(), tmp_path)


def test_metadata_variants_match_python(open_static: Open, tmp_path: Path) -> None:
    _compare_evidence(open_static, {name: data for name, (data, *_) in variants().items()}, tmp_path)


def test_real_generator_and_camera_files_match_python(
    open_static: Open, tmp_path: Path, shared_dir: Path
) -> None:
    """Every fixture that a browser reads, without verification of signatures."""
    folder = shared_dir / "fixtures" / "provenance"
    files = {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.suffix in {".png", ".jpg", ".jpeg"}
    }
    _compare_evidence(open_static, files, tmp_path)


@pytest.mark.parametrize("name", ["failing", "passing"])
def test_record_rows_match_expected(name: str, open_static: Open, shared_dir: Path) -> None:
    """Every row of the tables that Python is tested with."""
    folder = shared_dir / "fixtures" / "records" / name
    page = open_static("docs.html").page
    wrong = {}
    for row in rows(folder):
        record = page.evaluate(
            """async ([data, name]) => {
                const { detect } = await import("./assets/js/private/client.js");
                const file = new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name);
                const { heatmap, ...record } = (await detect(file, { mode: "balanced" })).record;
                return record;
            }""",
            [base64.b64encode((folder / row["file"]).read_bytes()).decode(), row["file"]],
        )
        evidence = [item for item in record.get("evidence", []) if item["kind"] != "model"]
        if not _is_right(row, record, evidence):
            wrong[row["file"]] = [record.get("error"), record.get("verdict"), [i["claim"] for i in evidence]]
    assert not wrong, json.dumps(wrong, indent=1)


def _is_right(row: dict[str, str], record: dict[str, Any], evidence: list[dict[str, Any]]) -> bool:
    points_to = {item["points_to"] for item in evidence}
    verdict = record.get("verdict", {})
    if row["expect"] == "ai":
        cameras = [item for item in evidence if item["kind"] == "exif" and "names a camera" in item["claim"]]
        return verdict.get("label") == "ai" and verdict["decided_by"] != "model" and not cameras
    if row["expect"] == "ai_edited":
        return "ai_edited" in points_to and verdict.get("decided_by") in ("model", "abstain")
    if row["expect"] == "none":
        return record["status"] == "ok" and not points_to & {"ai", "ai_edited"}
    if row["expect"] == "readable":
        return record["status"] == "ok"
    if row["file"].endswith(".dng"):
        return "raw" in record["error"]["message"]
    words = json.dumps([record.get("error"), [item["claim"] for item in evidence]])
    return "changed after" not in words and "MPO" not in words


def _compare_evidence(open_static: Open, files: dict[str, bytes], tmp_path: Path) -> list[dict[str, Any]]:
    """Compare the page's records with Python's; returns the page's."""
    detector = Detector()
    page = page_with_files(open_static, files, tmp_path)
    saved = saved_records(page)
    for (name, data), actual in zip(files.items(), saved, strict=True):
        expected = python_record(detector, name, data)
        assert _records_of(actual) == _records_of(expected), name
        assert abs(probability(actual) - probability(expected)) < 0.01, name
        signed = [item for item in expected["evidence"] if item["kind"] == "c2pa"]
        credentials = [item for item in actual["evidence"] if item["kind"] == "c2pa"]
        assert bool(signed) == bool(credentials), name
        if any(
            item["points_to"] != "nothing" for item in signed
        ):  # claimed by the manifest, with or without a valid signature
            assert {item["points_to"] for item in credentials} <= {item["points_to"] for item in signed}, name
        if not signed:
            assert actual["verdict"]["label"] == expected["verdict"]["label"], name
    return saved


def _records_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Evidence that browsers read completely; integers beyond JavaScript's range as strings."""
    items = [item for item in record["evidence"] if item["kind"] not in ("c2pa", "model")]
    for item in items:
        settings = item["detail"].get("settings", {})
        item["detail"]["settings"] = {
            name: str(value) if isinstance(value, int) and abs(value) >= 10**15 else value
            for name, value in settings.items()
        }
    return items
