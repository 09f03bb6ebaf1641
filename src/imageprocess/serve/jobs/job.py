"""One job: what was asked, how far it is, and its records."""

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
    """`key`: the name of the key that the job was sent with; who has another sees nothing of it."""

    key: str | None
    host: str | None  # for rates alone

    @property
    def subject(self) -> tuple[str, str | None]:
        """Who is counted as one."""
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
    gone: asyncio.Event = field(default_factory=asyncio.Event)  # cancelled, or forgotten

    async def begin(self) -> None:
        await self.rows["csv"].append(csv_header().encode())

    async def add(self, record: dict[str, Any]) -> None:
        """Both formats are written now, so that nobody who asks for results makes the service parse them."""
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
        self.upload.spool.close()  # its pictures are not needed any more

    async def has_left(self) -> bool:
        return self.gone.is_set()

    def told(self) -> dict[str, Any]:
        """As GET /v1/jobs/{id} tells it: no names, no address of the webhook."""
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
