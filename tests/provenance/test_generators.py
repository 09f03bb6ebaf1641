"""Generators' records, each written by the test as the generator writes it, through the whole reading of a file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imageprocess.provenance import read_provenance
from imageprocess.types import Evidence, PointsTo
from testkit.records import exif, facts, jpeg, png, png_texts, with_exif, with_xmp, xmp

A1111 = (
    "a cat, (sitting:1.2)\non a mat\nNegative prompt: blurry,\nlowres\n"
    "Steps: 20, Sampler: DPM++ 2M, CFG scale: 7, Seed: 42, Size: 320x240, Model: sd15, "
    'Lora hashes: "a: 1, b: 2", Version: v1.10.1'
)


def only(data: bytes, form: str = "PNG", **size: int) -> Evidence:
    (item,) = read_provenance(data, facts(form, **size))
    assert item.kind == "generator_metadata" and item.trust == "unsigned"
    assert item.detail["proves"] and item.detail["does_not_prove"]
    return item


def test_a1111_in_png() -> None:
    item = only(png_texts({"parameters": A1111}))
    assert item.points_to == "ai"
    told = item.detail
    assert (told["prompt"], told["negative_prompt"]) == ("a cat, (sitting:1.2)\non a mat", "blurry,\nlowres")
    assert (told["seed"], told["sampler"], told["model"]) == ("42", "DPM++ 2M", "sd15")
    assert told["settings"]["Lora hashes"] == "a: 1, b: 2" and told["settings"]["CFG scale"] == "7"


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
@pytest.mark.parametrize("order", ["utf-16-be", "utf-16-le"])
def test_a1111_in_exif(form: str, order: str) -> None:
    block = exif(user_comment=b"UNICODE\0" + A1111.encode(order))
    item = only(with_exif(form, block), form)
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
def test_a1111_tells_making_from_editing(more: str, points_to: PointsTo) -> None:
    assert only(png_texts({"parameters": f"{A1111}, {more}"})).points_to == points_to


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
def test_other_texts_named_parameters_are_nobodys(text: str) -> None:
    assert read_provenance(png_texts({"parameters": text}), facts()) == []


def graph(**nodes: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {name[1:]: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


SAMPLER = {
    "seed": 7, "steps": 20, "cfg": 8.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
    "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0],
}  # fmt: skip
MADE = graph(
    n3=("KSampler", SAMPLER),
    n4=("CheckpointLoaderSimple", {"ckpt_name": "sd15.safetensors"}),
    n5=("EmptyLatentImage", {"width": 320, "height": 240, "batch_size": 1}),
    n6=("CLIPTextEncode", {"text": "a fox", "clip": ["4", 1]}),
    n7=("CLIPTextEncode", {"text": "blurry", "clip": ["4", 1]}),
    n8=("VAEDecode", {"samples": ["3", 0], "vae": ["4", 2]}),
    n9=("SaveImage", {"images": ["8", 0]}),
)
EDITED = {
    **MADE,
    **graph(
        n5=("VAEEncode", {"pixels": ["10", 0], "vae": ["4", 2]}),
        n10=("LoadImage", {"image": "holiday.jpg"}),
    ),
}
FACE_SWAP = graph(
    n1=("VHS_LoadVideo", {"video": "interview.mp4"}),
    n2=("LoadImage", {"image": "face.png"}),
    n3=("ReActorFaceSwap", {"input_image": ["1", 0], "source_image": ["2", 0]}),
    n4=("SaveImage", {"images": ["3", 0]}),
)
CONTROL_NET = {
    **MADE,
    **graph(
        n3=("KSampler", {**SAMPLER, "positive": ["11", 0]}),
        n10=("LoadImage", {"image": "pose.png"}),
        n11=("ControlNetApply", {"conditioning": ["6", 0], "image": ["10", 0], "strength": 1.0}),
    ),
}
KONTEXT = {
    **MADE,
    **graph(
        n3=("KSampler", {**SAMPLER, "positive": ["11", 0]}),
        n10=("LoadImage", {"image": "photo.png"}),
        n11=("ReferenceLatent", {"conditioning": ["6", 0], "latent": ["12", 0]}),
        n12=("VAEEncode", {"pixels": ["10", 0]}),
    ),
}
UPSCALED = {
    **MADE,
    **graph(
        n9=("SaveImage", {"images": ["10", 0]}),
        n10=("ImageUpscaleWithModel", {"image": ["8", 0], "upscale_model": ["11", 0]}),
        n11=("UpscaleModelLoader", {"model_name": "4x.pth"}),
    ),
}
SERVICE = graph(
    n1=("OpenAIGPTImage1", {"prompt": "a fox", "seed": 3}), n2=("SaveImage", {"images": ["1", 0]})
)
SERVICE_EDIT = {
    **SERVICE,
    **graph(
        n1=("OpenAIGPTImage1", {"prompt": "a hat", "image": ["3", 0]}), n3=("LoadImage", {"image": "me.jpg"})
    ),
}
STRUCTURE = {
    **MADE,
    **graph(
        n3=("KSampler", {**SAMPLER, "positive": ["11", 0], "latent_image": ["11", 2]}),
        n10=("LoadImage", {"image": "room.png"}),
        n11=("InstructPixToPixConditioning", {"positive": ["6", 0], "pixels": ["12", 0], "vae": ["4", 2]}),
        n12=("Canny", {"image": ["10", 0], "low_threshold": 0.1}),
    ),
}
READY_MAP = {
    **STRUCTURE,
    **graph(
        n3=("KSampler", {**SAMPLER, "model": ["13", 0], "positive": ["11", 0], "latent_image": ["11", 2]}),
        n11=("InstructPixToPixConditioning", {"positive": ["6", 0], "pixels": ["10", 0], "vae": ["4", 2]}),
        n13=("LoraLoaderModelOnly", {"model": ["4", 0], "lora_name": "flux1-depth-dev-lora.safetensors"}),
    ),
}
INSTRUCTED = {**READY_MAP, **graph(n13=("LoraLoaderModelOnly", {"model": ["4", 0], "lora_name": "ip2p.pt"}))}
REFERENCE_MAP = {
    **KONTEXT,
    **graph(
        n12=("VAEEncode", {"pixels": ["13", 0]}),
        n13=("DWPreprocessor_dwpose_PoseDetector", {"image": ["10", 0]}),
    ),
}
MAP_OVER_PHOTO = {
    **EDITED,
    **graph(
        n3=("KSampler", {**SAMPLER, "positive": ["11", 0]}),
        n11=("ControlNetApply", {"conditioning": ["6", 0], "image": ["12", 0]}),
        n12=("Canny", {"image": ["10", 0]}),
    ),
}
OWN_REFERENCE = {
    **CONTROL_NET,
    **graph(
        n3=("KSampler", {**SAMPLER, "positive": ["12", 0]}),
        n12=("ReferenceLatent", {"conditioning": ["11", 0], "latent": ["13", 0]}),
        n13=("KSampler", SAMPLER),
    ),
}
ONLY_A_MAP = graph(
    n1=("LoadImage", {"image": "room.png"}),
    n2=("Canny", {"image": ["1", 0]}),
    n3=("SaveImage", {"images": ["2", 0]}),
)
NO_SAMPLER = graph(
    n1=("SomeNode", {}), n2=("ImageBlur", {"image": ["1", 0]}), n3=("SaveImage", {"images": ["2", 0]})
)


@pytest.mark.parametrize(
    ("ran", "points_to"),
    [(MADE, "ai"), (CONTROL_NET, "ai"), (EDITED, "ai_edited"), (FACE_SWAP, "ai_edited"), (KONTEXT, "ai_edited"),
     (SERVICE, "ai"), (SERVICE_EDIT, "ai_edited"), (NO_SAMPLER, "nothing"), (STRUCTURE, "ai"), (READY_MAP, "ai"),
     (INSTRUCTED, "ai_edited"), (REFERENCE_MAP, "ai"), (MAP_OVER_PHOTO, "ai_edited"), (OWN_REFERENCE, "ai"),
     (ONLY_A_MAP, "nothing")],
    ids=["made", "control-net", "img2img", "face-swap", "kontext", "service", "service-edit", "no-sampler", "edges",
         "ready-depth-map", "instructed", "pose-as-reference", "edges-of-the-photo-itself", "own-reference",
         "only-a-map"],
)  # fmt: skip
def test_a_comfyui_graph_tells_what_became_of_the_pixels(ran: dict[str, Any], points_to: PointsTo) -> None:
    assert only(png_texts({"prompt": json.dumps(ran)})).points_to == points_to


def test_comfyui_shows_prompt_seed_sampler_and_model() -> None:
    told = only(png_texts({"prompt": json.dumps(MADE)})).detail
    assert (told["prompt"], told["negative_prompt"], told["seed"]) == ("a fox", "blurry", "7")
    assert (told["sampler"], told["model"], told["generator"]) == ("euler", "sd15.safetensors", "ComfyUI")


@pytest.mark.parametrize(
    ("ran", "width", "height", "points_to"),
    [
        (MADE, 2678, 1072, "nothing"),  # a screenshot of the node graph
        (MADE, 640, 480, "nothing"),  # the same proportions, but nothing in the graph enlarges it
        (MADE, 322, 238, "ai"),  # latents come in steps of 8
        (UPSCALED, 1280, 960, "ai"),
        (UPSCALED, 1920, 1080, "nothing"),
    ],
)
def test_a_picture_that_the_workflow_cannot_have_made_is_not_its_own(
    ran: dict[str, Any], width: int, height: int, points_to: PointsTo
) -> None:
    item = only(png_texts({"prompt": json.dumps(ran)}), width=width, height=height)
    assert item.points_to == points_to
    assert points_to == "ai" or f"{width}x{height}" in item.claim


def test_a_workflow_alone_is_read_too() -> None:
    def node(i: int, kind: str, inputs: dict[str, int], widgets: list[Any]) -> dict[str, Any]:
        slots = [{"name": name, "link": link} for name, link in inputs.items()]
        return {"id": i, "type": kind, "mode": 0, "inputs": slots, "widgets_values": widgets}

    drawn = {
        "nodes": [
            node(1, "EmptyLatentImage", {}, [320, 240, 1]),
            node(2, "KSampler", {"latent_image": 1, "positive": 4}, [7, "fixed", 20]),
            node(3, "VAEDecode", {"samples": 2}, []),
            node(4, "SaveImage", {"images": 3}, ["x"]),
            node(5, "CLIPTextEncode", {}, ["a fox"]),
        ],
        "links": [
            [1, 1, 0, 2, 0, "LATENT"],
            [2, 2, 0, 3, 0, "LATENT"],
            [3, 3, 0, 4, 0, "IMAGE"],
            [4, 5, 0, 2, 1, "C"],
        ],
    }
    item = only(png_texts({"workflow": json.dumps(drawn)}))
    assert item.points_to == "ai" and item.detail["prompt"] == "a fox"
    assert only(png_texts({"workflow": json.dumps(drawn)}), width=999, height=100).points_to == "nothing"


def test_comfyui_in_webps_exif_is_no_camera() -> None:
    block = exif(make="workflow:{}", model=f"prompt:{json.dumps(MADE)}")
    item = only(with_exif("WEBP", block), "WEBP")
    assert item.points_to == "ai" and item.detail["generator"] == "ComfyUI"


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "null",
        "1",
        '"x"',
        '{"1": {}}',
        '{"1": {"class_type": 3}}',
        "[" * 100_000,
        '{"a":' * 50_000,
    ],
)
def test_json_that_is_no_graph_is_nobodys(text: str) -> None:
    assert read_provenance(png_texts({"prompt": text, "workflow": text}), facts()) == []


def test_a_graph_that_bites_its_tail_ends() -> None:
    ring = graph(n1=("KSampler", {"latent_image": ["2", 0]}), n2=("KSampler", {"latent_image": ["1", 0]}))
    only(png_texts({"prompt": json.dumps({**ring, **graph(n3=("SaveImage", {"images": ["1", 0]}))})}))


@pytest.mark.parametrize(
    ("mode", "points_to"), [("sdxl_txt2img", "ai"), ("img2img", "ai_edited"), ("inpaint", "ai_edited")]
)
def test_invokeai(mode: str, points_to: PointsTo) -> None:
    record = {
        "app_version": "4.2", "generation_mode": mode, "positive_prompt": "a hill", "negative_prompt": "fog",
        "seed": 5, "scheduler": "ddim", "model": {"name": "sdxl"}, "steps": 30,
    }  # fmt: skip
    item = only(png_texts({"invokeai_metadata": json.dumps(record)}))
    assert item.points_to == points_to and item.detail["generator"] == "InvokeAI 4.2"
    assert [item.detail[k] for k in ("prompt", "negative_prompt", "seed", "sampler", "model")] == [
        "a hill", "fog", "5", "ddim", "sdxl"
    ]  # fmt: skip


def test_invokeais_older_record() -> None:
    image = {"prompt": [{"prompt": "a hill", "weight": 1}], "type": "txt2img", "seed": 5, "sampler": "ddim"}
    item = only(png_texts({"sd-metadata": json.dumps({"model_weights": "sd15", "image": image})}))
    assert item.points_to == "ai" and item.detail["prompt"] == "a hill" and item.detail["model"] == "sd15"


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_fooocus(form: str) -> None:
    record = json.dumps(
        {"version": "Fooocus v2.5.5", "prompt": "a boat", "negative_prompt": "", "seed": "9", "sampler": "dpmpp",
         "base_model": "juggernaut", "metadata_scheme": "fooocus"}
    )  # fmt: skip
    if form == "PNG":
        item = only(png_texts({"parameters": record, "fooocus_scheme": "fooocus"}))
    else:
        item = only(with_exif("JPEG", exif(user_comment=b"ASCII\0\0\0" + record.encode())), "JPEG")
    assert item.points_to == "ai" and item.detail["generator"] == "Fooocus v2.5.5"
    assert (item.detail["seed"], item.detail["model"]) == ("9", "juggernaut")


@pytest.mark.parametrize(
    ("request_type", "points_to"), [(None, "ai"), ("NativeInfillingRequest", "ai_edited")]
)
def test_novelai(request_type: str | None, points_to: PointsTo) -> None:
    comment = {"prompt": "1girl", "uc": "bad", "seed": 1, "sampler": "k_euler", "request_type": request_type}
    texts = {"Title": "NovelAI generated image", "Software": "NovelAI", "Source": "NovelAI Diffusion V4",
             "Description": "1girl", "Comment": json.dumps(comment)}  # fmt: skip
    item = only(png_texts(texts))
    assert item.points_to == points_to and item.detail["negative_prompt"] == "bad"
    assert item.detail["model"] == "NovelAI Diffusion V4"
    assert read_provenance(png_texts({**texts, "Software": "GIMP"}), facts()) == []


def test_midjourney() -> None:
    text = "a red door --ar 3:2 --v 7 Job ID: 270afee8-8dd8-481c-9621-84b0f1352ca5"
    item = only(png_texts({"Description": text, "Author": "someone"}))
    assert item.points_to == "ai" and item.detail["prompt"] == "a red door" and item.detail["model"] == "v 7"
    assert item.detail["settings"]["author"] == "someone"
    described = (
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>'
    )
    assert only(with_xmp("JPEG", xmp(described)), "JPEG").detail["prompt"] == "a red door"
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
    item = only(made)
    assert item.points_to == "ai" and item.detail["prompt"] == "an owl" and item.detail["model"] == "qwen"
    record["masked_image_path"] = "mask.png"
    masked = with_exif("PNG", exif(user_comment=b"ASCII\0\0\0" + json.dumps(record).encode()))
    assert only(masked).points_to == "ai_edited"


@pytest.mark.parametrize(("label", "points_to"), [("1", "ai"), ("2", "nothing"), ("3", "nothing")])
def test_chinas_aigc_label_in_each_of_its_places(label: str, points_to: PointsTo) -> None:
    record = {"Label": label, "ContentProducer": "maker-1", "ProduceID": "7"}
    text = json.dumps(record)
    escaped = text.replace('"', "&quot;")
    places = [
        (png_texts({"AIGC": text}), "PNG"),
        (with_xmp("JPEG", xmp(f"<TC260:AIGC>{escaped}</TC260:AIGC>")), "JPEG"),
        (with_exif("JPEG", exif(user_comment=json.dumps({"AIGC": record}).encode())), "JPEG"),
    ]
    for data, form in places:
        item = only(data, form)
        assert item.points_to == points_to and "maker-1" in item.detail["generator"]
    assert read_provenance(png_texts({"AIGC": '{"Label": "9"}'}), facts()) == []


def test_a_record_cannot_speak_to_the_terminal() -> None:
    text = "\x1b[31mred\u202e\x07\nSteps: 20, Sampler: x, Seed: 1, Version: Fooocus\x1b[2J"
    item = only(png_texts({"parameters": text}))
    shown = json.dumps(item.detail, ensure_ascii=False) + item.claim
    assert "\x1b" not in shown and "\u202e" not in shown and "\x07" not in shown


def test_what_is_told_can_be_written_as_json() -> None:
    inputs = {"seed": 7, "cfg": float("inf"), "a": float("nan"), "b": "\ud800"}
    text = json.dumps({**MADE, **graph(n3=("KSampler", {**SAMPLER, **inputs}))})
    text = text.replace("Infinity", "1e999")  # Python reads it as infinity
    item = only(png_texts({"prompt": text}))
    json.dumps(item.detail, allow_nan=False, ensure_ascii=False).encode()


def test_endless_texts_are_cut() -> None:
    item = only(png([(b"tEXt", b"parameters\0" + b"x" * 3_000_000 + b"\nSteps: 20, Seed: 1")]))
    assert len(item.detail["prompt"]) <= 8_000


def test_a_photograph_has_no_generator() -> None:
    assert read_provenance(jpeg(), facts("JPEG")) == []
