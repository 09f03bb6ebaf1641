"""Metadata records of generators, written as each generator writes them and read through the whole pipeline."""

from __future__ import annotations

import json

import pytest

from imageprocess.provenance import read_provenance
from imageprocess.types import PointsTo
from testkit.records import exif, facts, jpeg, png, png_texts, with_exif, with_xmp, xmp
from tests.support.generator_metadata import generator_evidence

A1111 = (
    "a cat, (sitting:1.2)\non a mat\nNegative prompt: blurry,\nlowres\n"
    "Steps: 20, Sampler: DPM++ 2M, CFG scale: 7, Seed: 42, Size: 320x240, Model: sd15, "
    'Lora hashes: "a: 1, b: 2", Version: v1.10.1'
)


def test_a1111_in_png() -> None:
    item = generator_evidence(png_texts({"parameters": A1111}))
    assert item.points_to == "ai"
    detail = item.detail
    assert (detail["prompt"], detail["negative_prompt"]) == (
        "a cat, (sitting:1.2)\non a mat",
        "blurry,\nlowres",
    )
    assert (detail["seed"], detail["sampler"], detail["model"]) == ("42", "DPM++ 2M", "sd15")
    assert detail["settings"]["Lora hashes"] == "a: 1, b: 2" and detail["settings"]["CFG scale"] == "7"


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
@pytest.mark.parametrize("order", ["utf-16-be", "utf-16-le"])
def test_a1111_in_exif(form: str, order: str) -> None:
    block = exif(user_comment=b"UNICODE\0" + A1111.encode(order))
    item = generator_evidence(with_exif(form, block), form)
    assert item.points_to == "ai" and item.detail["seed"] == "42"


@pytest.mark.parametrize(
    ("more", "points_to"),
    [
        ("Denoising strength: 0.5", "ai_edited"),
        ("Denoising strength: 0.5, Mask blur: 4", "ai_edited"),
        ("Denoising strength: 0.5, Hires upscale: 2, Hires upscaler: Latent", "ai"),
        ("ADetailer denoising strength: 0.4", "ai"),
    ],
)
def test_a1111_distinguishes_txt2img_from_img2img(more: str, points_to: PointsTo) -> None:
    assert generator_evidence(png_texts({"parameters": f"{A1111}, {more}"})).points_to == points_to


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Steps to the beach",
        "a recipe\nSteps: 20, Oven: hot",
        "parameters",
        "Steps: 20",
        "Seed: 1, Sampler: x",
    ],
)
def test_other_parameters_text_has_no_generator(text: str) -> None:
    assert read_provenance(png_texts({"parameters": text}), facts()) == []


@pytest.mark.parametrize(
    ("mode", "points_to"), [("sdxl_txt2img", "ai"), ("img2img", "ai_edited"), ("inpaint", "ai_edited")]
)
def test_invokeai(mode: str, points_to: PointsTo) -> None:
    record = {
        "app_version": "4.2", "generation_mode": mode, "positive_prompt": "a hill", "negative_prompt": "fog",
        "seed": 5, "scheduler": "ddim", "model": {"name": "sdxl"}, "steps": 30,
    }  # fmt: skip
    item = generator_evidence(png_texts({"invokeai_metadata": json.dumps(record)}))
    assert item.points_to == points_to and item.detail["generator"] == "InvokeAI 4.2"
    assert [item.detail[k] for k in ("prompt", "negative_prompt", "seed", "sampler", "model")] == [
        "a hill", "fog", "5", "ddim", "sdxl"
    ]  # fmt: skip


def test_invokeai_legacy_metadata() -> None:
    image = {"prompt": [{"prompt": "a hill", "weight": 1}], "type": "txt2img", "seed": 5, "sampler": "ddim"}
    item = generator_evidence(
        png_texts({"sd-metadata": json.dumps({"model_weights": "sd15", "image": image})})
    )
    assert item.points_to == "ai" and item.detail["prompt"] == "a hill" and item.detail["model"] == "sd15"


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_fooocus(form: str) -> None:
    record = json.dumps(
        {"version": "Fooocus v2.5.5", "prompt": "a boat", "negative_prompt": "", "seed": "9", "sampler": "dpmpp",
         "base_model": "juggernaut", "metadata_scheme": "fooocus"}
    )  # fmt: skip
    if form == "PNG":
        item = generator_evidence(png_texts({"parameters": record, "fooocus_scheme": "fooocus"}))
    else:
        item = generator_evidence(
            with_exif("JPEG", exif(user_comment=b"ASCII\0\0\0" + record.encode())), "JPEG"
        )
    assert item.points_to == "ai" and item.detail["generator"] == "Fooocus v2.5.5"
    assert (item.detail["seed"], item.detail["model"]) == ("9", "juggernaut")


@pytest.mark.parametrize(
    ("request_type", "points_to"), [(None, "ai"), ("NativeInfillingRequest", "ai_edited")]
)
def test_novelai(request_type: str | None, points_to: PointsTo) -> None:
    comment = {"prompt": "1girl", "uc": "bad", "seed": 1, "sampler": "k_euler", "request_type": request_type}
    texts = {"Title": "NovelAI generated image", "Software": "NovelAI", "Source": "NovelAI Diffusion V4",
             "Description": "1girl", "Comment": json.dumps(comment)}  # fmt: skip
    item = generator_evidence(png_texts(texts))
    assert item.points_to == points_to and item.detail["negative_prompt"] == "bad"
    assert item.detail["model"] == "NovelAI Diffusion V4"
    assert read_provenance(png_texts({**texts, "Software": "GIMP"}), facts()) == []


def test_midjourney() -> None:
    text = "a red door --ar 3:2 --v 7 Job ID: 270afee8-8dd8-481c-9621-84b0f1352ca5"
    item = generator_evidence(png_texts({"Description": text, "Author": "someone"}))
    assert item.points_to == "ai" and item.detail["prompt"] == "a red door" and item.detail["model"] == "v 7"
    assert item.detail["settings"]["author"] == "someone"
    described = (
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>'
    )
    assert generator_evidence(with_xmp("JPEG", xmp(described)), "JPEG").detail["prompt"] == "a red door"
    assert read_provenance(png_texts({"Description": "my Job ID: 12"}), facts()) == []


def test_mflux() -> None:
    record = {
        "mflux_version": "0.16",
        "prompt": "an owl",
        "seed": 42,
        "model": "qwen",
        "masked_image_path": None,
    }
    made = with_exif("PNG", exif(user_comment=b"ASCII\0\0\0" + json.dumps(record).encode()))
    item = generator_evidence(made)
    assert item.points_to == "ai" and item.detail["prompt"] == "an owl" and item.detail["model"] == "qwen"
    record["masked_image_path"] = "mask.png"
    masked = with_exif("PNG", exif(user_comment=b"ASCII\0\0\0" + json.dumps(record).encode()))
    assert generator_evidence(masked).points_to == "ai_edited"


@pytest.mark.parametrize(("label", "points_to"), [("1", "ai"), ("2", "nothing"), ("3", "nothing")])
def test_aigc_label_locations(label: str, points_to: PointsTo) -> None:
    record = {"Label": label, "ContentProducer": "maker-1", "ProduceID": "7"}
    text = json.dumps(record)
    escaped = text.replace('"', "&quot;")
    places = [
        (png_texts({"AIGC": text}), "PNG"),
        (with_xmp("JPEG", xmp(f"<TC260:AIGC>{escaped}</TC260:AIGC>")), "JPEG"),
        (with_exif("JPEG", exif(user_comment=json.dumps({"AIGC": record}).encode())), "JPEG"),
    ]
    for data, form in places:
        item = generator_evidence(data, form)
        assert item.points_to == points_to and "maker-1" in item.detail["generator"]
    assert read_provenance(png_texts({"AIGC": '{"Label": "9"}'}), facts()) == []


def test_metadata_control_characters_are_removed() -> None:
    text = "\x1b[31mred\u202e\x07\nSteps: 20, Sampler: x, Seed: 1, Version: Fooocus\x1b[2J"
    item = generator_evidence(png_texts({"parameters": text}))
    output = json.dumps(item.detail, ensure_ascii=False) + item.claim
    assert "\x1b" not in output and "\u202e" not in output and "\x07" not in output


def test_long_texts_are_truncated() -> None:
    item = generator_evidence(png([(b"tEXt", b"parameters\0" + b"x" * 3_000_000 + b"\nSteps: 20, Seed: 1")]))
    assert len(item.detail["prompt"]) <= 8_000


def test_photograph_has_no_generator() -> None:
    assert read_provenance(jpeg(), facts("JPEG")) == []
