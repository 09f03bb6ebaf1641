"""A record of each tool in the table, and ComfyUI graphs that must not be misread."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imageprocess.provenance import read_provenance
from imageprocess.types import Evidence, PointsTo
from testkit.records import exif, facts, png_texts, with_exif, with_xmp, xmp

SWARM = {"prompt": "p", "model": "m", "seed": 5, "cfgscale": 1}
DRAW = {"c": "p", "uc": "", "sampler": "Euler", "seed": 5, "steps": 8, "model": "m", "strength": 1.0}
EASY = {"prompt": "p", "use_stable_diffusion_model": "m", "num_inference_steps": 25, "seed": 5}
INVOKE = {"nodes": {"a": {"type": "flux_denoise", "seed": 5}, "b": {"type": "flux_vae_decode"}}, "edges": []}


def claims(data: bytes, form: str = "PNG") -> list[Evidence]:
    return [i for i in read_provenance(data, facts(form)) if i.kind == "generator_metadata"]


@pytest.mark.parametrize(
    ("tool", "record", "points_to"),
    [
        ("SwarmUI", {"sui_image_params": SWARM}, "ai"),
        ("SwarmUI", {"sui_image_params": {**SWARM, "initimagecreativity": 0.4}}, "ai_edited"),
        ("Draw Things", DRAW, "ai"),
        ("Draw Things", {**DRAW, "strength": 0.6}, "ai_edited"),
        ("Easy Diffusion", EASY, "ai"),
        ("Easy Diffusion", {**EASY, "prompt_strength": 0.8}, "ai_edited"),
        ("Easy Diffusion", {"Prompt": "p", "Stable Diffusion model": "m", "Steps": 25, "Seed": 5}, "ai"),
        ("RuinedFooocus", {"Prompt": "p", "software": "RuinedFooocus", "seed": 5}, "ai"),
        ("Fooocus 2.0 MRE", {"prompt": "p", "software": "Fooocus 2.0 MRE", "img2img": False}, "ai"),
        ("Fooocus 2.0 MRE", {"prompt": "p", "software": "Fooocus 2.0 MRE", "img2img": True}, "ai_edited"),
        ("Wan2GP v9", {"type": "WanGP v9 by x", "prompt": "p"}, "ai"),
        ("a Hugging Face Space", {"prompt": "p", "guidance_scale": 5, "num_inference_steps": 9, "Model": "m"}, "ai"),
        ("Tencent Cloud's AIGC label", {"AIGC": {"ServiceProvider": "x", "Time": "1"}}, "ai"),
        ("Dreamina", {"data": {"product": "dreamina", "exportType": "generation"}}, "ai"),
        (None, {"data": {"product": "dreamina", "exportType": "retouch"}}, None),
        (None, {"prompt": "p", "seed": 5}, None),
        (None, {"software": "RuinedFooocus"}, None),
    ],
)  # fmt: skip
def test_json_records(tool: str | None, record: dict[str, Any], points_to: PointsTo | None) -> None:
    block = exif(user_comment=b"UNICODE\0" + json.dumps(record).encode("utf-16-le"))
    for data, form in (
        (png_texts({"parameters": json.dumps(record)}), "PNG"),
        (with_exif("JPEG", block), "JPEG"),
    ):
        actual = claims(data, form)
        assert [item.points_to for item in actual] == ([points_to] if points_to else [])
        assert tool is None or str(actual[0].detail["generator"]).startswith(tool)


@pytest.mark.parametrize(
    ("tool", "texts", "points_to"),
    [
        ("Easy Diffusion", {name: str(value) for name, value in EASY.items()}, "ai"),
        ("InvokeAI", {"Dream": '"a hill [fog]" -s 50 -S 4242 -W 320 -H 240 -C 7.5 -A k_lms'}, "ai"),
        ("InvokeAI", {"Dream": '"a hill" -s 50 -S 4242 -I in.png -f 0.6'}, "ai_edited"),
        ("InvokeAI", {"invokeai_graph": json.dumps(INVOKE)}, "ai"),
        ("Luma", {"Software": "Uni-1", "Source": "Luma AI"}, "ai"),
        ("Reve", {"Software": "reve.com"}, "ai"),
        ("NovelAI", {"Software": "NovelAI Diffusion V4.5", "Comment": '{"prompt": "p", "uc": "u", "seed": 5}'}, "ai"),
        (None, {"Software": "Luma Fusion", "Source": "Canon"}, None),
        (None, {"Dream": "I had one"}, None),
    ],
)  # fmt: skip
def test_named_text_records(tool: str | None, texts: dict[str, str], points_to: PointsTo | None) -> None:
    actual = claims(png_texts(texts))
    assert [item.points_to for item in actual] == ([points_to] if points_to else [])
    assert tool is None or str(actual[0].detail["generator"]).startswith(tool)


def test_grok_signature_needs_both_fields() -> None:
    signature = "Signature: " + "paWl" * 20
    assert claims(with_exif("JPEG", exif(description=signature)), "JPEG") == []
    assert claims(with_exif("JPEG", exif(make="Ideogram AI")), "JPEG")[0].detail["generator"] == "Ideogram"


def test_iptc_ai_properties_are_a_claim() -> None:
    packet = xmp("<Iptc4xmpExt:AISystemUsed>Imagen 4</Iptc4xmpExt:AISystemUsed>")
    (item,) = read_provenance(with_xmp("JPEG", packet), facts("JPEG"))
    assert (item.kind, item.points_to, item.detail["generator"]) == ("iptc", "ai", "Imagen 4")
    camera = xmp(
        "<Iptc4xmpExt:AISystemUsed>x</Iptc4xmpExt:AISystemUsed>"
        "<Iptc4xmpExt:DigitalSourceType>digitalCapture</Iptc4xmpExt:DigitalSourceType>"
    )
    assert {i.points_to for i in read_provenance(with_xmp("JPEG", camera), facts("JPEG"))} == {
        "real",
        "nothing",
    }


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


SAMPLED = {
    "1": node("CheckpointLoaderSimple", ckpt_name="m"),
    "2": node("EmptyLatentImage", width=320, height=240, batch_size=1),
    "3": node("KSampler", seed=5, steps=9, cfg=1.0, model=["1", 0], positive=["8", 0], latent_image=["2", 0]),
    "4": node("VAEDecode", samples=["3", 0], vae=["1", 2]),
    "5": node("SaveImage", images=["4", 0], filename_prefix="x"),
}
CONTROL = {
    **SAMPLED,
    "6": node("LoadImage", image="room.jpg"),
    "7": node("Canny", image=["6", 0]),
    "8": node("ControlNetApply", image=["7", 0], control_net=["1", 0]),
}


@pytest.mark.parametrize(
    ("graph", "points_to"),
    [
        ({"1": node("WebcamCapture", image="webcam/1.png", width=0, height=0, capture_on_queue=True),
          "2": node("ImageNoiseAugmentation", image=["1", 0], noise_aug_strength=0.01, seed=1),
          "3": node("SaveImage", images=["2", 0])}, "nothing"),
        ({"1": node("LoadImage", image="holiday.jpg"),
          "2": node("ImageScale", image=["1", 0], width=320, height=240, upscale_method="lanczos"),
          "3": node("SaveImage", images=["2", 0])}, "nothing"),
        ({**CONTROL, "9": node("PreviewImage", images=["7", 0])}, "ai"),
        ({**CONTROL, "9": node("SaveImage", images=["6", 0], filename_prefix="reference")}, "ai"),
        ({"1": node("ByteDanceSeedreamNode", prompt="p", seed=4, model="m"),
          "2": node("SaveImage", images=["1", 0])}, "ai"),
        ({**SAMPLED, "extra": {"airs": ["urn:air:x"]}, "extraMetadata": "{}"}, "ai"),
        ({**SAMPLED, "2": node("VAEEncode", pixels=["6", 0]), "6": node("LoadImage", image="me.jpg")}, "ai_edited"),
    ],
    ids=["webcam", "resize", "preview", "two-saves", "service", "civitai", "img2img"],
)  # fmt: skip
def test_graph_function_counts_not_node_names(graph: dict[str, Any], points_to: PointsTo) -> None:
    (item,) = claims(png_texts({"prompt": json.dumps(graph)}))
    assert item.points_to == points_to
