"""The feature store: the encoder's features of every view of several degraded copies of each image of a data set.

STORE/meta.json            `FeatureSpec`; a store is never extended with features of another one
STORE/<source>.npz         cls, patches (N, V, taps * width) float16: CLS tokens and means of the patch tokens after
                           each tapped block; sha256 (N,) of the image; variant (N,): its degradation

A source of many images has several files (<source>+1.npz, ...). A file is written when all of its images are done; an
interrupted run continues with the missing images. Features are computed by the quantised graph that ships, because
they differ from those of the float graph.
"""

from __future__ import annotations

import glob
import itertools
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.degrade import VERSION, degrade
from ...data.index import IndexRow, first_of_each, read_index, source_and_class
from ...data.tiers import Original, apply_tier, open_original
from ...errors import DataError, InputError
from ...files import replacing
from ...model.base.graph import GraphBuilder
from ...model.base.requirements import require_onnx
from ...model.base.tower import Pool, Tower, add_pooled
from ...model.preprocess import normalise
from ...model.session import open_graph
from ...model.spec import InputSpec
from ...model.views import cut_views

TRAIN_VARIANTS = ("degraded_0", "degraded_1")  # `data.degrade`; the first one lightly
TEST_VARIANTS = ("clean", "web", "hard")  # tiers of `data.tiers`
Progress = Callable[[int, int], None]  # (files done, of)
_IMAGES_PER_FILE = 250


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Everything that the features of an image depend on."""

    encoder_sha256: str
    quantisation_sha256: str
    taps: tuple[int | str, ...]  # block numbers, or names of tensors in the encoder's own graph
    input: InputSpec
    crops: int
    degradation: int = VERSION
    pool: Pool = "cls"
    adapter_sha256: str = ""  # of the adapter merged into the encoder; "" without one

    @classmethod
    def of(cls, store: Path) -> FeatureSpec:
        """Read `store`/meta.json. Raises DataError if it is missing or damaged."""
        path = store / "meta.json"
        try:
            facts = json.loads(path.read_text("utf-8"))
            spec = {
                **facts["input"],
                "mean": tuple(facts["input"]["mean"]),
                "std": tuple(facts["input"]["std"]),
            }
            return cls(**{**facts, "taps": tuple(facts["taps"]), "input": InputSpec(**spec)})
        except FileNotFoundError as error:
            raise DataError(
                f"{store}: not a feature store (no meta.json in it); make one with `imageprocess encoder features`"
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: cannot be read ({error!r})") from error

    def check(self, store: Path) -> None:
        """Write `store`/meta.json if it is missing. Raises DataError if the store has another spec."""
        path = store / "meta.json"
        if path.exists():
            stored = FeatureSpec.of(store)
            names = (field.name for field in fields(self))
            if differing := sorted(name for name in names if getattr(stored, name) != getattr(self, name)):
                raise DataError(
                    f"{store}: contains features that differ in {', '.join(differing)}; choose another folder"
                )
            return
        store.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")


def build_extractor(tower: Tower, onto: Path) -> None:
    """Write an ONNX graph to `onto`: `pixels` (B, 3, side, side) -> `cls`, `patches` (B, taps * width).

    `cls` is the head's input (the CLS token, or the mean of the patch tokens if `tower` pools so), `patches` always the
    mean of the patch tokens.
    """
    onnx = require_onnx()
    graph, layout = GraphBuilder(), tower.layout
    tokens = graph.add("Concat", *tower.add_to(graph, "pixels"), axis=2)
    graph.rename(add_pooled(graph, tokens, layout), "cls")
    graph.rename(add_pooled(graph, tokens, replace(layout, pool="mean")), "patches")
    pixels: list[Any] = ["b", 3, layout.side, layout.side]
    outputs: dict[str, list[Any]] = {
        name: ["b", tower.tap_count * layout.width] for name in ("cls", "patches")
    }
    onnx.save(graph.model("features", {"pixels": pixels}, outputs), str(onto))


def extract(
    data: Path,
    store: Path,
    extractor: Path,
    spec: FeatureSpec,
    *,
    per_source: int | None,
    jobs: int = 2,
    progress: Progress = lambda done, of: None,
) -> dict[str, str]:
    """Add the missing features of the images in `data`/index.csv to `store`. -> {source that failed: reason}

    `per_source`: maximum number of images of each class of a source; None: all. Raises DataError if the store has
    another spec.
    """
    spec.check(store)
    todo, done = _missing(store, _rows_by_source(read_index(data), per_source))
    count = done + len(todo)
    failed: dict[str, str] = {}
    progress(done, count)
    with ProcessPoolExecutor(jobs) as pool:
        futures = {
            pool.submit(_extract_file, data, path, extractor, spec, rows): name
            for (name, path), rows in todo.items()
        }
        for future in as_completed(futures):
            try:
                future.result()
            except (DataError, OSError) as error:
                failed[futures[future]] = str(error)
            done += 1
            progress(done, count)
    return failed


def _rows_by_source(rows: Sequence[IndexRow], per_source: int | None) -> dict[str, list[IndexRow]]:
    by_source: dict[str, list[IndexRow]] = {}
    for row in first_of_each(rows, per_source, source_and_class):
        by_source.setdefault(row.source, []).append(row)
    return by_source


def _missing(
    store: Path, rows_by_source: Mapping[str, Sequence[IndexRow]]
) -> tuple[dict[tuple[str, Path], Sequence[IndexRow]], int]:
    """-> {(source, new file): images to extract}, the number of sources that are complete."""
    todo: dict[tuple[str, Path], Sequence[IndexRow]] = {}
    complete = 0
    for name, rows in rows_by_source.items():
        stored = {digest for path in stored_files(store, name) for digest in _stored_images(path)}
        missing = [row for row in rows if row.sha256 not in stored]
        complete += not missing
        unused = (path for number in itertools.count() if not (path := _path(store, name, number)).exists())
        for start, path in zip(range(0, len(missing), _IMAGES_PER_FILE), unused, strict=False):
            todo[name, path] = missing[start : start + _IMAGES_PER_FILE]
    return todo, complete


def _stored_images(path: Path) -> set[str]:
    with np.load(path) as arrays:
        return set(arrays["sha256"].tolist())


def _path(store: Path, source: str, number: int) -> Path:
    return store / (f"{source}+{number}.npz" if number else f"{source}.npz")


def stored_files(store: Path, source: str) -> Iterator[Path]:
    """The existing files of `source`. File 0 may be missing, because files are extracted in parallel."""
    yield from (path for path in [_path(store, source, 0)] if path.exists())
    yield from sorted(store.glob(f"{glob.escape(source)}+*.npz"))


def _extract_file(
    data: Path, target: Path, extractor: Path, spec: FeatureSpec, rows: Sequence[IndexRow]
) -> None:
    session = open_graph(extractor.read_bytes(), str(extractor), threads=1)
    columns: dict[str, list[Any]] = {name: [] for name in ("cls", "patches", "sha256", "variant")}
    for row in rows:
        try:
            original = open_original((data / row.path).read_bytes(), row.path)
        except InputError:
            continue  # the version that built the data set decoded it, this version does not
        for variant, pixels in degraded_copies(original, row):
            views = cut_views(pixels, spec.input, spec.crops)
            batch = np.stack([normalise(view, spec.input) for view in views])
            cls, patches = session.run(["cls", "patches"], {"pixels": batch})
            columns["cls"].append(cls.astype(np.float16))
            columns["patches"].append(patches.astype(np.float16))
            columns["sha256"].append(row.sha256)
            columns["variant"].append(variant)
    if not columns["cls"]:
        if any(stored_files(target.parent, rows[0].source)):
            return  # the rest of the source has been stored
        raise DataError(
            f"{target.stem}: none of its images can be decoded; build or import the data set again"
        )
    with replacing(target) as stream:
        np.savez(stream, **{name: np.array(values) for name, values in columns.items()})  # type: ignore[arg-type]


def variants_of(row: IndexRow) -> tuple[str, ...]:
    """TEST_VARIANTS in open_test, TRAIN_VARIANTS in other splits."""
    return TEST_VARIANTS if row.split == "open_test" else TRAIN_VARIANTS


def degraded_copies(original: Original, row: IndexRow) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """(variant, pixels (H, W, 3)) of each of `variants_of` an image."""
    seed = int(row.sha256[:12], 16)
    for number, variant in enumerate(variants_of(row)):
        if variant in TEST_VARIANTS:
            yield variant, apply_tier(original, variant).pixels
        else:
            yield variant, degrade(original.pixels, seed + number, light=number == 0)


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSet:
    """Features of N degraded copies."""

    cls: NDArray[np.float16]  # (N, V, taps * width); views: the whole picture, then crops
    patches: NDArray[np.float16]  # (N, V, taps * width)
    is_ai: NDArray[np.bool_]  # False for images without a label
    source: NDArray[np.str_]
    variant: NDArray[np.str_]
    category: NDArray[np.str_]
    group: NDArray[np.str_]  # near-duplicates have the same
    picture: NDArray[np.str_]  # sha256 of the file: copies of one image have the same

    def subset(self, mask: NDArray[np.bool_]) -> FeatureSet:
        """The copies for which `mask` (N,) is true."""
        return FeatureSet(**{field.name: getattr(self, field.name)[mask] for field in fields(self)})


def load_features(store: Path, rows: Sequence[IndexRow], variants: Collection[str]) -> FeatureSet:
    """The stored features of the images in `rows`, in these variants. Raises DataError if there are none."""
    by_source: dict[str, Mapping[str, IndexRow]] = {}
    for row in rows:
        by_source.setdefault(row.source, {})[row.sha256] = row  # type: ignore[index]
    parts: dict[str, list[Any]] = {field.name: [] for field in fields(FeatureSet)}
    for name, row_of in sorted(by_source.items()):
        for path in stored_files(store, name):
            with np.load(path) as arrays:
                mask = np.isin(arrays["variant"], list(variants)) & np.isin(arrays["sha256"], list(row_of))
                for key in ("cls", "patches", "variant"):
                    parts[key].append(arrays[key][mask])
                pictures = arrays["sha256"][mask]
                copies = [row_of[digest] for digest in pictures.tolist()]
            # By image, because a source of `data import` has both classes.
            parts["is_ai"].append(np.array([row.label == "ai" for row in copies], bool))
            parts["source"].append(np.full(len(copies), name))
            parts["category"].append(np.array([row.category for row in copies], np.str_))
            parts["picture"].append(pictures)
            parts["group"].append(np.array([row.group for row in copies], np.str_))
    if not any(len(part) for part in parts["cls"]):
        raise DataError(
            f"{store}: no features of these images; extract them with `imageprocess encoder features`"
        )
    return FeatureSet(**{key: np.concatenate(values) for key, values in parts.items()})
