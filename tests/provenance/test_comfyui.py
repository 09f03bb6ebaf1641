"""ComfyUI node graphs in image metadata: made by AI, edited with AI, or neither."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imageprocess.provenance import read_provenance
from imageprocess.types import PointsTo
from testkit.records import exif, facts, png_texts, with_exif
from tests.support.generator_metadata import generator_evidence


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
def test_comfyui_graph_points_to(ran: dict[str, Any], points_to: PointsTo) -> None:
    assert generator_evidence(png_texts({"prompt": json.dumps(ran)})).points_to == points_to


def test_comfyui_detail_has_prompt_seed_sampler_and_model() -> None:
    detail = generator_evidence(png_texts({"prompt": json.dumps(MADE)})).detail
    assert (detail["prompt"], detail["negative_prompt"], detail["seed"]) == ("a fox", "blurry", "7")
    assert (detail["sampler"], detail["model"], detail["generator"]) == (
        "euler",
        "sd15.safetensors",
        "ComfyUI",
    )


@pytest.mark.parametrize(
    ("ran", "width", "height", "points_to"),
    [
        (MADE, 2678, 1072, "nothing"),  # a screenshot of the node graph
        (MADE, 640, 480, "nothing"),  # same aspect ratio, but nothing in the graph upscales
        (MADE, 322, 238, "ai"),  # latents come in steps of 8
        (UPSCALED, 1280, 960, "ai"),
        (UPSCALED, 1920, 1080, "nothing"),
    ],
)
def test_comfyui_graph_with_other_image_size_points_to_nothing(
    ran: dict[str, Any], width: int, height: int, points_to: PointsTo
) -> None:
    item = generator_evidence(png_texts({"prompt": json.dumps(ran)}), width=width, height=height)
    assert item.points_to == points_to
    assert points_to == "ai" or f"{width}x{height}" in item.claim


def test_comfyui_workflow_without_prompt_graph() -> None:
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
    item = generator_evidence(png_texts({"workflow": json.dumps(drawn)}))
    assert item.points_to == "ai" and item.detail["prompt"] == "a fox"
    assert (
        generator_evidence(png_texts({"workflow": json.dumps(drawn)}), width=999, height=100).points_to
        == "nothing"
    )


def test_comfyui_in_webp_exif_is_not_a_camera() -> None:
    block = exif(make="workflow:{}", model=f"prompt:{json.dumps(MADE)}")
    item = generator_evidence(with_exif("WEBP", block), "WEBP")
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
def test_json_without_graph_has_no_generator(text: str) -> None:
    assert read_provenance(png_texts({"prompt": text, "workflow": text}), facts()) == []


def test_cyclic_graph_terminates() -> None:
    ring = graph(n1=("KSampler", {"latent_image": ["2", 0]}), n2=("KSampler", {"latent_image": ["1", 0]}))
    generator_evidence(
        png_texts({"prompt": json.dumps({**ring, **graph(n3=("SaveImage", {"images": ["1", 0]}))})})
    )


def test_evidence_detail_is_valid_json() -> None:
    inputs = {"seed": 7, "cfg": float("inf"), "a": float("nan"), "b": "\ud800"}
    text = json.dumps({**MADE, **graph(n3=("KSampler", {**SAMPLER, **inputs}))})
    text = text.replace("Infinity", "1e999")  # parsed as infinity
    item = generator_evidence(png_texts({"prompt": text}))
    json.dumps(item.detail, allow_nan=False, ensure_ascii=False).encode()
