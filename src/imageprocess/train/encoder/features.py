"""Features of a data set's pictures: CLS tokens behind the tapped blocks, of every view, of several degraded copies.

STORE/meta.json            encoder, quantisation, taps, views and degradation version: a store of other ones is refused
STORE/<source>.npz         cls, patches (N, V, taps * width) float16: the CLS tokens, and the means of the patch tokens;
                           sha256 (N,), variant (N,)

A source of many pictures has several files (<source>+1.npz...). A file is written when all of its pictures are done,
so that a run that was interrupted goes on behind it. The graph is the quantised one that ships: a head that learnt on
float features would meet other ones.
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
from ...data.tiers import Original, deliver, open_original
from ...errors import DataError, InputError
from ...files import replacing
from ...model.base.graph import GraphBuilder
from ...model.base.requirements import require_onnx
from ...model.base.tower import Pool, Tower, add_pooled
from ...model.preprocess import normalise
from ...model.session import open_graph
from ...model.spec import InputSpec
from ...model.views import cut_views

TRAIN_VARIANTS = ("degraded_0", "degraded_1")  # the first is the light one
TEST_VARIANTS = ("clean", "web", "hard")  # tiers of `evaluate`
Progress = Callable[[int, int], None]  # (files done, of)
_FILE_PICTURES = 250


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """What decides the features of a picture."""

    encoder_sha256: str
    quantisation_sha256: str
    taps: tuple[int | str, ...]  # block numbers, or names of tensors in the encoder's own graph
    input: InputSpec
    crops: int
    degradation: int = VERSION
    pool: Pool = "cls"
    adapter_sha256: str = ""  # of what is merged into the encoder

    @classmethod
    def of(cls, store: Path) -> FeatureSpec:
        """What `store` holds. Raises DataError where it is no store."""
        path = store / "meta.json"
        try:
            facts = json.loads(path.read_text("utf-8"))
            given = {
                **facts["input"],
                "mean": tuple(facts["input"]["mean"]),
                "std": tuple(facts["input"]["std"]),
            }
            return cls(**{**facts, "taps": tuple(facts["taps"]), "input": InputSpec(**given)})
        except FileNotFoundError as error:
            raise DataError(f"{store}: no store of features (no meta.json in it)") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: cannot be read ({error!r})") from error

    def check(self, store: Path) -> None:
        """Write `store`/meta.json, or compare it. Raises DataError where the store holds other features."""
        path = store / "meta.json"
        if path.exists():
            theirs = FeatureSpec.of(store)
            names = (field.name for field in fields(self))
            if differing := sorted(name for name in names if getattr(theirs, name) != getattr(self, name)):
                raise DataError(
                    f"{store}: its features differ in {', '.join(differing)}; choose another folder"
                )
            return
        store.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")


def build_extractor(tower: Tower, onto: Path) -> None:
    """Write a graph: `pixels` (B, 3, side, side) -> `cls`, `patches` (B, taps * width): what the head reads (the CLS
    token, or the mean of the patch tokens), and the mean of the patch tokens."""
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
    """Add to `store` what it lacks of the pictures that `data`/index.csv names; source -> why it failed.

    `per_source`: at most so many of each class of a source.
    """
    spec.check(store)
    todo, done = _missing(store, _taken(read_index(data), per_source))
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


def _taken(rows: Sequence[IndexRow], per_source: int | None) -> dict[str, list[IndexRow]]:
    taken: dict[str, list[IndexRow]] = {}
    for row in first_of_each(rows, per_source, source_and_class):
        taken.setdefault(row.source, []).append(row)
    return taken


def _missing(
    store: Path, taken: Mapping[str, Sequence[IndexRow]]
) -> tuple[dict[tuple[str, Path], Sequence[IndexRow]], int]:
    """What is still to be extracted, by source and new file, and how many sources have nothing missing."""
    todo: dict[tuple[str, Path], Sequence[IndexRow]] = {}
    complete = 0
    for name, rows in taken.items():
        there = list(stored_files(store, name))
        held = {digest for path in there for digest in _pictures(path)}
        missing = [row for row in rows if row.sha256 not in held]
        complete += not missing
        unused = (path for number in itertools.count() if not (path := _path(store, name, number)).exists())
        for start, path in zip(range(0, len(missing), _FILE_PICTURES), unused, strict=False):
            todo[name, path] = missing[start : start + _FILE_PICTURES]
    return todo, complete


def _pictures(path: Path) -> set[str]:
    with np.load(path) as arrays:
        return set(arrays["sha256"].tolist())


def _path(store: Path, source: str, number: int) -> Path:
    return store / (f"{source}+{number}.npz" if number else f"{source}.npz")


def stored_files(store: Path, source: str) -> Iterator[Path]:
    """The files of `source` that are there: another one may be done before the first."""
    yield from (path for path in [_path(store, source, 0)] if path.exists())
    yield from sorted(store.glob(f"{glob.escape(source)}+*.npz"))


def _extract_file(
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
        if any(stored_files(target.parent, rows[0].source)):
            return  # the rest of the source is there
        raise DataError(f"{target.stem}: not one picture could be read")
    with replacing(target) as stream:
        np.savez(stream, **{name: np.array(values) for name, values in found.items()})  # type: ignore[arg-type]


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
    group: NDArray[np.str_]  # near-duplicates share one
    picture: NDArray[np.str_]  # sha256 of its file: what copies of one picture share

    def subset(self, mask: NDArray[np.bool_]) -> FeatureSet:
        """mask (N,) -> the copies of which it is true."""
        return FeatureSet(**{field.name: getattr(self, field.name)[mask] for field in fields(self)})


def load_features(store: Path, rows: Sequence[IndexRow], variants: Collection[str]) -> FeatureSet:
    """Of the pictures in `rows` that the store holds, in these variants. Raises DataError where it holds none."""
    by_source: dict[str, Mapping[str, IndexRow]] = {}
    for row in rows:
        by_source.setdefault(row.source, {})[row.sha256] = row  # type: ignore[index]
    parts: dict[str, list[Any]] = {field.name: [] for field in fields(FeatureSet)}
    for name, wanted in sorted(by_source.items()):
        for path in stored_files(store, name):
            with np.load(path) as arrays:
                kept = np.isin(arrays["variant"], list(variants)) & np.isin(arrays["sha256"], list(wanted))
                for key in ("cls", "patches", "variant"):
                    parts[key].append(arrays[key][kept])
                pictures = arrays["sha256"][kept]
                found = [wanted[digest] for digest in pictures.tolist()]
            # A source of `data import` holds both classes.
            parts["is_ai"].append(np.array([row.label == "ai" for row in found], bool))
            parts["source"].append(np.full(len(found), name))
            parts["category"].append(np.array([row.category for row in found], np.str_))
            parts["picture"].append(pictures)
            parts["group"].append(np.array([row.group for row in found], np.str_))
    if not any(len(part) for part in parts["cls"]):
        raise DataError(
            f"{store}: no features of these pictures; extract them with `imageprocess encoder features`"
        )
    return FeatureSet(**{key: np.concatenate(values) for key, values in parts.items()})
