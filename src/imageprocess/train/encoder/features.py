"""Features of a data set's pictures: CLS tokens behind the tapped blocks, of every view, of several degraded copies.

STORE/meta.json            encoder, quantisation, taps, views and degradation version: a store of other ones is refused
STORE/<source>.npz         cls, patches (N, V, taps * width) float16: the CLS tokens, and the means of the patch tokens;
                           sha256 (N,), variant (N,)

A source is written when all of its pictures are done, so that a run that was interrupted goes on behind it. The graph
is the quantised one that ships: a head that learnt on float features would meet other ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.degrade import VERSION, degrade
from ...data.index import IndexRow, read_index
from ...data.tiers import Original, deliver, open_original
from ...errors import DataError, InputError
from ...model.base.graph import GraphBuilder
from ...model.base.quantise import load_quantisation
from ...model.base.requirements import require_onnx
from ...model.base.tensors import read_tensors
from ...model.base.vit import add_vit, shape_of
from ...model.preprocess import normalise
from ...model.session import open_graph
from ...model.spec import InputSpec
from ...model.views import cut_views

TRAIN_VARIANTS = ("degraded_0", "degraded_1")  # the first is the light one
TEST_VARIANTS = ("clean", "web", "hard")  # tiers of `evaluate`
Progress = Callable[[int, int], None]  # (sources done, of)


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """What decides the features of a picture."""

    encoder_sha256: str
    quantisation_sha256: str
    taps: tuple[int, ...]
    input: InputSpec
    crops: int
    degradation: int = VERSION

    def check(self, store: Path) -> None:
        """Write `store`/meta.json, or compare it. Raises DataError where the store holds other features."""
        path, mine = store / "meta.json", json.loads(json.dumps(asdict(self)))
        if path.exists():
            theirs = json.loads(path.read_text("utf-8"))
            if differing := sorted(key for key in mine if theirs.get(key) != mine[key]):
                raise DataError(
                    f"{store}: its features differ in {', '.join(differing)}; choose another folder"
                )
            return
        store.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(mine, indent=1), encoding="utf-8")


def build_extractor(encoder: Path, quantisation: Path, taps: Sequence[int], onto: Path) -> None:
    """Write a graph: `pixels` (B, 3, side, side) -> `cls`, `patches` (B, taps * width): CLS token, mean of patches."""
    onnx = require_onnx()
    tensors = read_tensors(encoder)
    shape = shape_of(tensors)
    graph = GraphBuilder()
    tapped = add_vit(graph, "pixels", tensors, taps, load_quantisation(quantisation))
    tokens = graph.add("Concat", *tapped, axis=2)
    graph.rename(graph.add("Gather", tokens, np.int64(0), axis=1), "cls")
    one = np.array([1], np.int64)
    patches = graph.add("Slice", tokens, one, np.array([1 << 31], np.int64), one)
    graph.rename(graph.add("ReduceMean", patches, one, keepdims=0), "patches")
    pixels: list[Any] = ["b", 3, shape.side, shape.side]
    outputs: dict[str, list[Any]] = {name: ["b", len(taps) * shape.width] for name in ("cls", "patches")}
    onnx.save(graph.model("features", {"pixels": pixels}, outputs), str(onto))


def extract(
    data: Path,
    store: Path,
    extractor: Path,
    spec: FeatureSpec,
    *,
    per_source: int,
    jobs: int = 2,
    progress: Progress = lambda done, of: None,
) -> dict[str, str]:
    """Fill `store` from the pictures that `data`/index.csv names; source -> why it failed."""
    spec.check(store)
    sources: dict[str, list[IndexRow]] = {}
    for row in read_index(data):
        sources.setdefault(row.source, []).append(row)
    todo = {name: rows[:per_source] for name, rows in sources.items() if not _path(store, name).exists()}
    failed: dict[str, str] = {}
    done = len(sources) - len(todo)
    progress(done, len(sources))
    with ProcessPoolExecutor(jobs) as pool:
        futures = {
            pool.submit(_extract_source, data, _path(store, name), extractor, spec, rows): name
            for name, rows in todo.items()
        }
        for future in as_completed(futures):
            try:
                future.result()
            except (DataError, OSError) as error:
                failed[futures[future]] = str(error)
            done += 1
            progress(done, len(sources))
    return failed


def _path(store: Path, source: str) -> Path:
    return store / f"{source}.npz"


def _extract_source(
    data: Path, target: Path, extractor: Path, spec: FeatureSpec, rows: Sequence[IndexRow]
) -> None:
    session = open_graph(extractor.read_bytes(), str(extractor), threads=1)
    found: dict[str, list[Any]] = {name: [] for name in ("cls", "patches", "sha256", "variant")}
    for row in rows:
        try:
            original = open_original((data / row.path).read_bytes(), row.path)
        except InputError:
            continue  # decoded once when the set was built: this version refuses it
        for variant, pixels in copies_of(original, row):
            views = cut_views(pixels, spec.input, spec.crops)
            batch = np.stack([normalise(view, spec.input) for view in views])
            cls, patches = session.run(["cls", "patches"], {"pixels": batch})
            found["cls"].append(cls.astype(np.float16))
            found["patches"].append(patches.astype(np.float16))
            found["sha256"].append(row.sha256)
            found["variant"].append(variant)
    if not found["cls"]:
        raise DataError(f"{target.stem}: not one picture could be read")
    temporary = target.with_suffix(".part")
    with temporary.open("wb") as stream:
        np.savez(stream, **{name: np.array(values) for name, values in found.items()})  # type: ignore[arg-type]
    temporary.replace(target)


def copies_of(original: Original, row: IndexRow) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    if row.split == "open_test":
        for tier in TEST_VARIANTS:
            yield tier, deliver(original, tier).pixels
        return
    seed = int(row.sha256[:12], 16)
    for number, variant in enumerate(TRAIN_VARIANTS):
        yield variant, degrade(original.pixels, seed + number, light=number == 0)


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSet:
    cls: NDArray[np.float16]  # (N, V, taps * width)
    patches: NDArray[np.float16]  # (N, V, taps * width)
    is_ai: NDArray[np.bool_]
    source: NDArray[np.str_]
    variant: NDArray[np.str_]
    category: NDArray[np.str_]


def load_features(store: Path, rows: Sequence[IndexRow], variants: Collection[str]) -> FeatureSet:
    """Of the pictures in `rows` that the store holds, in these variants. Raises DataError where it holds none."""
    by_source: dict[str, Mapping[str, IndexRow]] = {}
    for row in rows:
        by_source.setdefault(row.source, {})[row.sha256] = row  # type: ignore[index]
    parts: dict[str, list[Any]] = {field.name: [] for field in fields(FeatureSet)}
    for name, wanted in sorted(by_source.items()):
        if not _path(store, name).exists():
            continue
        with np.load(_path(store, name)) as arrays:
            kept = np.isin(arrays["variant"], list(variants)) & np.isin(arrays["sha256"], list(wanted))
            for key in ("cls", "patches", "variant"):
                parts[key].append(arrays[key][kept])
        some = next(iter(wanted.values()))
        parts["is_ai"].append(np.full(kept.sum(), some.label == "ai"))
        parts["source"].append(np.full(kept.sum(), name))
        parts["category"].append(np.full(kept.sum(), some.category))
    if not any(len(part) for part in parts["cls"]):
        raise DataError(
            f"{store}: no features of these pictures; extract them with `imageprocess encoder features`"
        )
    return FeatureSet(**{key: np.concatenate(values) for key, values in parts.items()})
