"""The detector pipeline with a tiny model of known verdicts: bright is AI, dark is real."""

from __future__ import annotations

import hashlib
import io
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import imageprocess
from imageprocess import detector as detector_module
from imageprocess.decode import Limits
from imageprocess.detector import Detector
from imageprocess.errors import (
    CorruptImageError,
    InputNotFoundError,
    ModelError,
    TooLargeError,
    TooManyPixelsError,
    UnsupportedFormatError,
    UsageError,
)
from imageprocess.types import MODES, Source
from testkit.pictures import blank, encode, plain

AI, REAL, MIDDLE = (encode(plain(brightness), "PNG") for brightness in (255, 0, 140))


@pytest.fixture(scope="module")
def detector(tiny_model_dir: Path) -> Detector:
    return Detector(tiny_model_dir, threads=1)


def test_detect_end_to_end(detector: Detector) -> None:
    result = detector.detect(Source("a.png", AI))
    assert (result.source, result.status, result.error) == ("a.png", "ok", None)
    assert result.sha256 == hashlib.sha256(AI).hexdigest()
    assert result.image is not None and (result.image.format, result.image.bytes) == ("PNG", len(AI))
    assert result.verdict is not None
    assert (result.verdict.label, result.verdict.decided_by) == ("ai", "model")
    assert result.verdict.probability_ai == pytest.approx(
        0.99966, abs=2e-4
    )  # sigmoid(4 / 0.5), minus the effect of grain
    assert result.model == detector.spec.info
    assert result.elapsed_ms is not None and result.elapsed_ms > 0
    assert result.heatmap is None
    assert [item.kind for item in result.evidence] == ["model"]


@pytest.mark.parametrize(
    ("data", "labels"),
    [(AI, ("ai", "ai", "ai")), (MIDDLE, ("unsure", "unsure", "ai")), (REAL, ("real", "real", "real"))],
)
def test_detect_modes(detector: Detector, data: bytes, labels: tuple[str, ...]) -> None:
    verdicts = [detector.detect(Source("x", data), mode=mode).verdict for mode in MODES]
    assert tuple(verdict.label for verdict in verdicts if verdict) == labels


def test_threshold_overrides_mode(detector: Detector) -> None:
    verdicts = [detector.detect(Source("x", MIDDLE), threshold=t).verdict for t in (0.0, 0.6, 0.8, 1.0)]
    assert [verdict.label for verdict in verdicts if verdict] == ["ai", "ai", "real", "real"]


def test_only_selected_checks(detector: Detector) -> None:
    result = detector.detect(Source("x", AI), only=["provenance", "watermark"])
    assert result.verdict is not None
    assert (result.verdict.label, result.verdict.probability_ai, result.verdict.decided_by) == (
        "unsure",
        None,
        "abstain",
    )
    assert result.evidence == () and result.model is None


def test_no_model_needed_without_model_check() -> None:
    result = Detector("no such model").detect(Source("x", AI), only=["provenance"])
    assert result.status == "ok"


def test_detect_heat_map(detector: Detector) -> None:
    picture = plain(0, 64, 64)
    picture.paste(plain(255, 16, 16), (48, 0))
    result = detector.detect(Source("x", encode(picture, "PNG")), heatmap=True)
    assert result.heatmap is not None and result.heatmap.shape == (4, 4)
    assert result.heatmap[0, 3] == 1 and result.heatmap.sum() == 1


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (Source("x", b""), CorruptImageError),
        (Source("x", AI[:60]), CorruptImageError),
        (Source("x", b"text"), UnsupportedFormatError),
        (Source("x", path=Path("/no/such/file")), InputNotFoundError),
        (Source("x", encode(blank(0, 201, 200), "PNG")), TooManyPixelsError),
        (Source("x", bytes(10_001)), TooLargeError),
    ],
)
def test_detect_raises_on_bad_input(tiny_model_dir: Path, source: Source, error: type[Exception]) -> None:
    limited = Detector(tiny_model_dir, limits=Limits(max_bytes=10_000, max_pixels=40_000))
    with pytest.raises(error, match="x: "):
        limited.detect(source)
    (result,) = limited.detect_many([source])
    assert result.error is not None and result.error.code == error.code  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "sure"}, {"threshold": 1.1}, {"only": []}, {"only": ["exif"]}, {"only": "model"}],
)
def test_invalid_arguments(detector: Detector, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        detector.detect(Source("x", AI), **wrong)
    with pytest.raises(UsageError):
        detector.detect_many([], **wrong)


def test_missing_model_fails_immediately() -> None:
    with pytest.raises(ModelError):
        Detector("no such model").detect_many([])


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_detect_many_keeps_order_with_failures(detector: Detector, jobs: int, batch_size: int) -> None:
    kinds = [("ai", AI), ("real", REAL), (None, b"broken"), ("unsure", MIDDLE)] * 5
    inputs = [Source(str(i), data) for i, (_, data) in enumerate(kinds)]
    results = list(detector.detect_many(inputs, jobs=jobs, batch_size=batch_size))
    assert [result.source for result in results] == [str(i) for i in range(20)]
    assert [result.verdict and result.verdict.label for result in results] == [label for label, _ in kinds]


def test_detect_many_matches_detect(detector: Detector) -> None:
    inputs = [Source(str(b), encode(plain(b), "JPEG")) for b in range(0, 256, 15)]
    together = [result.verdict for result in detector.detect_many(inputs, jobs=3, batch_size=5)]
    assert together == [detector.detect(source).verdict for source in inputs]


def test_detect_many_reads_inputs_lazily(detector: Detector) -> None:
    taken = 0

    def endless() -> Iterator[Source]:
        nonlocal taken
        while True:
            taken += 1
            yield Source(str(taken), AI)

    results = detector.detect_many(endless(), jobs=2, batch_size=4)
    for expected in range(1, 20):
        assert next(results).source == str(expected)
        assert taken <= expected + 4 + 2 * 4 + 2
    results.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_internal_error_fails_one_record(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    real = detector_module.read_watermarks

    def faulty(image: Any) -> Any:
        if image.facts.width == 7:
            raise RecursionError("too deep")
        return real(image)

    monkeypatch.setattr(detector_module, "read_watermarks", faulty)
    inputs = [Source("a", AI), Source("b", encode(plain(1, 7, 7), "PNG")), Source("c", REAL)]
    results = list(detector.detect_many(inputs))
    assert [result.status for result in results] == ["ok", "error", "ok"]
    assert results[1].error is not None
    assert (results[1].error.code, results[1].error.message) == ("crashed", "b: RecursionError: too deep")


def test_threads_share_a_detector(tiny_model_dir: Path) -> None:
    shared = Detector(tiny_model_dir, threads=1)
    labels: list[str] = []

    def ask() -> None:
        labels.extend(
            r.verdict.label for r in (shared.detect(Source("x", AI)) for _ in range(10)) if r.verdict
        )

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert labels == ["ai"] * 60


def test_module_level_functions(tiny_model_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(AI)
    inputs = [path, str(path), AI, io.BytesIO(AI)]
    for one in inputs[:3]:
        result = imageprocess.detect(one, model=tiny_model_dir)
        assert result.verdict is not None and result.verdict.label == "ai"
    many = list(
        imageprocess.detect_many([*inputs, tmp_path / "missing"], model=tiny_model_dir, only=["model"])
    )
    assert [result.status for result in many] == ["ok"] * 4 + ["error"]
    with pytest.raises(imageprocess.ImageProcessError):
        imageprocess.detect(tmp_path / "missing", model=tiny_model_dir)
    with path.open("rb") as stream:
        assert imageprocess.detect(stream, model=tiny_model_dir).source == str(path)


def test_detector_accepts_all_input_types(detector: Detector, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(AI)
    for one in (str(path), path, AI, io.BytesIO(AI), Source("x", AI)):
        assert detector.detect(one).status == "ok"
    assert [result.status for result in detector.detect_many([str(path), AI])] == ["ok"] * 2
    failed_before = detector_module.error_result("x", InputNotFoundError("gone"))
    assert next(detector.detect_many([failed_before, AI])) is failed_before


class _FailingStream(io.RawIOBase):
    name = "mine"

    def read(self, size: int = -1) -> bytes:
        raise RuntimeError("the stream's own")


def test_bad_input_does_not_end_detect_many(detector: Detector, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(AI)
    closed = path.open("rb")
    closed.close()
    with path.open(encoding="utf-8") as text, (tmp_path / "out").open("wb") as write_only:
        inputs: list[Any] = [
            path,
            5,
            text,
            AI,
            closed,
            write_only,
            None,
            "\ud800.png",
            io.StringIO("x"),
            _FailingStream(),
            AI,
        ]
        results = list(detector.detect_many(inputs))
    assert [result.status for result in results] == ["ok", *["error"] * 2, "ok", *["error"] * 6, "ok"]
    assert {result.error.code for result in results if result.error} == {"not_found", "crashed"}
    assert results[7].source == "\\ud800.png" and results[2].source == str(path)


@pytest.mark.parametrize("value", ["a.png", b"a", Path("a.png"), io.BytesIO(AI), Source("x", AI)])
def test_detect_rejects_list(tiny_model_dir: Path, value: Any) -> None:
    with pytest.raises(UsageError, match="detect_many needs an iterable"):
        imageprocess.detect_many(value, model=tiny_model_dir)


def test_threshold_must_be_a_number(detector: Detector) -> None:
    for threshold in ("0.5", float("nan"), [0.5]):
        with pytest.raises(UsageError, match="must be a number between 0 and 1"):
            detector.detect(AI, threshold=threshold)  # type: ignore[arg-type]


def test_replaced_model_folder_is_reloaded(tiny_model_dir: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model_dir, tmp_path / "mine")
    first = imageprocess.detect(AI, model=folder)
    assert imageprocess.api._detector(folder) is imageprocess.api._detector(folder)
    facts = (folder / "model.json").read_text()
    (folder / "model.json").write_text(facts.replace('"version": "1"', '"version": "2"'))
    second = imageprocess.detect(AI, model=folder)
    assert [result.model.version for result in (first, second) if result.model] == ["1", "2"]


def test_detect_real_files(detector: Detector, shared_dir: Path) -> None:
    """Every fixture image gets a result; the file that is no image gets an error."""
    files = sorted((shared_dir / "fixtures" / "provenance").iterdir())
    results = list(detector.detect_many([Source(path.name, path=path) for path in files], jobs=2))
    failed = [result.source for result in results if result.status == "error"]
    assert set(failed) - {"camera-img_5195.heic"} == {"expected.csv"}


def test_hostile_files_fail_one_record_each(detector: Detector, shared_dir: Path) -> None:
    files = sorted(path for path in (shared_dir / "hostile").rglob("*") if path.is_file())
    began_s = time.process_time()
    results = list(detector.detect_many([Source(path.name, path=path) for path in files], jobs=2))
    assert time.process_time() - began_s < 60
    assert [result.source for result in results] == [path.name for path in files]
    assert not [result.error for result in results if result.error and result.error.code == "crashed"]
