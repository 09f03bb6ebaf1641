"""The three sample images of the first page (own work, CC0).

    python -m bench.samples

Writes src/imageprocess/web/assets/samples/. The first has Content Credentials that claim AI, the second
invented camera metadata and the IPTC field for an AI edit, the third the watermark of Stable Diffusion XL. They show
each kind of evidence, what it proves and what it does not.
"""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from PIL.TiffImagePlugin import IFDRational

from bench.figure import draw_scene
from imageprocess.watermark.payloads import PAYLOADS
from testkit.credentials import authority, created, sign
from testkit.marks import embed_dwt_dct

OUT = Path(__file__).parents[1] / "src/imageprocess/web/assets/samples"
SIZE = (320, 240)
# https://cv.iptc.org/newscodes/digitalsourcetype/
_EDITED = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" Iptc4xmpExt:DigitalSourceType='
    '"http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"/></rdf:RDF></x:xmpmeta>'
)


def lake() -> bytes:
    """The lake of bench.figure with Content Credentials that claim AI. The signer is on no trust list: the signature
    is valid and not trusted. 48 colours keep the PNG small."""
    picture = draw_scene().crop((0, 112, 896, 784)).resize(SIZE, Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.quantize(48, dither=Image.Dither.NONE).save(stream, "PNG", optimize=True)
    signer = authority("imageprocess example", timedelta(days=3650))
    actions = [created("trainedAlgorithmicMedia")]
    return sign(stream.getvalue(), actions, mime="image/png", by=signer, generator="Example Generator")


def street() -> bytes:
    """A street at night, with camera metadata and the claim that it was edited with AI."""
    rng = np.random.default_rng(11)
    width, height = SIZE[0] * 2, SIZE[1] * 2
    y = np.linspace(0, 1, height)[:, None, None]
    sky = np.array((10, 14, 38)) * (1 - y) + np.array((84, 52, 86)) * y
    picture = Image.fromarray(np.broadcast_to(sky, (height, width, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for layer, tone in ((0.42, (34, 34, 66)), (0.52, (20, 21, 44))):
        x = 0
        while x < width:
            wide, top = int(rng.integers(50, 120)), int(height * (layer + rng.uniform(-0.2, 0.12)))
            draw.rectangle((x, top, x + wide, height), fill=tone)
            for wx in range(x + 10, x + wide - 12, 18):
                for wy in range(top + 14, int(height * 0.8), 26):
                    if rng.random() < 0.45:
                        draw.rectangle(
                            (wx, wy, wx + 8, wy + 13), fill=(255, 214 - int(rng.integers(0, 70)), 130)
                        )
            x += wide + int(rng.integers(-6, 10))
    draw.polygon(
        [(width * 0.44, height * 0.7), (width * 0.56, height * 0.7), (width, height), (0, height)],
        fill=(26, 26, 36),
    )
    for step in np.linspace(0.72, 0.98, 7):
        draw.line(
            (width / 2, height * step, width / 2, height * (step + 0.02)),
            fill=(230, 220, 180),
            width=int(14 * step) - 6,
        )
    lights = picture.filter(ImageFilter.GaussianBlur(9))
    glowing = Image.fromarray(np.maximum(np.asarray(picture), np.asarray(lights)))
    grain = rng.normal(0, 4, (SIZE[1], SIZE[0], 3))
    small = np.asarray(glowing.resize(SIZE, Image.Resampling.LANCZOS)) + grain
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Example", "Example Camera 3"
    exif.get_ifd(0x8769).update(
        {0x9003: "2030:05:04 22:10:00", 0x829A: IFDRational(1, 60), 0x829D: IFDRational(18, 10), 0x8827: 1600}
    )
    stream = io.BytesIO()
    Image.fromarray(np.clip(small, 0, 255).astype(np.uint8)).save(
        stream, "JPEG", quality=72, exif=exif.tobytes(), xmp=_EDITED.encode()
    )
    return stream.getvalue()


def spheres() -> bytes:
    """Three ray-traced balls on a table, with Stable Diffusion's watermark in the pixels."""
    width, height = SIZE
    x, y = np.meshgrid(np.linspace(-1.6, 1.6, width), np.linspace(1.0, -1.4, height))
    ray = _unit(np.stack([x, y - 0.15, np.full_like(x, 2.2)], axis=2))
    light = _unit(np.array((-0.6, 1.0, -0.7)))
    floor = np.clip((-0.62 - 0.0) / np.minimum(ray[..., 1], -1e-3), 0, 40)
    place = ray * floor[..., None]
    wood = 0.5 + 0.06 * np.sin(9 * place[..., 0] + 1.6 * np.sin(2.2 * place[..., 2]))
    picture = np.where(
        (ray[..., 1] < -0.02)[..., None],
        wood[..., None] * np.array((1.25, 0.9, 0.62)),
        np.array((0.70, 0.76, 0.82)) - 0.2 * y[..., None],
    )
    balls = [
        ((-0.75, -0.18, 3.3), 0.44, (0.86, 0.24, 0.2)),
        ((0.12, -0.28, 2.7), 0.34, (0.93, 0.76, 0.25)),
        ((0.95, -0.1, 3.6), 0.52, (0.2, 0.45, 0.75)),
    ]
    for centre, radius, _ in balls:  # shadows first
        away = place - (np.array(centre) + light * -(centre[1] + 0.62) / light[1] * 1.0) * (1, 0, 1)
        spread = (away[..., 0] ** 2 + away[..., 2] ** 2) / (1.15 * radius) ** 2
        shade = np.where(ray[..., 1] < -0.02, 0.55 * np.exp(-(spread**2)), 0)
        picture = picture * (1 - shade[..., None])
    for centre, radius, colour in sorted(balls, key=lambda ball: -ball[0][2]):
        picture = _with_ball(picture, ray, light, np.array(centre), radius, np.array(colour))
    pixels = (np.clip(picture, 0, 1) ** (1 / 1.25) * 255).astype(np.uint8)
    mark = next(payload for payload in PAYLOADS if payload.generator == "Stable Diffusion XL")
    stream = io.BytesIO()
    Image.fromarray(embed_dwt_dct(pixels, mark.bits)).save(stream, "WEBP", quality=92, method=6)
    return stream.getvalue()


def _with_ball(
    picture: NDArray[np.float64], ray: NDArray[np.float64], light: NDArray[np.float64],
    centre: NDArray[np.float64], radius: float, colour: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    along = ray @ centre
    inside = along**2 - centre @ centre + radius**2
    hit = along - np.sqrt(np.maximum(inside, 0))
    normal = (ray * hit[..., None] - centre) / radius
    diffuse = np.clip(normal @ light, 0, 1)
    mirrored = ray - 2 * (ray * normal).sum(axis=2, keepdims=True) * normal
    shine = np.clip(mirrored @ light, 0, 1) ** 60
    lit = colour * (0.22 + 0.85 * diffuse[..., None]) + 0.8 * shine[..., None]
    edge = np.clip(inside / 0.02, 0, 1)[..., None]  # soft, so that the outline has no steps
    return picture * (1 - edge) + lit * edge


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for name, data in {"lake.png": lake(), "street.jpg": street(), "spheres.webp": spheres()}.items():
        (OUT / name).write_bytes(data)
        print(f"{name}: {len(data):,} bytes")


if __name__ == "__main__":
    main()
