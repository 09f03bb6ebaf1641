"""Generators that write one small record: InvokeAI, Fooocus, NovelAI, Midjourney, mflux, and China's AIGC label."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .generation import Generation, parse_json, scalars, text_of

_MFLUX = "{http://ns.mflux.ai/1.0/}"
_DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"
_CREATOR = "{http://purl.org/dc/elements/1.1/}creator"
_TC260 = "{http://www.tc260.org.cn/ns/AIGC/1.0/}AIGC"
_JOB_ID = re.compile(r"\s*Job ID: ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\s*\Z")


def read_invokeai(notes: Mapping[str, str]) -> Generation | None:
    record = parse_json(notes.get("invokeai_metadata"))
    if isinstance(record, dict) and ("positive_prompt" in record or "generation_mode" in record):
        mode = str(record.get("generation_mode", ""))
        model = record.get("model")
        return Generation(
            generator=f"InvokeAI {record.get('app_version', '')}".strip(),
            how="edited" if re.search(r"img2img|inpaint|outpaint", mode) else "made",
            prompt=text_of(record.get("positive_prompt")),
            negative_prompt=text_of(record.get("negative_prompt")),
            seed=text_of(record.get("seed")),
            sampler=text_of(record.get("scheduler")),
            model=_name_of(model),
            settings=scalars(record, frozenset({"positive_prompt", "negative_prompt"})),
        )
    old = parse_json(notes.get("sd-metadata"))
    image = old.get("image") if isinstance(old, dict) else None
    if not isinstance(image, dict) or "prompt" not in image:
        return None
    prompts = image["prompt"]
    first = prompts[0] if isinstance(prompts, list) and prompts else prompts
    return Generation(
        generator=f"InvokeAI {old.get('app_version', '')}".strip(),
        how="made" if image.get("type", "txt2img") == "txt2img" else "edited",
        prompt=text_of(first.get("prompt") if isinstance(first, dict) else first),
        seed=text_of(image.get("seed")),
        sampler=text_of(image.get("sampler")),
        model=text_of(old.get("model_weights") or old.get("model")),
        settings=scalars(image),
    )


def read_fooocus(notes: Mapping[str, str]) -> Generation | None:
    """Fooocus writes its own JSON, or AUTOMATIC1111's text (read there)."""
    record = parse_json(notes.get("parameters") or notes.get("user_comment"))
    if not isinstance(record, dict) or not str(record.get("version", "")).startswith("Fooocus"):
        return None
    edits = any("inpaint" in key.lower() and value for key, value in record.items())
    return Generation(
        generator=str(record["version"]),
        how="edited" if edits else "made",
        prompt=text_of(record.get("prompt")),
        negative_prompt=text_of(record.get("negative_prompt")),
        seed=text_of(record.get("seed")),
        sampler=text_of(record.get("sampler")),
        model=text_of(record.get("base_model")),
        settings=scalars(record, frozenset({"prompt", "negative_prompt"})),
    )


def read_novelai(notes: Mapping[str, str]) -> Generation | None:
    record = parse_json(notes.get("Comment"))
    if (
        notes.get("Software") != "NovelAI"
        or not isinstance(record, dict)
        or not {"prompt", "uc"} & record.keys()
    ):
        return None
    request = str(record.get("request_type", ""))
    return Generation(
        generator="NovelAI",
        how="edited" if re.search(r"img2img|infill", request, re.I) else "made",
        prompt=text_of(record.get("prompt")) or notes.get("Description"),
        negative_prompt=text_of(record.get("uc")),
        seed=text_of(record.get("seed")),
        sampler=text_of(record.get("sampler")),
        model=notes.get("Source"),
        settings=scalars(record, frozenset({"prompt", "uc"})),
    )


def read_midjourney(notes: Mapping[str, str], xmp: Mapping[str, str]) -> Generation | None:
    """Midjourney ends the description with the job's id; its options follow the prompt behind two dashes."""
    for text in (notes.get("Description"), notes.get("description"), xmp.get(_DESCRIPTION)):
        job = _JOB_ID.search(text[-200:]) if text else None
        if text and job:
            told = text[: len(text) - len(job[0])]
            prompt, dashes, options = told.partition(" --")
            author = notes.get("Author") or xmp.get(_CREATOR)
            settings = {"job_id": job[1], "options": dashes.strip() + options, "author": author}
            version = re.search(r"--(v|niji) [\w.]+", dashes + options)
            return Generation(
                generator="Midjourney",
                prompt=prompt.strip() or None,
                model=version[0].removeprefix("--") if version else None,
                settings={name: value for name, value in settings.items() if value},
            )
    return None


def read_mflux(notes: Mapping[str, str], xmp: Mapping[str, str]) -> Generation | None:
    record = parse_json(notes.get("user_comment"))
    if isinstance(record, dict) and "mflux_version" in record:
        return Generation(
            generator=f"mflux {record['mflux_version']}",
            # Reference pictures are drawn anew; only a mask keeps parts of the input.
            how="edited" if record.get("masked_image_path") else "made",
            prompt=text_of(record.get("prompt")),
            negative_prompt=text_of(record.get("negative_prompt")),
            seed=text_of(record.get("seed")),
            model=text_of(record.get("model")),
            settings=scalars(record, frozenset({"prompt", "negative_prompt"})),
        )
    if _MFLUX + "model" not in xmp:
        return None
    return Generation(
        generator="mflux",
        prompt=xmp.get(_DESCRIPTION),
        seed=xmp.get(_MFLUX + "seed"),
        model=xmp[_MFLUX + "model"],
        settings={name.removeprefix(_MFLUX): value for name, value in xmp.items() if name.startswith(_MFLUX)},
    )


def read_aigc(notes: Mapping[str, str], xmp: Mapping[str, str]) -> Generation | None:
    """The implicit label of GB 45438-2025. Label 1: AI-generated; 2: possibly; 3: suspected, by who passes it on."""
    for text in (xmp.get(_TC260), notes.get("AIGC"), notes.get("user_comment")):
        record = parse_json(text)
        if isinstance(record, dict) and isinstance(record.get("AIGC"), dict):
            record = record["AIGC"]
        if isinstance(record, dict) and str(record.get("Label")) in ("1", "2", "3"):
            producer = text_of(record.get("ContentProducer"))
            return Generation(
                generator="China's AIGC label (GB 45438)" + (f", producer {producer}" if producer else ""),
                how="made" if str(record["Label"]) == "1" else "unclear",
                settings=scalars(record),
            )
    return None


def _name_of(model: Any) -> str | None:
    if isinstance(model, dict):
        return text_of(model.get("name") or model.get("model_name"))
    return text_of(model)
