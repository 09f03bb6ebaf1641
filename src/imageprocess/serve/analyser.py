"""Has images analysed by the workers, and turns their responses or their crashes into records and metrics."""

from __future__ import annotations

import logging
import time
from typing import Any

from ..errors import InputError
from ..report.records import to_record
from ..types import ErrorInfo, Mode, Result, Source
from .metrics import Metrics
from .pool import IsAbandoned, Pool
from .problems import ProblemError

log = logging.getLogger("imageprocess.serve")


class Analyser:
    def __init__(self, pool: Pool, metrics: Metrics) -> None:
        self.pool = pool
        self._metrics = metrics

    async def analyse(
        self, source: Source, mode: Mode, heatmap: bool, is_abandoned: IsAbandoned, *, explain: bool = False
    ) -> dict[str, Any]:
        """The record of one image, also if it failed. Raises ProblemError if the queue is full or the request is
        invalid; ClientDisconnect if the request was abandoned while it waited."""
        header = {"name": source.name, "mode": mode, "heatmap": heatmap, "json": False, "report": None}
        header["explain"] = explain
        return (await self._submit(header, source.data or b"", is_abandoned))[0]

    async def analyse_json(
        self, body: bytes, mode: Mode, heatmap: bool, is_abandoned: IsAbandoned, *, explain: bool = False
    ) -> dict[str, Any]:
        """The same for a base64 image in JSON. The worker parses it, because JSON can be hostile."""
        header = {"name": "image", "mode": mode, "heatmap": heatmap, "json": True, "report": None}
        header["explain"] = explain
        return (await self._submit(header, body, is_abandoned))[0]

    async def report(
        self, source: Source, mode: Mode, heatmap: bool, is_abandoned: IsAbandoned, *, with_picture: bool
    ) -> tuple[dict[str, Any], str | None]:
        """The record of one image, and its report as HTML; None instead of the report if the analysis failed."""
        report = {"with_picture": with_picture}
        header = {"name": source.name, "mode": mode, "heatmap": heatmap, "json": False, "report": report}
        return await self._submit(header, source.data or b"", is_abandoned)

    async def _submit(
        self, header: dict[str, Any], data: bytes, is_abandoned: IsAbandoned
    ) -> tuple[dict[str, Any], str | None]:
        began = time.perf_counter()
        name = header["name"]
        try:
            response = await self.pool.submit(header, data, is_abandoned)
        except InputError as error:
            failed = Result(name, "error", error=ErrorInfo(error.code, f"{name}: {error}"))
            response = {"record": to_record(failed)}
        if "problem" in response:
            raise ProblemError(*response["problem"])
        if "crash" in response:
            log.error(
                "a picture crashed the detector",
                extra={"facts": {"bytes": len(data), "at": response["crash"]}},
            )
        record: dict[str, Any] = response["record"]
        self._metrics.count_record(record, time.perf_counter() - began)
        return record, response.get("page")
