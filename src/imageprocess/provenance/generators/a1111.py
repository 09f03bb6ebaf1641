"""The `parameters` text of AUTOMATIC1111's web UI and its relatives (Forge, SD.Next, stable-diffusion.cpp, ...):

a cat, sitting
Negative prompt: blurry
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model: x, Version: v1.10.1

Some programs put all of it on one line.
"""

from __future__ import annotations

import re

from .generation import Generation, How

_SETTINGS_LINE = re.compile(r"(?:^|[\r\n])[ \t]*Steps: ?\d")
_SETTINGS_ANYWHERE = re.compile(r"(?<![A-Za-z])Steps: ?\d+, ")
# Some programs write one setting per line, with or without a comma at the end.
_NEXT_SETTING = re.compile(r",?[ \t]{0,40}[\r\n]{1,20}[ \t]{0,40}(?=[A-Z][\w ]{0,40}: )")
_NEGATIVE = "Negative prompt:"
_RELATED = {"sampler", "seed", "cfg scale", "model", "model hash"}
_NUMBERS, _NAMES, _NUMBER = {"seed", "cfg scale"}, {"model", "model hash"}, re.compile(r"-?\d")
_MAX_SETTINGS = 100_000  # characters of settings
_MIN_ON_ONE_LINE = 3  # related settings that are required if no line break precedes the settings
# A second pass over the program's own first image: names of the web UI now, of 2022, and of SD.Next.
_SECOND_PASS = re.compile(r"^(hires |first pass size|refine|second pass)", re.I)
_INPUT_PICTURE = re.compile(r"^(mask blur|masked content|inpaint area|init(ial)? image|init size)", re.I)


def read_a1111(text: str | None) -> Generation | None:
    """The record in `text`, or None."""
    if not text or "Steps:" not in text:
        return None
    parts = _split(text.strip())
    if parts is None:
        return None
    before, settings = parts
    fields = {name.lower(): value for name, value in reversed(settings.items())}
    prompt, _, negative = before.partition(_NEGATIVE)
    return Generation(
        generator=_generator(fields),
        how=_how(fields),
        prompt=prompt.strip() or None,
        negative_prompt=negative.strip() or None,
        seed=fields.get("seed"),
        sampler=fields.get("sampler"),
        model=fields.get("model") or fields.get("unet"),
        settings=settings,
    )


def _split(text: str) -> tuple[str, dict[str, str]] | None:
    """The text before the settings, and the settings; None if there are none."""
    lines = list(_SETTINGS_LINE.finditer(text))
    anywhere = list(_SETTINGS_ANYWHERE.finditer(text))
    for matches, minimum in ((lines, 1), (anywhere, _MIN_ON_ONE_LINE)):
        if matches:
            at = matches[-1].start()
            one_line = " ".join(_NEXT_SETTING.sub(", ", text[at : at + _MAX_SETTINGS]).splitlines())
            settings = parse_settings(one_line.strip())
            if _count_related(settings) >= minimum:
                return text[:at], settings
    return None


def _count_related(settings: dict[str, str]) -> int:
    """Number of other settings of a sampler. Names of models alone do not count: a pedometer has steps and a model
    too."""
    by_name = {name.lower(): value for name, value in settings.items()}
    present = {
        name for name in _RELATED & by_name.keys() if name not in _NUMBERS or _NUMBER.match(by_name[name])
    }
    return len(present) if present - _NAMES else 0


def _how(fields: dict[str, str]) -> How:
    """A denoising strength without a second pass is that of img2img, which starts from an input image. A strength of 0
    does not edit: the API of the web UI writes it for images made from text."""
    operation = fields.get("operations", "").split(";")[0].strip()
    if any(_INPUT_PICTURE.match(name) for name in fields) or operation in ("img2img", "inpaint"):
        return "edited"
    if operation or any(_SECOND_PASS.match(name) for name in fields):
        return "made"
    if "seed mode" in fields:  # Draw Things calls it strength; 1 starts from noise
        return "edited" if _number(fields.get("strength")) < 1 else "made"
    return "edited" if _number(fields.get("denoising strength", "0")) > 0 else "made"


def _number(text: str | None) -> float:
    try:
        return float(text or "1")
    except ValueError:
        return 1.0


def parse_settings(line: str) -> dict[str, str]:
    """ "A: 1, B: "x, y", C: {..}" -> its pairs. Commas inside quotes or brackets do not separate."""
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


def _generator(fields: dict[str, str]) -> str:
    version = fields.get("version", "")
    if version.startswith(("Fooocus", "ComfyUI", "stable-diffusion.cpp", "SD.Next")):
        return version
    if fields.get("app", "") == "SD.Next":
        return f"SD.Next {version}".strip()
    if "civitai resources" in fields:
        return "Civitai"
    if "seed mode" in fields:
        return "Draw Things"
    if re.match(r"f\d|neo|classic", version):
        return "Stable Diffusion WebUI Forge"
    return "Stable Diffusion web UI (AUTOMATIC1111 or a derivative)"
