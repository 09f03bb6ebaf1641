"""Reads a Hugging Face image data set, from the hub by name or from a local path.

The only module that imports `datasets`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..decode import DEFAULT_LIMITS
from ..errors import DataError
from ..extras import require_extra
from .import_readers import ImageStream, Skipped, SourceImage, too_large
from .layout import LABELS, ORDER, SPLITS, Place

_MAX_SHOWN = 12  # label values in a message


def read_hub(
    name: str,
    cache: Path,
    *,
    image_column: str | None = None,
    label_column: str | None = None,
    ai_labels: Sequence[str] = (),
) -> ImageStream:
    """The images of data set `name`, each file as stored; `datasets` does not decode them.

    `image_column` is by default the only column of images, `label_column` the only one of class labels or the one
    called "label". `ai_labels` are the label values that mean AI, all others then mean real; by default "ai" and
    "fake" mean AI, "real" means real, and any other value is an error. `cache` takes what `datasets` writes.

    Raises DataError if the set cannot be loaded or its columns and labels are ambiguous,
    MissingExtraError without `datasets`.
    """
    splits = _load(name, cache)
    features = next(iter(splits.values())).features
    image = image_column or _only_column(name, features, "Image", "image")
    label = label_column or _only_column(name, features, "ClassLabel", "label")
    for column in (image, label):
        if column not in features:
            raise DataError(f"{name}: no column {column!r}; it has {', '.join(features)}")
    values = {key: _label_values(part, label) for key, part in splits.items()}
    meaning = _meaning(
        name, sorted({v for of_split in values.values() for v in of_split.values()}), ai_labels
    )
    pieces = [
        (part, {raw: _place(value, meaning, split) for raw, value in values[key].items()}, key)
        for key, split, part in _ordered(name, splits)
    ]
    licence = next(iter(splits.values())).info.license or "none stated"
    total = sum(part.num_rows for part in splits.values())
    return ImageStream(total, _items(pieces, image, label), str(licence))


def _load(name: str, cache: Path) -> Mapping[str, Any]:
    with require_extra("hub", "datasets, which reads Hugging Face data sets,"):
        import datasets
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    path = Path(name)
    try:
        if (path / "dataset_dict.json").exists() or (path / "state.json").exists():
            loaded = datasets.load_from_disk(name)
        elif path.is_file():
            loaded = datasets.load_dataset("parquet", data_files=name, cache_dir=str(cache))
        else:
            loaded = datasets.load_dataset(name, cache_dir=str(cache))
    except (OSError, ValueError, KeyError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise DataError(f"{name}: cannot be loaded as a Hugging Face data set ({error})") from error
    return {"train": loaded} if isinstance(loaded, datasets.Dataset) else dict(loaded)


def _only_column(name: str, features: Mapping[str, Any], kind: str, usual: str) -> str:
    columns = [column for column, feature in features.items() if type(feature).__name__ == kind]
    if len(columns) == 1:
        return columns[0]
    if usual in features:
        return usual
    option = "--image-column" if kind == "Image" else "--label-column"
    raise DataError(f"{name}: choose a column with {option}; it has {', '.join(features)}")


def _label_values(part: Any, label: str) -> dict[Any, str]:
    """Stored value -> label name."""
    feature = part.features[label]
    names = getattr(feature, "names", None)  # of a ClassLabel; -1 is its "no label"
    values = part.unique(label)
    # Images without a label belong to neither class.
    return {
        raw: names[raw] if names else str(raw)
        for raw in values
        if raw is not None and not (names and raw < 0)
    }


def _meaning(name: str, values: list[str], ai_labels: Sequence[str]) -> dict[str, str]:
    """Label value -> "ai" or "real"."""
    listed = ", ".join(map(repr, values[:_MAX_SHOWN])) + (", ..." if len(values) > _MAX_SHOWN else "")
    unknown = [label for label in ai_labels if label not in values]
    if unknown:
        raise DataError(f"{name}: no label {unknown[0]!r}; the labels are {listed}")
    meaning = {value: "ai" if value in ai_labels else "real" for value in values}
    if not ai_labels:
        meaning = {value: LABELS.get(value.lower(), "") for value in values}
    if set(meaning.values()) != {"ai", "real"}:
        raise DataError(f"{name}: name the labels that mean AI with --ai-label; the labels are {listed}")
    return meaning


def _place(value: str, meaning: Mapping[str, str], split: str | None) -> Place:
    """Label values that share a class with others are used as the origin."""
    label = meaning[value]
    several = sum(other == label for other in meaning.values()) > 1
    return Place(label, split, value if several else None)


def _ordered(name: str, splits: Mapping[str, Any]) -> list[tuple[str, str | None, Any]]:
    """[(name of a split, its name in our index, images)]; the name in our index is None if there is only one split."""
    if len(splits) == 1:
        return [(key, None, part) for key, part in splits.items()]
    unknown = [key for key in splits if key.lower() not in SPLITS]
    if unknown:
        raise DataError(
            f"{name}: split {unknown[0]!r} is none of {', '.join(SPLITS)}; import its files as a folder"
        )
    ordered = [(key, SPLITS[key.lower()], part) for key, part in splits.items()]
    return sorted(ordered, key=lambda item: ORDER.index(item[1]))


def _items(
    pieces: list[tuple[Any, dict[Any, Place], str]], image: str, label: str
) -> Iterator[SourceImage | Skipped]:
    import datasets

    for part, places, key in pieces:
        columns = part.select_columns([image, label])
        if isinstance(part.features[image], datasets.Image):
            columns = columns.cast_column(image, datasets.Image(decode=False))
        for number, row in enumerate(columns):
            name, place = f"{key}[{number}]", places.get(row[label])
            yield _item(name, row[image], place) if place else Skipped(name, "no label")


def _item(name: str, stored: Any, place: Place) -> SourceImage | Skipped:
    """`stored` is the file's bytes, or {"bytes": ..., "path": ...} with either of them None."""
    data, path = (stored.get("bytes"), stored.get("path")) if isinstance(stored, dict) else (stored, None)
    if path:
        name = f"{name} {Path(path).name}"
    try:
        if data is None and path:
            data = Path(path).read_bytes()
    except OSError as error:
        return Skipped(name, f"cannot be opened ({error.strerror})")
    if not isinstance(data, bytes):
        return Skipped(name, "no file in the image column")
    if len(data) > DEFAULT_LIMITS.max_bytes:
        return too_large(name, len(data))
    return SourceImage(name, place, data)
