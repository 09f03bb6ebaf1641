"""The same record is read from every location in every container."""

from __future__ import annotations

import json
import zlib

import pytest

from imageprocess.provenance import read_provenance
from imageprocess.provenance.exif import read_exif
from imageprocess.types import Evidence, PointsTo
from testkit.records import (
    exif,
    facts,
    gif_application,
    gif_comment,
    gif_xmp,
    jpeg,
    jpeg_extended_xmp,
    jpeg_xmp,
    png,
    png_texts,
    raw_profile,
    samsung_trailer,
    with_exif,
    with_xmp,
    xmp,
    xmp_source_type,
)

A1111 = (
    "a cat\nNegative prompt: b\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 320x240, Model: x"
)
BLOCK = exif(user_comment=b"UNICODE\0" + A1111.encode("utf-16-be"))
PROFILE = raw_profile("exif", b"Exif\0\0" + BLOCK)
DESCRIBED = xmp(
    f"<dc:description><rdf:Alt><rdf:li xml:lang='x-default'>{A1111}</rdf:li></rdf:Alt></dc:description>"
)
LABEL = json.dumps({"AIGC": {"Label": "1", "ContentProducer": "maker-1"}})


def single_evidence(data: bytes, form: str) -> Evidence:
    (item,) = read_provenance(data, facts(form))
    return item


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (jpeg([(0xFE, A1111.encode())]), "JPEG"),
        (with_exif("JPEG", exif(description=A1111)), "JPEG"),
        (jpeg_xmp(DESCRIBED), "JPEG"),
        (jpeg_extended_xmp(DESCRIBED), "JPEG"),
        (jpeg([(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet) for packet in (xmp(), DESCRIBED)]), "JPEG"),
        (with_xmp("WEBP", DESCRIBED), "WEBP"),
        (with_xmp("AVIF", DESCRIBED), "AVIF"),
        (png([(b"eXIf", b"Exif\0\0" + BLOCK)]), "PNG"),
        (png([(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(PROFILE))]), "PNG"),
        (png([(b"tEXt", b"Raw profile type APP1\0" + raw_profile("generic", DESCRIBED))]), "PNG"),
        (gif_comment(A1111.encode()), "GIF"),
        (gif_xmp(DESCRIBED), "GIF"),
    ],
    ids=["com", "description", "xmp", "extended-xmp", "two-packets", "webp", "avif", "exif-prefix", "raw-profile",
         "raw-xmp", "gif-comment", "gif-xmp"],
)  # fmt: skip
def test_generator_record_in_every_location(data: bytes, form: str) -> None:
    item = single_evidence(data, form)
    assert (item.points_to, item.detail["seed"]) == ("ai", "42")


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (jpeg([(0xE9, b"AIGC" + LABEL.encode())]), "JPEG"),
        (with_exif("JPEG", exif(description=LABEL)), "JPEG"),
        (with_exif("WEBP", exif(user_comment=b"UNICODE\0" + LABEL.encode("utf-16-le"))), "WEBP"),
        (gif_comment(LABEL.encode()), "GIF"),
    ],
)
def test_aigc_label_in_every_location(data: bytes, form: str) -> None:
    item = single_evidence(data, form)
    assert item.points_to == "ai" and "maker-1" in item.detail["generator"]


@pytest.mark.parametrize(("kind", "points_to"), [("1", "ai_edited"), ("-2", "ai_edited"), ("0", None)])
def test_samsung_trailer(kind: str, points_to: PointsTo | None) -> None:
    evidence = read_provenance(jpeg() + samsung_trailer(kind), facts("JPEG"))
    assert [item.points_to for item in evidence] == ([points_to] if points_to else [])
    assert (
        read_provenance(jpeg() + samsung_trailer(kind) + b"x", facts("JPEG")) == []
    )  # not at the end of the file


@pytest.mark.parametrize("order", ["utf-16-be", "utf-16-le"])
@pytest.mark.parametrize(
    "text",
    [
        "海边的灯塔，黄昏时分，金色的光洒在海面上，远处有一艘船，天空布满橙色的云彩，电影般的光影效果",
        "夕暮れの灯台、静かな湾、高品質、映画のような光",
        "маяк над спокойной бухтой, сумерки",
        "a lighthouse over a calm bay",
        "一个灯塔\nSteps: 20, Sampler: Euler a, Seed: 1",
        json.dumps({"提示": "灯塔", "种子": 1}, ensure_ascii=False),
    ],
)
def test_user_comment_byte_order_is_detected_in_any_script(text: str, order: str) -> None:
    assert read_exif(exif(user_comment=b"UNICODE\0" + text.encode(order))).texts["UserComment"] == text


def test_nested_record_is_read() -> None:
    inner = {"Software": "NovelAI", "Comment": json.dumps({"prompt": "a hat", "uc": "fog", "seed": 7})}
    item = single_evidence(
        with_exif("JPEG", exif(user_comment=b"ASCII\0\0\0" + json.dumps(inner).encode())), "JPEG"
    )
    assert (item.points_to, item.detail["generator"]) == ("ai", "NovelAI")


def test_generator_in_exif_make_is_not_a_camera() -> None:
    for make in ("Ideogram AI", "Prompt: " + json.dumps({"1": {"class_type": "KSampler", "inputs": {}}})):
        assert "exif" not in {
            i.kind for i in read_provenance(with_exif("JPEG", exif(make=make)), facts("JPEG"))
        }
    assert single_evidence(with_exif("JPEG", exif(make="Nikon")), "JPEG").kind == "exif"


def test_gif_application_block_with_c2pa() -> None:
    item = single_evidence(
        gif_application(b"C2PA_GIF\1\0\0", b"\0\0\0\x1e" + b"jumb\0\0\0\x16jumdc2pa" + bytes(10)), "GIF"
    )
    assert item.kind == "c2pa" and item.points_to == "nothing"


def test_second_xmp_packet_is_read_and_first_value_wins() -> None:
    packets = [xmp_source_type("digitalCapture"), xmp_source_type("trainedAlgorithmicMedia")]
    segments = [(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet) for packet in packets]
    assert single_evidence(jpeg(segments), "JPEG").points_to == "real"
    assert single_evidence(jpeg(segments[::-1]), "JPEG").points_to == "ai"


def test_five_megabyte_text_is_read() -> None:
    graph = {
        "1": {
            "class_type": "EmptyLatentImage",
            "inputs": {"width": 320, "height": 240, "note": "x" * 5_000_000},
        },
        "2": {"class_type": "KSampler", "inputs": {"seed": 7, "steps": 9, "latent_image": ["1", 0]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0]}},
    }
    assert single_evidence(png_texts({"prompt": json.dumps(graph)}), "PNG").points_to == "ai"
