"""Forty synthetic images in every format that browsers read, on which private mode must match Python."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from testkit.pictures import encode, gradient, plain, scene
from testkit.records import png_chunk


def golden_pictures() -> dict[str, bytes]:
    """File name -> bytes."""
    return {
        **_jpegs(),
        **_rotated(),
        **_pngs(),
        **{f"webp-{name}": data for name, data in _webps().items()},
        **_others(),
    }


def golden_picture(seed: int, width: int, height: int) -> Image.Image:
    """A scene with grain and hard edges, sensitive to resampling and chroma handling."""
    picture = scene(seed, width, height)
    draw = ImageDraw.Draw(picture)
    for i in range(12):
        x, y = (37 * i * seed) % width, (53 * i * seed) % height
        draw.ellipse((x, y, x + 40, y + 25), fill=((90 * i) % 256, (40 * i) % 256, (200 * i) % 256))
        draw.line((x, 0, width - x, height), fill=(255 - 20 * i,) * 3)
    grain = np.random.default_rng(seed).normal(0, 9, (height, width, 1))
    return Image.fromarray(np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8))


def _jpegs() -> dict[str, bytes]:
    picture = golden_picture(1, 640, 427)
    return {
        "jpeg-q95-444.jpg": encode(picture, "JPEG", quality=95, subsampling=0),
        "jpeg-q85-420.jpg": encode(picture, "JPEG", quality=85),
        "jpeg-q60-422.jpg": encode(picture, "JPEG", quality=60, subsampling=1),
        "jpeg-q30-odd.jpg": encode(golden_picture(2, 333, 251), "JPEG", quality=30),
        "jpeg-progressive.jpg": encode(golden_picture(3, 800, 600), "JPEG", progressive=True),
        "jpeg-grey.jpg": encode(picture.convert("L"), "JPEG", quality=90),
        "jpeg-3mp.jpg": encode(golden_picture(4, 2048, 1536), "JPEG", quality=88),
        "jpeg-panorama.jpg": encode(golden_picture(5, 1500, 200), "JPEG"),
        "jpeg-smaller-than-the-network.jpg": encode(golden_picture(6, 90, 70), "JPEG", quality=92),
        "jpeg-profile.jpg": encode(picture, "JPEG", icc_profile=_profile()),
    }


def _profile() -> bytes:
    """A colour profile with red and blue swapped, which Python ignores and a browser would apply."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = int.from_bytes(profile[128:132], "big")
    at = {bytes(profile[i : i + 4]): i for i in range(132, 132 + 12 * tags, 12)}
    red, blue = at[b"rXYZ"], at[b"bXYZ"]
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


def _rotated() -> dict[str, bytes]:
    """The eight EXIF orientations in JPEG, and two in other containers."""
    picture = golden_picture(7, 400, 260)
    files = {}
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        files[f"turned-{orientation}.jpg"] = encode(picture, "JPEG", quality=90, exif=exif.tobytes())
    exif = Image.Exif()
    exif[0x0112] = 6
    files["turned-6.png"] = encode(picture, "PNG", exif=exif.tobytes())
    files["turned-6.webp"] = encode(picture, "WEBP", quality=80, exif=exif.tobytes())
    files["turned-6.avif"] = encode(picture, "AVIF", quality=80, exif=exif.tobytes())
    return files


def _pngs() -> dict[str, bytes]:
    picture = golden_picture(8, 512, 384)
    palette = picture.quantize(64)
    soft = picture.convert("RGBA")
    mask = Image.radial_gradient("L").resize(picture.size)
    soft.putalpha(mask)
    transparent = picture.quantize(32)
    grey = np.asarray(picture.convert("L")).astype(np.uint16)
    return {
        "png-rgb.png": encode(picture, "PNG"),
        "png-palette.png": encode(palette, "PNG"),
        "png-palette-transparent.png": encode(transparent, "PNG", transparency=bytes(range(0, 256, 8))),
        "png-alpha.png": encode(soft, "PNG"),
        "png-grey.png": encode(picture.convert("L"), "PNG"),
        "png-grey-alpha.png": encode(soft.convert("LA"), "PNG"),
        "png-16-bit-grey.png": encode(Image.fromarray(grey * 257), "PNG"),
        "png-16-bit-rgb.png": _png_16_bit(picture),
        "png-1-bit.png": encode(picture.convert("1"), "PNG"),
        "png-as-the-network-sees.png": encode(golden_picture(9, 224, 224), "PNG"),
    }


def _png_16_bit(picture: Image.Image) -> bytes:
    """16 bits per channel, which Pillow does not write."""
    tones = np.asarray(picture).astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in tones)
    head = struct.pack(">IIBBBBB", picture.width, picture.height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        png_chunk(kind, body)
        for kind, body in [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    )


def _webps() -> dict[str, bytes]:
    picture = golden_picture(10, 700, 500)
    soft = picture.convert("RGBA")
    soft.putalpha(Image.linear_gradient("L").resize(picture.size))
    return {
        "lossy.webp": encode(picture, "WEBP", quality=75),
        "lossless.webp": encode(picture, "WEBP", lossless=True),
        "alpha.webp": encode(soft, "WEBP", lossless=True),
    }


def _others() -> dict[str, bytes]:
    picture = golden_picture(11, 480, 360)
    blurred = picture.filter(ImageFilter.GaussianBlur(2))
    stream = io.BytesIO()
    frames = [scene(seed, 200, 160).quantize(64) for seed in (12, 13, 14)]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], duration=80)
    return {
        "avif-q60.avif": encode(picture, "AVIF", quality=60),
        "avif-444.avif": encode(blurred, "AVIF", quality=90, subsampling="4:4:4"),
        "gif.gif": encode(picture.quantize(128), "GIF"),
        "gif-animated.gif": stream.getvalue(),
        "bmp-24.bmp": encode(picture, "BMP"),
        "bmp-palette.bmp": encode(picture.quantize(256), "BMP"),
        "bmp-grey.bmp": encode(picture.convert("L"), "BMP"),
        "png-gradient.png": encode(gradient(900, 600), "PNG"),
        "jpeg-plain.jpg": encode(plain(200, 300, 300), "JPEG"),
    }
