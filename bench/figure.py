"""The figure of the network on the first page: a forward pass of a shipped model over a generated scene.

    python -m bench.figure [MODEL]      # a shipped model's name or a model folder

Writes src/imageprocess/web/assets/network/: network.json (layers and sizes, read from the graph), the scene, and one
sheet of feature maps per block. A test compares network.json's sha256 with the shipped model's.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from imageprocess.model.preprocess import preprocess
from imageprocess.model.registry import resolve
from imageprocess.model.spec import load_spec
from imageprocess.web.site import DRAWN_MODEL

OUT = Path(__file__).parents[1] / "src/imageprocess/web/assets/network"
SIDE = 896  # of the scene, in pixels
SHOWN = 16  # feature maps per block: those with the highest variance
SHEET = 288  # side of a sheet, in pixels
# Dark violet to white, evenly spaced from 0 to 1.
RAMP = np.array([(22, 18, 43), (76, 29, 149), (139, 92, 246), (221, 208, 254), (255, 255, 255)], np.float32)


def draw_scene() -> Image.Image:
    """A mountain lake in the evening, with a boat (own work, CC0)."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE
    sky = _mix((38, 52, 110), (252, 176, 120), np.clip(y / 0.6, 0, 1) ** 1.2)
    glow = np.exp(-(((x - 0.68) ** 2 + (y - 0.44) ** 2) / 0.02))[..., None]
    sky = sky + glow * np.array((90, 70, 30), np.float32)
    sky[(x - 0.68) ** 2 + (y - 0.44) ** 2 < 0.0035] = (255, 244, 214)
    layers = [((118, 104, 150), 0.47, 0.10), ((78, 70, 118), 0.53, 0.08), ((40, 42, 78), 0.585, 0.05)]
    for colour, base, height in layers:
        ridge = base - height * _ridge(x[0], rng)
        sky = np.where((y > ridge[None, :])[..., None], np.array(colour, np.float32), sky)
    shore = int(0.6 * SIDE)
    rows = np.clip(2 * shore - np.arange(shore, SIDE), 0, SIDE - 1)
    ripple = (6 * np.sin(np.arange(shore, SIDE) * 0.9) * np.linspace(0.2, 2, SIDE - shore)).astype(int)
    for row, source, shift in zip(range(shore, SIDE), rows, ripple, strict=True):
        sky[row] = np.roll(sky[source], shift, axis=0) * 0.72 + np.array((8, 16, 34), np.float32)
    grain = rng.normal(0, 2.5, (SIDE, SIDE, 1))
    scene = Image.fromarray(np.clip(sky + grain, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(scene)
    draw.polygon([(300, 640), (430, 640), (408, 668), (322, 668)], fill=(64, 32, 30))
    draw.polygon([(362, 470), (362, 628), (300, 628)], fill=(250, 240, 222))
    draw.polygon([(370, 490), (370, 628), (424, 628)], fill=(232, 128, 96))
    for stem in rng.uniform(0, 200, 46):
        top = (stem + rng.normal(0, 24), rng.uniform(690, 840))
        draw.line([(stem, SIDE), top], fill=(18, 26, 30), width=4)
    return scene.filter(ImageFilter.GaussianBlur(0.8))


def half_pixels(scene: Image.Image, cell: int = 24) -> Image.Image:
    """The scene, its right half at the resolution of a network's last layer."""
    side = scene.width
    coarse = scene.resize((side // cell,) * 2, Image.Resampling.BOX).resize(
        (side,) * 2, Image.Resampling.NEAREST
    )
    image = scene.copy()
    image.paste(coarse.crop((side // 2, 0, side, side)), (side // 2, 0))
    return image


def _mix(top: tuple[int, ...], bottom: tuple[int, ...], share: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.float32(top) * (1 - share[..., None]) + np.float32(bottom) * share[..., None]


def _ridge(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A mountain outline, about 0 to 1: triangle waves of increasing frequency and decreasing amplitude."""
    waves = [2 * np.abs((x * 2**k * 1.3 + rng.uniform()) % 1 - 0.5) / 1.8**k for k in range(6)]
    return np.sum(waves, axis=0) / 1.6


def forward(folder: Path, scene: Image.Image) -> tuple[list[NDArray[np.float32]], dict[str, Any]]:
    """The feature maps of the four blocks, each (C, H, W), and the content of network.json."""
    spec = load_spec(folder)
    graph = onnx.load(spec.onnx_path)
    blocks, dense = _layers(graph, "Conv"), _layers(graph, "Gemm")
    pools = [node.output[0] for node in graph.graph.node if node.op_type == "MaxPool"]
    graph.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in pools)
    pixels = preprocess(np.asarray(scene), spec.input)[None]
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    maps = [activation[0] for activation in session.run(pools, {"pixels": pixels})]
    for block, activation in zip(blocks, maps, strict=True):
        block |= {"side": activation.shape[1], "shown": min(SHOWN, len(activation))}
    network = {
        "model": {"name": spec.name, "version": spec.version, "sha256": spec.onnx_sha256},
        "input": {"channels": pixels.shape[1], "side": pixels.shape[2]},
        "blocks": blocks,
        "flat": maps[-1].size,
        "dense": dense,
        "parameters": sum(layer["parameters"] for layer in blocks + dense),
    }
    return maps, network


def _layers(graph: onnx.ModelProto, kind: str) -> list[dict[str, int]]:
    """Layers of one kind in graph order, with their number of outputs (maps or values) and parameters."""
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.graph.initializer}
    # A half-precision weight reaches its layer through a Cast node.
    shapes |= {
        node.output[0]: shapes[node.input[0]]
        for node in graph.graph.node
        if node.op_type == "Cast" and node.input[0] in shapes
    }
    layers = [
        [shapes[name] for name in node.input if name in shapes]
        for node in graph.graph.node
        if node.op_type == kind
    ]
    return [{"outputs": of[0][0], "parameters": sum(math.prod(shape) for shape in of)} for of in layers]


def sheet(maps: NDArray[np.float32]) -> Image.Image:
    """The `SHOWN` maps of highest variance in a square, each on its own scale."""
    chosen = np.sort(np.argsort(maps.std(axis=(1, 2)))[::-1][:SHOWN])
    columns = int(SHOWN**0.5)
    tile, gap = SHEET // columns, 2
    sheet_image = Image.new("RGB", (tile * columns - gap, tile * columns - gap), (128, 128, 128))
    for place, index in enumerate(chosen):
        values = maps[index] / max(float(maps[index].max()), 1e-6)
        channels = [np.interp(values, np.linspace(0, 1, len(RAMP)), RAMP[:, c]) for c in range(3)]
        picture = Image.fromarray(np.stack(channels, axis=2).astype(np.uint8))
        resample = Image.Resampling.BOX if len(values) > tile else Image.Resampling.NEAREST
        sheet_image.paste(
            picture.resize((tile - gap,) * 2, resample), (place % columns * tile, place // columns * tile)
        )
    return sheet_image


def main() -> None:
    scene = draw_scene()
    maps, network = forward(resolve(sys.argv[1] if len(sys.argv) > 1 else DRAWN_MODEL), scene)
    OUT.mkdir(parents=True, exist_ok=True)
    half_pixels(scene.resize((720, 720), Image.Resampling.LANCZOS)).save(
        OUT / "hero.webp", quality=70, method=6
    )
    scene.resize((SHEET, SHEET), Image.Resampling.LANCZOS).save(OUT / "scene.webp", quality=80, method=6)
    for number, block_maps in enumerate(maps, 1):
        sheet(block_maps).save(OUT / f"block{number}.webp", quality=70, method=6)
    (OUT / "network.json").write_text(json.dumps(network, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
