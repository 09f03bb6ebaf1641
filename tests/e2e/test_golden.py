"""Private mode judges as Python does: the same numbers in, the same probability, verdict and evidence out."""

from __future__ import annotations

import base64
import itertools
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from imageprocess.detector import Detector
from imageprocess.model.preprocess import resize
from imageprocess.model.spec import InputSpec
from imageprocess.report.records import to_record
from imageprocess.types import GRADES, Evidence, Source, Thresholds
from imageprocess.verdict import decide
from imageprocess.watermark.payloads import PAYLOADS
from testkit.marks import Way, embed_dwt_dct, embed_stealth
from testkit.pictures import encode
from testkit.records import IPTC, jpeg, jpeg_xmp, png_texts, xmp, xmp_source_type
from tests.support.browsing import Open, choose_private, probability, pushed_in_strips, saved_records
from tests.support.golden_pictures import golden_picture, golden_pictures
from tests.support.record_rows import rows
from tests.support.record_variants import variants

pytestmark = pytest.mark.e2e
MODES = {"high-confidence": {"ai": 0.95, "real": 0.04}, "balanced": {"ai": 0.8, "real": 0.2}}
FILTERS = ("box", "bilinear", "bicubic", "lanczos")
SIZES = [
    # both ways; much and little; enlarged; one side kept; where Pillow begins with the other pass
    (640, 480, 224, 224), (480, 640, 224, 224), (90, 70, 224, 224), (300, 100, 111, 333), (37, 53, 50, 40),
    (224, 300, 224, 224), (300, 224, 224, 224), (1, 1, 7, 5), (500, 33, 64, 64), (33, 500, 64, 64),
    (225, 226, 224, 224), (225, 227, 224, 224), (100, 225, 224, 224), (223, 224, 224, 224), (700, 701, 160, 96),
    (700, 3100, 224, 224), (224, 9500, 224, 224),
]  # fmt: skip


REDUCED = [
    # one axis alone; both; a leftover of one pixel at the right, at the bottom, in the corner; long and thin; exact
    (900, 300, 224, 224), (300, 900, 224, 224), (1345, 1345, 224, 224), (897, 896, 224, 224), (896, 897, 224, 224),
    (961, 721, 40, 30), (13_001, 7, 50, 60), (5, 11_003, 64, 48), (1, 9000, 224, 224), (9000, 1, 224, 224),
    (1280, 960, 40, 30), (1152, 864, 224, 224), (700, 3100, 224, 224), (449, 1791, 112, 112),
]  # fmt: skip


def test_resampling_is_pillows_to_the_last_bit(open_static: Open) -> None:
    page = open_static("docs.html").page
    rng = np.random.default_rng(5)
    sizes = SIZES + [tuple(int(side) for side in rng.integers(1, [500, 500, 250, 250])) for _ in range(10)]
    for size, name in itertools.product(sizes, FILTERS):
        _compare_resampling(page, size, name, None, rng)


@pytest.mark.parametrize("gap", [1.0, 1.5, 2.0, 3.0])
def test_reducing_is_pillows_to_the_last_bit(open_static: Open, gap: float) -> None:
    page = open_static("docs.html").page
    rng = np.random.default_rng(6)
    sizes = REDUCED + [tuple(int(side) for side in rng.integers(1, [900, 900, 90, 90])) for _ in range(10)]
    for size, name in itertools.product(sizes, FILTERS if gap == 2.0 else ["bilinear"]):
        _compare_resampling(page, size, name, gap, rng)


def _compare_resampling(
    page: Page, size: tuple[int, int, int, int], name: str, gap: float | None, rng: np.random.Generator
) -> None:
    width, height, to_width, to_height = size
    rgba = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
    spec = InputSpec(to_width, to_height, name, (0.0,) * 3, (1.0,) * 3, gap)
    expected = resize(np.ascontiguousarray(rgba[..., :3]), spec)
    found = pushed_in_strips(page, "resample.js Resampler", rgba, asdict(spec))
    assert found == expected.tobytes(), (name, gap, size)


def test_forty_pictures_of_every_format(open_static: Open, tmp_path: Path) -> None:
    pictures = golden_pictures()
    assert len(pictures) >= 40
    detector = Detector()
    page = _page_with(open_static, pictures, tmp_path)
    for mode, title in (("balanced", "Balanced"), ("best-guess", "Always pick a side")):
        if mode != "balanced":
            page.get_by_label("How certain an answer must be").select_option(title)
            page.get_by_role("button", name="Stop").wait_for()
            page.get_by_role("button", name="again").wait_for()
        told = {record["source"]: record for record in saved_records(page)}
        for name, data in pictures.items():
            expected = _record(detector, name, data, mode)
            found = told[name]
            assert found["status"] == "ok", found
            assert abs(probability(found) - probability(expected)) < 0.01, name
            assert found["verdict"]["label"] == expected["verdict"]["label"], name
            assert _wording(found) == _wording(expected), name
            for key in ("schema", "sha256", "image", "model"):
                assert found[key] == expected[key], name


def _page_with(open_static: Open, files: dict[str, bytes], folder: Path) -> Page:
    """The static site's page, these files looked at in their order."""
    paths = [folder / name for name in files]
    for path in paths:
        path.write_bytes(files[path.name])
    page = open_static().page
    choose_private(page, *paths)
    return page


def _wording(record: dict[str, Any]) -> str:
    """The reason but for its figures: a probability may differ in its last digits."""
    return re.sub(r"\d+ %", "_ %", record["verdict"]["reason"])


def _record(detector: Detector, name: str, data: bytes, mode: str = "balanced") -> dict[str, Any]:
    result = detector.detect(Source(name, data), mode=mode)  # type: ignore[arg-type]
    record: dict[str, Any] = json.loads(json.dumps(to_record(result)))
    return record


def test_a_heat_map_is_where_pythons_is(open_static: Open, tmp_path: Path) -> None:
    """The page draws the record's values; the record's are the network's, made to be seen as Python makes them."""
    data = golden_pictures()["jpeg-q85-420.jpg"]
    expected = Detector().detect(Source("x.jpg", data), heatmap=True).heatmap
    assert expected is not None
    page = open_static("docs.html").page
    found = page.evaluate(
        """async (data) => {
            const { detect } = await import("./assets/js/private/client.js");
            const file = new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], "x.jpg");
            return (await detect(file, { mode: "balanced" })).record.heatmap;
        }""",
        base64.b64encode(data).decode(),
    )
    assert (found["height"], found["width"]) == expected.shape
    assert np.abs(np.array(found["values"]).reshape(expected.shape) - expected).max() < 0.01


def test_watermarks_are_found_as_python_finds_them(open_static: Open, tmp_path: Path) -> None:
    """Every payload in every way of writing it, hidden texts in both places, and none where none is."""
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


def test_records_in_files_are_read_as_python_reads_them(open_static: Open, tmp_path: Path) -> None:
    _compare_evidence(open_static, _files_with_records(), tmp_path)


def test_variants_of_records_are_read_as_python_reads_them(open_static: Open, tmp_path: Path) -> None:
    _compare_evidence(open_static, {name: data for name, (data, *_) in variants().items()}, tmp_path)


def test_real_files_of_generators_and_cameras(open_static: Open, tmp_path: Path, shared_dir: Path) -> None:
    """Every file of the fixtures that a browser reads. Signatures are the service's to check."""
    folder = shared_dir / "fixtures" / "provenance"
    files = {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.suffix in {".png", ".jpg", ".jpeg"}
    }
    _compare_evidence(open_static, files, tmp_path)


@pytest.mark.parametrize("name", ["failing", "passing"])
def test_small_files_of_every_kind_of_record(name: str, open_static: Open, shared_dir: Path) -> None:
    """Every row that Python is tested with."""
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
    said = {item["points_to"] for item in evidence}
    verdict = record.get("verdict", {})
    if row["expect"] == "ai":
        cameras = [item for item in evidence if item["kind"] == "exif" and "names a camera" in item["claim"]]
        return verdict.get("label") == "ai" and verdict["decided_by"] != "model" and not cameras
    if row["expect"] == "ai_edited":
        return "ai_edited" in said and verdict.get("decided_by") in ("model", "abstain")
    if row["expect"] == "none":
        return record["status"] == "ok" and not said & {"ai", "ai_edited"}
    if row["expect"] == "readable":
        return record["status"] == "ok"
    if row["file"].endswith(".dng"):
        return "raw" in record["error"]["message"]
    words = json.dumps([record.get("error"), [item["claim"] for item in evidence]])
    return "changed after" not in words and "MPO" not in words


def _compare_evidence(open_static: Open, files: dict[str, bytes], tmp_path: Path) -> list[dict[str, Any]]:
    """Through the page and through Python -> the page's records."""
    detector = Detector()
    page = _page_with(open_static, files, tmp_path)
    saved = saved_records(page)
    for (name, data), found in zip(files.items(), saved, strict=True):
        expected = _record(detector, name, data)
        assert _records_of(found) == _records_of(expected), name
        assert abs(probability(found) - probability(expected)) < 0.01, name
        signed = [item for item in expected["evidence"] if item["kind"] == "c2pa"]
        told = [item for item in found["evidence"] if item["kind"] == "c2pa"]
        assert bool(signed) == bool(told), name
        if any(item["points_to"] != "nothing" for item in signed):  # said by the manifest, signature or not
            assert {item["points_to"] for item in told} <= {item["points_to"] for item in signed}, name
        if not signed:
            assert found["verdict"]["label"] == expected["verdict"]["label"], name
    return saved


def _records_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Evidence that a browser reads in full, whole numbers too long for JavaScript as their digits."""
    items = [item for item in record["evidence"] if item["kind"] not in ("c2pa", "model")]
    for item in items:
        settings = item["detail"].get("settings", {})
        item["detail"]["settings"] = {
            name: str(value) if isinstance(value, int) and abs(value) >= 10**15 else value
            for name, value in settings.items()
        }
    return items


def test_one_table_decides_in_both_languages(open_static: Open) -> None:
    """Every set of evidence, against several probabilities and settings."""
    items = [
        Evidence("c2pa", "Signed {ai}.", "trusted", "ai"),
        Evidence("c2pa", "Signed capture.", "trusted", "real"),
        Evidence("c2pa", "Unknown signer.", "valid_untrusted", "ai"),
        Evidence("c2pa", "Broken.", "broken", "nothing"),
        Evidence("watermark", "A mark.", "measured", "ai"),
        Evidence("generator_metadata", "A workflow.", "unsigned", "ai"),
        Evidence("iptc", "An edit.", "unsigned", "ai_edited"),
        Evidence("exif", "A camera.", "unsigned", "real"),
    ]
    settings = [None, Thresholds(0.8, 0.2), Thresholds(0.5, 0.5), Thresholds(0.995, 0.005)]
    cases: list[tuple[list[Evidence], Thresholds | None]] = []
    for size in range(4):
        for chosen in itertools.combinations(items, size):
            for p in (None, 0.0, 0.03, 0.125, 0.3, 0.46, 0.5, 0.6, 0.805, 0.9999):
                model = (
                    []
                    if p is None
                    else [
                        Evidence(
                            "model",
                            "m",
                            "measured",
                            "nothing",
                            {"probability_ai": p, "mode_thresholds": MODES},
                        )
                    ]
                )
                cases += [([*chosen, *model], thresholds) for thresholds in settings]
    measured = {grade: {"ai_share": 0.5, "of": grade} for grade in GRADES}
    expected = [asdict(decide(evidence, thresholds, measured)) for evidence, thresholds in cases]
    page = open_static("docs.html").page
    found = page.evaluate(
        """async ([cases, measured]) => {
            const { decide } = await import("./assets/js/private/verdict.js");
            const table = await (await fetch("verdict.json")).json();
            return cases.map(([evidence, thresholds]) => decide(evidence, thresholds, table, measured));
        }""",
        [
            [
                [[asdict(item) for item in evidence], thresholds and asdict(thresholds)]
                for evidence, thresholds in cases
            ],
            measured,
        ],
    )
    assert len(cases) > 2500
    assert [{"measured": None, **verdict} for verdict in found] == json.loads(json.dumps(expected))


def test_a_file_is_named_by_its_sha256_without_the_browsers_help(open_static: Open) -> None:
    """On plain http to another machine there is no crypto.subtle."""
    import hashlib

    page = open_static("docs.html").page
    for size in (0, 1, 55, 56, 63, 64, 65, 1000, 100_003):
        data = bytes(i * 7 % 256 for i in range(size))
        found = page.evaluate(
            """async (data) => {
                const { digestHere } = await import("./assets/js/private/sha256.js");
                return [...digestHere(Uint8Array.from(atob(data), (c) => c.charCodeAt(0)))];
            }""",
            base64.b64encode(data).decode(),
        )
        assert bytes(found) == hashlib.sha256(data).digest(), size


def test_a_reason_said_anew_writes_its_numbers_as_its_language_does(open_static: Open) -> None:
    thresholds = {"ai": 0.8, "real": 0.2}
    sure = {"probability_ai": 0.9999, "thresholds": thresholds}
    small = {**sure, "too_small": {"side": 150, "smallest": 200}}
    page = open_static("docs.html?lang=he").page
    said, of_a_small_one = page.evaluate(
        """async (details) => {
            const { reason } = await import("./assets/js/wording.js");
            const record = (detail) => ({ evidence: [{ kind: "model", trust: "measured", points_to: "ai", detail }] });
            return details.map((detail) => reason(record(detail)));
        }""",
        [sure, small],
    )
    assert "over" not in said and "99%" in said and "80%" in said
    assert "150" in of_a_small_one and "200" in of_a_small_one and "99%" in of_a_small_one
