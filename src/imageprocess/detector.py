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
from .model.calibrate import model_evidence
from .model.heatmap import to_display
from .model.looks import explain as look_again
from .model.maker import maker_detail
from .model.session import Output, Session
from .model.spec import ModelSpec, load_spec
from .options import Options, check_options
from .provenance import check_trust_list, read_provenance, read_without_pixels
from .sources import Picture
from .types import Check, ErrorInfo, Evidence, ImageFacts, Mode, Result, Source, Verdict
from .verdict import decide
from .watermark import read_watermarks

__all__ = ["Detector", "failed"]


@dataclass(frozen=True, slots=True, eq=False)
class _Examined:
    """One input with all evidence but the model's."""

    source: str
    sha256: str
    image: ImageFacts
    evidence: list[Evidence]
    pixels: NDArray[np.uint8] | None  # prepared for the model; None without the model
    elapsed_s: float
    blank: bool = False  # of one colour, or nearly so
    note: str | None = None  # about the pixels, for the verdict's reason
    original: NDArray[np.uint8] | None = None  # as decoded; only with `explain`


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
        """`model`: a shipped model's name, a model folder, None for the default. `threads`: of the
        model. `remember`: size of the cache of Results, by the SHA-256 of the file."""
        self.limits = limits
        self._model = model
        self._threads = threads
        self._session: Session | None = None
        self._lock = threading.Lock()
        self._remember = remember
        self._cache: OrderedDict[tuple[str, Options], Result] = OrderedDict()  # the last used at the end

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
        """One picture: a path, an http(s) address, bytes, a binary stream, a PIL image, an array (H, W, 3) uint8 in
        RGB order, or a Source. An image or an array has no records; only its pixels are checked. `threshold` overrides
        `mode`: at or above it is "ai", below it "real", never "unsure". `explain`: see model/looks.py.

        Raises an InputError that says what is wrong with the picture, a ModelError or a UsageError.
        """
        options = self._options(mode, threshold, only, heatmap, explain)
        source = sources.to_source(picture, max_bytes=self.limits.max_bytes)
        examined = self._examine(source, options)
        return examined if isinstance(examined, Result) else self._conclude([examined], options)[0]

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
        """Many pictures, one Result each, in order; one that fails is a Result with `status == "error"`.
        A Result among them (an input that failed earlier) is passed on.

        `jobs` threads decode while the network runs. `pictures` is read as the work proceeds, at most
        2 * batch_size + jobs inputs ahead. Raises ModelError or UsageError at once.
        """
        if sources.is_one(pictures):
            raise UsageError(
                f"{sources.name_of(pictures)}: detect_many takes many pictures; give [it], or call detect"
            )
        options = self._options(mode, threshold, only, heatmap, explain)
        if batch_size < 1 or jobs < 1:
            raise UsageError("batch_size and jobs must be at least 1")
        return self._stream(map(self._take, pictures), options, batch_size, jobs)

    def _take(self, picture: Picture | Result) -> Source | Result:
        """An unreadable input becomes a Result, so that it does not end a long run."""
        if isinstance(picture, Result):
            return picture
        try:
            return sources.to_source(picture, max_bytes=self.limits.max_bytes)
        except InputError as error:
            return failed(sources.name_of(picture), error)
        except ImageProcessError as error:
            return failed(sources.name_of(picture), InputNotFoundError(str(error)))
        except Exception as error:  # noqa: BLE001 (a stream is the caller's: it may raise anything)
            return failed("stream", CrashedError(f"{type(error).__name__}: {error}"))

    def _stream(
        self, pictures: Iterator[Source | Result], options: Options, batch_size: int, jobs: int
    ) -> Iterator[Result]:
        with ThreadPoolExecutor(jobs, thread_name_prefix="decode") as pool:
            ahead: deque[Future[_Examined | Result]] = deque()
            try:
                while True:
                    wanted = 2 * batch_size + jobs - len(ahead)
                    ahead.extend(
                        pool.submit(self._try_examine, source, options) for source in islice(pictures, wanted)
                    )
                    if not ahead:
                        return
                    ready = [ahead.popleft().result() for _ in range(min(batch_size, len(ahead)))]
                    judged = iter(self._conclude([e for e in ready if isinstance(e, _Examined)], options))
                    yield from (e if isinstance(e, Result) else next(judged) for e in ready)
            finally:
                for future in ahead:
                    future.cancel()

    def _options(
        self, mode: Mode, threshold: float | None, only: Collection[Check] | None, heatmap: bool, explain: bool
    ) -> Options:  # fmt: skip
        options = check_options(
            lambda: self.session.spec, mode, threshold, only, heatmap=heatmap, explain=explain
        )
        if "provenance" in options.checks:
            check_trust_list()  # before the first picture
        return options

    def _examine(self, source: Source, options: Options) -> _Examined | Result:
        began = time.perf_counter()
        data = sources.read(source, max_bytes=self.limits.max_bytes)
        digest = hashlib.sha256(data).hexdigest()
        cached = self._recall(digest, options)
        if cached:
            return replace(cached, source=source.name, elapsed_ms=_elapsed_ms(began))
        try:
            image = decode(data, name=source.name, limits=self.limits)
        except InputError as error:
            examined = self._by_records(source.name, data, digest, options, error)
            if examined is None:
                raise
            return replace(examined, elapsed_s=time.perf_counter() - began)
        evidence: list[Evidence] = []
        if "provenance" in options.checks:
            evidence += read_provenance(data, image.facts)
        if "watermark" in options.checks:
            evidence += read_watermarks(image)
        pixels = self.session.prepare(image.pixels) if options.thresholds else None
        blank = pixels is not None and is_blank(image.pixels)
        elapsed_s = time.perf_counter() - began
        return _Examined(
            source.name, digest, image.facts, evidence, pixels, elapsed_s, blank, image.note,
            image.pixels if options.explain else None,
        )  # fmt: skip

    def _by_records(
        self, name: str, data: bytes, digest: str, options: Options, error: InputError
    ) -> _Examined | None:
        """For a file that does not decode: its records, if they say how it was made; else None."""
        facts_and_evidence = (
            read_without_pixels(data, self.limits) if "provenance" in options.checks else None
        )
        note = f"The pixels were not looked at: {str(error).removeprefix(f'{name}: ')}."
        return facts_and_evidence and _Examined(name, digest, *facts_and_evidence, None, 0.0, note=note)

    def _try_examine(self, source: Source | Result, options: Options) -> _Examined | Result:
        if isinstance(source, Result):
            return source
        try:
            return self._examine(source, options)
        except InputError as error:
            return failed(source.name, error)
        except Exception as error:  # noqa: BLE001 (one picture must not end a long run)
            return failed(source.name, CrashedError(f"{source.name}: {type(error).__name__}: {error}"))

    def _conclude(self, examined: list[_Examined], options: Options) -> list[Result]:
        """Run the model on a batch, and decide each picture."""
        began = time.perf_counter()
        outputs: list[Output | None] = [None] * len(examined)
        with_pixels = [at for at, one in enumerate(examined) if one.pixels is not None]
        if with_pixels:
            batch = self.session.run([e.pixels for e in examined if e.pixels is not None])
            for at, output in zip(with_pixels, batch, strict=True):
                outputs[at] = output
        share_s = (time.perf_counter() - began) / max(1, len(examined))
        return [self._judge(e, output, options, share_s) for e, output in zip(examined, outputs, strict=True)]

    def _judge(self, examined: _Examined, output: Output | None, options: Options, share_s: float) -> Result:
        evidence = list(examined.evidence)
        spec = self.session.spec if output else None
        if output and spec and options.thresholds:
            evidence.append(
                model_evidence(output, spec, options.thresholds, examined.image, blank=examined.blank)
            )
        verdict = decide(evidence, options.thresholds, spec.grades if spec else None)
        if output and spec:
            maker = maker_detail(evidence, verdict, output, spec)
            pixels = examined.original
            looks = None if pixels is None else look_again(pixels, output, self.session)
            evidence[-1] = _beside(evidence[-1], maker=maker, explain=looks)
        heat = output.heatmap if output and options.heatmap else None
        result = Result(
            source=examined.source,
            status="ok",
            sha256=examined.sha256,
            image=examined.image,
            verdict=_noted(verdict, examined.note),
            evidence=tuple(evidence),
            model=spec.info if spec else None,
            elapsed_ms=round((examined.elapsed_s + share_s) * 1000, 3),
            heatmap=None if heat is None else to_display(heat),
        )
        self._keep(result, options)
        return result

    def _recall(self, digest: str, options: Options) -> Result | None:
        with self._lock:
            cached = self._cache.get((digest, options))
            if cached:
                self._cache.move_to_end((digest, options))
            return cached

    def _keep(self, result: Result, options: Options) -> None:
        if not self._remember or options.heatmap or result.sha256 is None:
            return
        with self._lock:
            self._cache[result.sha256, options] = result
            if len(self._cache) > self._remember:
                self._cache.popitem(last=False)


def _noted(verdict: Verdict, note: str | None) -> Verdict:
    return replace(verdict, reason=f"{verdict.reason} {note}") if note else verdict


def _beside(item: Evidence, **details: dict[str, Any] | None) -> Evidence:
    """`item` with further details."""
    present = {name: detail for name, detail in details.items() if detail}
    return replace(item, detail={**item.detail, **present}) if present else item


def _elapsed_ms(began_s: float) -> float:
    return round((time.perf_counter() - began_s) * 1000, 3)


def failed(source: str, error: ImageProcessError) -> Result:
    """The Result of an input that could not be analysed."""
    return Result(source=source, status="error", error=ErrorInfo(error.code, str(error)))
