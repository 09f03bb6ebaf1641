"""The `parameters` text of AUTOMATIC1111's web UI and its relatives (Forge, SD.Next, stable-diffusion.cpp, ...):

a cat, sitting
Negative prompt: blurry
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model: x, Version: v1.10.1
"""

from __future__ import annotations

import re

from .generation import Generation, How

_MARK_OF_SETTINGS = re.compile(r"Steps: \d")
_NEGATIVE = "Negative prompt:"
_SIBLINGS = {"Sampler", "Seed", "CFG scale", "Model", "Model hash"}
_HIRES = {"Hires upscale", "Hires upscaler", "Hires steps", "Hires resize"}


def read_a1111(text: str | None) -> Generation | None:
    if not text:
        return None
    lines = text.strip().splitlines()
    last = next(
        (i for i in range(len(lines) - 1, -1, -1) if _MARK_OF_SETTINGS.match(lines[i].lstrip())), None
    )
    if last is None:
        return None
    settings = _settings(" ".join(lines[last:]))
    if not _SIBLINGS & settings.keys():
        return None
    prompt, negative = _prompts(lines[:last])
    return Generation(
        generator=_generator(settings.get("Version", "")),
        how=_how(settings),
        prompt=prompt or None,
        negative_prompt=negative or None,
        seed=settings.get("Seed"),
        sampler=settings.get("Sampler"),
        model=settings.get("Model") or settings.get("Unet"),
        settings=settings,
    )


def _how(settings: dict[str, str]) -> How:
    """A denoising strength without an upscaling pass is img2img's: the work began with an input picture."""
    if "Mask blur" in settings or "Masked content" in settings or "Inpaint area" in settings:
        return "edited"
    return "edited" if "Denoising strength" in settings and not _HIRES & settings.keys() else "made"


def _prompts(lines: list[str]) -> tuple[str, str]:
    for i, line in enumerate(lines):
        if line.startswith(_NEGATIVE):
            negative = "\n".join([line.removeprefix(_NEGATIVE), *lines[i + 1 :]])
            return "\n".join(lines[:i]).strip(), negative.strip()
    return "\n".join(lines).strip(), ""


def _settings(line: str) -> dict[str, str]:
    """ "A: 1, B: "x, y", C: {..}" -> its pairs. Commas inside quotes or brackets do not part."""
    pairs: dict[str, str] = {}
    depth, quoted, start = 0, False, 0
    for at, char in enumerate(line + ","):
        if char == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif char in "{[(":
            depth += 1
        elif char in "}])":
            depth = max(0, depth - 1)
        elif char == "," and (depth == 0 or at == len(line)):
            name, colon, value = line[start:at].partition(":")
            if colon:
                pairs.setdefault(name.strip(), value.strip().strip('"'))
            start = at + 1
    return pairs


def _generator(version: str) -> str:
    if version.startswith(("Fooocus", "ComfyUI", "stable-diffusion.cpp", "SD.Next")):
        return version
    if re.match(r"f\d", version):
        return "Stable Diffusion WebUI Forge"
    return "Stable Diffusion web UI (AUTOMATIC1111 or a relative)"
