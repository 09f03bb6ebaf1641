"""The pipeline: bytes -> DecodedImage -> [Evidence] -> Verdict -> Result, for one picture or many."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import sources
from .decode import DETECTOR_LIMITS, Limits, decode
from .errors import CrashedError, ImageProcessError, InputError, InputNotFoundError, UsageError
from .model import registry
from .model.blank import is_blank
from .model.evidence import model_evidence
from .model.heatmap import to_display
from .model.looks import explain as explain_pixels
from .model.maker import maker_detail
from .model.session import Output, Session
from .model.spec import ModelSpec, load_spec
from .options import Options, check_options
from .provenance import check_trust_list, read_provenance, read_without_pixels
from .sources import Picture
from .types import Check, ErrorInfo, Evidence, ImageFacts, Mode, Result, Source, Verdict
from .verdict import decide
from .watermark import read_watermarks

__all__ = ["Detector", "error_result"]


@dataclass(frozen=True, slots=True, eq=False)
class _Examination:
    """One input with all evidence except the model's."""

    source: str
    sha256: str
    image: ImageFacts
    evidence: list[Evidence]
    pixels: NDArray[np.uint8] | None  # prepared for the model; None without the model
    elapsed_s: float
    blank: bool = False  # of one colour, or nearly so
    note: str | None = None  # about the pixels; appended to the verdict's reason
    original: NDArray[np.uint8] | None = None  # (H, W, 3) as decoded; only with `explain`


class Detector:
    """Detects AI-generated pictures. Loads the model when it is first needed. Safe to share between threads."""

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        limits: Limits = DETECTOR_LIMITS,
        threads: int | None = None,
        remember: int = 0,
    ) -> None:
        """`model`: name of a model, a model folder, or None for the default. `threads`: of ONNX Runtime; None lets it
        choose. `remember`: number of Results to cache, keyed by the SHA-256 of the file; 0 disables the cache."""
        self.limits = limits
        self._model = model
        self._threads = threads
        self._session: Session | None = None
        self._lock = threading.Lock()
        self._remember = remember
        self._cache: OrderedDict[tuple[str, Options], Result] = OrderedDict()  # least recently used first

    @property
    def session(self) -> Session:
        """The loaded model. Raises ModelError."""
        with self._lock:
            if self._session is None:
                self._session = Session(registry.resolve(self._model), threads=self._threads)
            return self._session

    @property
    def spec(self) -> ModelSpec:
        """The contents of model.json. Raises ModelError."""
        return self._session.spec if self._session else load_spec(registry.resolve(self._model))

    def detect(
        self,
        picture: Picture,
        *,
        mode: Mode = "balanced",
        threshold: float | None = None,
        only: Collection[Check] | None = None,
        heatmap: bool = False,
        explain: bool = False,
    ) -> Result:
        """Analyses one picture: a path, an http(s) address, bytes, a binary stream, a PIL image, an array (H, W, 3)
        uint8 in RGB order, or a Source. An image or an array has no metadata; only its pixels are checked.
        `threshold` overrides `mode`: a probability at or above it is "ai", below it "real", never "unsure".
        `explain`: see model/looks.py.

        Raises InputError, which says what is wrong with the picture, ModelError or UsageError.
        """
        options = self._options(mode, threshold, only, heatmap, explain)
        source = sources.to_source(picture, max_bytes=self.limits.max_bytes)
        examination = self._examine(source, options)
        return examination if isinstance(examination, Result) else self._conclude([examination], options)[0]

    def detect_many(
        self,
        pictures: Iterable[Picture | Result],
        *,
        mode: Mode = "balanced",
        threshold: float | None = None,
        only: Collection[Check] | None = None,
        heatmap: bool = False,
        explain: bool = False,
        batch_size: int = 16,
        jobs: int = 1,
    ) -> Iterator[Result]:
        """Analyses many pictures. Yields one Result each, in order; one that fails gives a Result with
        `status == "error"`. A Result among the inputs (one that failed earlier) is yielded unchanged.

        `jobs` threads decode while the network runs. `pictures` is read as the work proceeds, at most
        2 * batch_size + jobs inputs ahead. Raises ModelError or UsageError at once.
        """
        if sources.is_one(pictures):
            raise UsageError(
                f"{sources.name_of(pictures)}: detect_many needs an iterable of pictures; pass a list or call detect"
            )
        options = self._options(mode, threshold, only, heatmap, explain)
        if batch_size < 1 or jobs < 1:
            raise UsageError("batch_size and jobs must be at least 1")
        return self._stream(map(self._to_source, pictures), options, batch_size, jobs)

    def _to_source(self, picture: Picture | Result) -> Source | Result:
        """An unreadable input becomes a Result, so that it does not end a long run."""
        if isinstance(picture, Result):
            return picture
        try:
            return sources.to_source(picture, max_bytes=self.limits.max_bytes)
        except InputError as error:
            return error_result(sources.name_of(picture), error)
        except ImageProcessError as error:
            return error_result(sources.name_of(picture), InputNotFoundError(str(error)))
        except Exception as error:  # noqa: BLE001 (a stream is the caller's: it may raise anything)
            return error_result("stream", CrashedError(f"{type(error).__name__}: {error}"))

    def _stream(
        self, pictures: Iterator[Source | Result], options: Options, batch_size: int, jobs: int
    ) -> Iterator[Result]:
        with ThreadPoolExecutor(jobs, thread_name_prefix="decode") as pool:
            pending: deque[Future[_Examination | Result]] = deque()
            try:
                while True:
                    free_slots = 2 * batch_size + jobs - len(pending)
                    pending.extend(
                        pool.submit(self._try_examine, source, options)
                        for source in islice(pictures, free_slots)
                    )
                    if not pending:
                        return
                    batch = [pending.popleft().result() for _ in range(min(batch_size, len(pending)))]
                    results = iter(self._conclude([e for e in batch if isinstance(e, _Examination)], options))
                    yield from (e if isinstance(e, Result) else next(results) for e in batch)
            finally:
                for future in pending:
                    future.cancel()

    def _options(
        self, mode: Mode, threshold: float | None, only: Collection[Check] | None, heatmap: bool, explain: bool
    ) -> Options:  # fmt: skip
        options = check_options(
            lambda: self.session.spec, mode, threshold, only, heatmap=heatmap, explain=explain
        )
        if "provenance" in options.checks:
            check_trust_list()  # a broken list fails before the first picture
        return options

    def _examine(self, source: Source, options: Options) -> _Examination | Result:
        began = time.perf_counter()
        data = sources.read(source, max_bytes=self.limits.max_bytes)
        digest = hashlib.sha256(data).hexdigest()
        cached = self._cached_result(digest, options)
        if cached:
            return replace(cached, source=source.name, elapsed_ms=_elapsed_ms(began))
        try:
            image = decode(data, name=source.name, limits=self.limits)
        except InputError as error:
            examination = self._examine_metadata_only(source.name, data, digest, options, error)
            if examination is None:
                raise
            return replace(examination, elapsed_s=time.perf_counter() - began)
        evidence: list[Evidence] = []
        if "provenance" in options.checks:
            evidence += read_provenance(data, image.facts)
        if "watermark" in options.checks:
            evidence += read_watermarks(image)
        pixels = self.session.prepare(image.pixels) if options.thresholds else None
        blank = pixels is not None and is_blank(image.pixels)
        elapsed_s = time.perf_counter() - began
        return _Examination(
            source.name, digest, image.facts, evidence, pixels, elapsed_s, blank, image.note,
            image.pixels if options.explain else None,
        )  # fmt: skip

    def _examine_metadata_only(
        self, name: str, data: bytes, digest: str, options: Options, error: InputError
    ) -> _Examination | None:
        """For a file that does not decode: the evidence in its metadata, or None if that does not say how the image
        was made."""
        facts_and_evidence = (
            read_without_pixels(data, self.limits) if "provenance" in options.checks else None
        )
        note = f"The pixels were not analysed: {str(error).removeprefix(f'{name}: ')}."
        return facts_and_evidence and _Examination(name, digest, *facts_and_evidence, None, 0.0, note=note)

    def _try_examine(self, source: Source | Result, options: Options) -> _Examination | Result:
        if isinstance(source, Result):
            return source
        try:
            return self._examine(source, options)
        except InputError as error:
            return error_result(source.name, error)
        except Exception as error:  # noqa: BLE001 (one picture must not end a long run)
            return error_result(source.name, CrashedError(f"{source.name}: {type(error).__name__}: {error}"))

    def _conclude(self, examinations: list[_Examination], options: Options) -> list[Result]:
        """Run the model on a batch, and decide on each picture."""
        began = time.perf_counter()
        pixels = [one.pixels for one in examinations if one.pixels is not None]
        outputs = iter(self.session.run(pixels) if pixels else ())
        by_picture = [None if one.pixels is None else next(outputs) for one in examinations]
        model_s = (time.perf_counter() - began) / max(1, len(examinations))  # per picture
        return [
            self._decide(one, output, options, model_s)
            for one, output in zip(examinations, by_picture, strict=True)
        ]

    def _decide(self, one: _Examination, output: Output | None, options: Options, model_s: float) -> Result:
        evidence = list(one.evidence)
        spec = self.session.spec if output else None
        if output and spec and options.thresholds:
            evidence.append(model_evidence(output, spec, options.thresholds, one.image, blank=one.blank))
        verdict = decide(evidence, options.thresholds, spec.grades if spec else None)
        if output and spec:
            maker = maker_detail(evidence, verdict, output, spec)
            pixels = one.original
            explanation = None if pixels is None else explain_pixels(pixels, output, self.session)
            evidence[-1] = _with_details(evidence[-1], maker=maker, explain=explanation)
        heat = output.heatmap if output and options.heatmap else None
        result = Result(
            source=one.source,
            status="ok",
            sha256=one.sha256,
            image=one.image,
            verdict=_with_note(verdict, one.note),
            evidence=tuple(evidence),
            model=spec.info if spec else None,
            elapsed_ms=round((one.elapsed_s + model_s) * 1000, 3),
            heatmap=None if heat is None else to_display(heat),
        )
        self._cache_result(result, options)
        return result

    def _cached_result(self, digest: str, options: Options) -> Result | None:
        with self._lock:
            cached = self._cache.get((digest, options))
            if cached:
                self._cache.move_to_end((digest, options))
            return cached

    def _cache_result(self, result: Result, options: Options) -> None:
        if not self._remember or options.heatmap or result.sha256 is None:
            return
        with self._lock:
            self._cache[result.sha256, options] = result
            if len(self._cache) > self._remember:
                self._cache.popitem(last=False)


def _with_note(verdict: Verdict, note: str | None) -> Verdict:
    return replace(verdict, reason=f"{verdict.reason} {note}") if note else verdict


def _with_details(item: Evidence, **details: dict[str, Any] | None) -> Evidence:
    """`item` with those of `details` that are not None or empty."""
    present = {name: detail for name, detail in details.items() if detail}
    return replace(item, detail={**item.detail, **present}) if present else item


def _elapsed_ms(began_s: float) -> float:
    return round((time.perf_counter() - began_s) * 1000, 3)


def error_result(source: str, error: ImageProcessError) -> Result:
    """The Result of an input that could not be analysed."""
    return Result(source=source, status="error", error=ErrorInfo(error.code, str(error)))
