"""One batch job: its options, its progress and its records."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from ...report.table import csv_header, record_to_csv_row
from ...types import GRADES, LABELS, Mode
from .spool import Spool
from .upload import Upload

State = Literal["running", "finished", "failed"]
Format = Literal["jsonl", "csv"]


@dataclass(frozen=True, slots=True)
class Owner:
    """The client that created a job. `key`: the name of its key; clients with another key cannot see the job."""

    key: str | None
    host: str | None  # used only for rate limits

    @property
    def subject(self) -> tuple[str, str | None]:
        """The identity for limits per client."""
        return ("key", self.key) if self.key else ("address", self.host)


@dataclass(slots=True)
class Webhook:
    url: str
    state: Literal["waiting", "delivered", "failed"] = "waiting"
    tries: int = 0


@dataclass(eq=False, slots=True)
class Job:
    owner: Owner
    upload: Upload
    mode: Mode
    webhook: Webhook | None
    rows: dict[Format, Spool]
    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    state: State = "running"
    done: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    grades: Counter[str] = field(default_factory=Counter)
    errors: int = 0
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    lifetime_s: float = 0.0
    deleted: asyncio.Event = field(
        default_factory=asyncio.Event
    )  # set when the job is cancelled or has expired

    async def begin(self) -> None:
        await self.rows["csv"].append(csv_header().encode())

    async def add(self, record: dict[str, Any]) -> None:
        """Append a record in both formats, so that requests for results need no conversion."""
        await self.rows["jsonl"].append(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        await self.rows["csv"].append(record_to_csv_row(record).encode())
        self.done += 1
        if record["status"] == "error":
            self.errors += 1
        else:
            self.labels[record["verdict"]["label"]] += 1
            self.grades[record["verdict"]["grade"]] += 1

    def end(self, state: State) -> None:
        self.state, self.ended = state, datetime.now(UTC)
        self.upload.spool.close()  # the images are no longer needed

    async def is_abandoned(self) -> bool:
        return self.deleted.is_set()

    def to_dict(self) -> dict[str, Any]:
        """The response of GET /v1/jobs/{id}: without names and without the URL of the webhook."""
        expires = self.ended + timedelta(seconds=self.lifetime_s) if self.ended else None
        return {
            "id": self.id,
            "state": self.state,
            "total": self.upload.total,
            "done": self.done,
            "verdicts": {label: self.labels[label] for label in LABELS},
            "grades": {grade: self.grades[grade] for grade in GRADES},
            "errors": self.errors,
            "mode": self.mode,
            "created": _stamp(self.created),
            "ended": _stamp(self.ended),
            "expires": _stamp(expires),
            "webhook": self.webhook and {"state": self.webhook.state, "tries": self.webhook.tries},
        }


def _stamp(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z") if moment else None
