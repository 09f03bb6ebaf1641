"""The allowed values of manifest fields: category, generator family, confidence of the label."""

from __future__ import annotations

CATEGORIES = ("photo", "portrait", "art", "graphics", "screenshot", "cg", "edit", "mixed")
# AI edits of real photographs (inpainting, generative fill, face swaps): a test set of their own, not trained on unless
# `data build --train-on-edits`.
EDIT = "edit"
EDIT_SET = "edits"  # the test set of edits
GENERATORS = {
    "gpt_image": "GPT image",
    "gemini_imagen": "Gemini image and Imagen",
    "midjourney": "Midjourney",
    "flux": "FLUX",
    "sd_1_2": "Stable Diffusion 1 and 2",
    "sdxl": "Stable Diffusion XL",
    "sd_3": "Stable Diffusion 3",
    "dalle": "DALL-E 2 and 3",
    "firefly": "Firefly",
    "seedream": "Seedream",
    "qwen": "Qwen-Image",
    "gan_face": "GAN faces",
    "gan_other": "other GANs",
    "other": "other generators",
    "mixed": "several families",
}
# Generators that no training source contains: results on them are those on an unknown generator.
HELD_OUT_GENERATORS = ("Ideogram", "Leonardo", "OmniGen", "DeepFloyd IF")
CONFIDENCES = ("high", "medium")
UNKNOWN = "unknown"  # category of imported images
