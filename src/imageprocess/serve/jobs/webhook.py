"""Notifies a host that the operator allows of the end of a job, signed as in Standard Webhooks (standardwebhooks.com):

    webhook-id          id of the message, the same in every attempt
    webhook-timestamp   time of this attempt, in seconds since 1970
    webhook-signature   v1,BASE64 of HMAC-SHA256 over "ID.TIMESTAMP.BODY" with the secret as key

Redirects are not followed. Public hosts are called only by https and only at public addresses.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import secrets
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from ...errors import InputError
from ...sources.web import post
from ..metrics import Metrics
from ..problems import ProblemError
from ..settings import Settings
from .job import Job

log = logging.getLogger("imageprocess.serve")

_TIMEOUT_S = 10.0
_GONE = 410  # the receiver asks for no further deliveries
_MAX_URL = 2_000


class Webhooks:
    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._public = frozenset(host.lower() for host in settings.webhook_hosts)
        self._private = frozenset(host.lower() for host in settings.webhook_private_hosts)
        secret = settings.webhook_secret
        self._key = _key(secret.get_secret_value()) if secret else b""
        self._tries, self._delay_s = settings.webhook_tries, settings.webhook_delay_s
        self._metrics = metrics

    def check(self, url: str) -> None:
        """Raises ProblemError (400) if this service must not send to `url`."""
        if not self._public and not self._private:
            raise ProblemError("webhook_refused", "webhooks are disabled on this service")
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or len(url) > _MAX_URL or parts.username is not None or parts.fragment:
            raise ProblemError("webhook_refused", "webhook: must be a URL such as https://HOST/PATH")
        if host not in self._public | self._private:
            raise ProblemError("webhook_refused", "webhook: this host is not allowed by the service")
        if parts.scheme != "https" and not (parts.scheme == "http" and host in self._private):
            raise ProblemError("webhook_refused", "webhook: must begin with https://")

    async def send(self, job: Job) -> None:
        """Send until it is accepted, the attempts are used up, or the job is deleted."""
        hook = job.webhook
        if hook is None:
            return
        message = f"msg_{secrets.token_hex(12)}"
        delay_s = self._delay_s
        while not job.deleted.is_set():
            hook.tries += 1
            status = await self._try(hook.url, message, _body(job))
            if 200 <= status < 300:
                hook.state = "delivered"
                break
            if status == _GONE or hook.tries >= self._tries:
                hook.state = "failed"
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(job.deleted.wait(), delay_s)
            delay_s *= 4
        self._metrics.webhooks.labels(hook.state).inc()
        if hook.state == "failed":
            log.warning("webhook delivery failed", extra={"facts": {"tries": hook.tries, "status": status}})

    async def _try(self, url: str, message: str, body: bytes) -> int:
        """The HTTP status of the response; 0 without a response."""
        stamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{sign(self._key, message, stamp, body)}",
        }
        allow_private = urlsplit(url).hostname in self._private
        try:
            return await asyncio.to_thread(
                post, url, body, headers, timeout_s=_TIMEOUT_S, allow_private=allow_private
            )
        except InputError:
            return 0


def sign(key: bytes, message: str, stamp: str, body: bytes) -> str:
    """The base64 HMAC-SHA256 of the message, without the prefix `v1,`."""
    content = f"{message}.{stamp}.".encode() + body
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"))


def _body(job: Job) -> bytes:
    payload: dict[str, Any] = {key: value for key, value in job.to_dict().items() if key != "webhook"}
    content = {"type": f"job.{job.state}", "timestamp": payload["ended"], "data": payload}
    return json.dumps(content).encode()
