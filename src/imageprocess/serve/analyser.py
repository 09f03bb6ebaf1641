"""Pictures -> records: what comes of a worker's answer, or of its death, counted."""

from __future__ import annotations

import logging
import time
from typing import Any

from ..errors import InputError
from ..report.records import to_record
from ..types import ErrorInfo, Mode, Result, Source
from .metrics import Metrics
from .pool import HasLeft, Pool
from .problems import ProblemError

log = logging.getLogger("imageprocess.serve")


class Analyser:
    def __init__(self, pool: Pool, metrics: Metrics) -> None:
        self.pool = pool
        self._metrics = metrics

    async def analyse(
        self, source: Source, mode: Mode, heatmap: bool, has_left: HasLeft, *, explain: bool = False
    ) -> dict[str, Any]:
        """One picture's record, failed or not. Raises ProblemError where too many wait, or for a wrong request;
        ClientDisconnect where its client has left before its turn came."""
        header = {"name": source.name, "mode": mode, "heatmap": heatmap, "json": False, "report": None}
        header["explain"] = explain
        return (await self._ask(header, source.data or b"", has_left))[0]

    async def analyse_json(
        self, body: bytes, mode: Mode, heatmap: bool, has_left: HasLeft, *, explain: bool = False
    ) -> dict[str, Any]:
        """The same for a picture in base64 in JSON, which is left to the worker to parse."""
        header = {"name": "image", "mode": mode, "heatmap": heatmap, "json": True, "report": None}
        header["explain"] = explain
        return (await self._ask(header, body, has_left))[0]

    async def report(
        self, source: Source, mode: Mode, heatmap: bool, has_left: HasLeft, *, with_picture: bool
    ) -> tuple[dict[str, Any], str | None]:
        """One picture's record, and its report as HTML; None where it failed."""
        report = {"with_picture": with_picture}
        header = {"name": source.name, "mode": mode, "heatmap": heatmap, "json": False, "report": report}
        return await self._ask(header, source.data or b"", has_left)

    async def _ask(
        self, header: dict[str, Any], data: bytes, has_left: HasLeft
    ) -> tuple[dict[str, Any], str | None]:
        began = time.perf_counter()
        name = header["name"]
        try:
            answer = await self.pool.ask(header, data, has_left)
        except InputError as error:
            failed = Result(name, "error", error=ErrorInfo(error.code, f"{name}: {error}"))
            answer = {"record": to_record(failed)}
        if "problem" in answer:
            raise ProblemError(*answer["problem"])
        if "crash" in answer:
            log.error(
                "a picture crashed the detector", extra={"facts": {"bytes": len(data), "at": answer["crash"]}}
            )
        record: dict[str, Any] = answer["record"]
        self._metrics.count_record(record, time.perf_counter() - began)
        return record, answer.get("page")
