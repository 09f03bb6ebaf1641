"""Settings of the service, read from the environment once; no other module of the service reads the environment."""

from __future__ import annotations

import base64
import ipaddress
import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import limits
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _rate(value: str | None) -> str | None:
    if value is None or value == "off":
        return None
    try:
        limits.parse(value)
    except ValueError as error:
        raise ValueError("a rate is written like 60/minute, or off") from error
    return value


def _report_address(value: str | None) -> str | None:
    if value is not None and not value.startswith(("https://", "http://", "mailto:")):
        raise ValueError("an https address that takes title and body in its query, or mailto:NAME@HOST")
    return value


def _network(value: str) -> str:
    return str(ipaddress.ip_network(value))


def _webhook_secret(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        try:
            length = len(base64.b64decode(value.get_secret_value().removeprefix("whsec_"), validate=True))
        except ValueError:
            length = 0
        if not 24 <= length <= 64:
            raise ValueError("24 to 64 random bytes in base64, as `openssl rand -base64 32` prints them")
    return value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Rate = Annotated[str | None, AfterValidator(_rate)]
Network = Annotated[str, AfterValidator(_network)]


def _cores() -> int:
    """Number of CPUs that this process may use, by its affinity and the quota of its control group."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, min(cores, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no control groups, or "max": no quota
        return cores


class Settings(BaseSettings):
    """HOST, PORT and API_KEY keep their names of the original service; every other variable is IMAGEPROCESS_<NAME>."""

    model_config = SettingsConfigDict(
        env_prefix="IMAGEPROCESS_", env_ignore_empty=True, frozen=True, populate_by_name=True
    )

    host: Annotated[str, Field(validation_alias="HOST")] = "127.0.0.1"
    port: Annotated[int, Field(validation_alias="PORT", ge=0, le=65535)] = 8000
    model: str | None = None  # a shipped model's name or a model folder; None: the default

    # Where visitors report wrong verdicts: the address of a new issue's form (https://.../issues/new), or mailto:...
    # None: the page offers the report as a file.
    issues: Annotated[str | None, AfterValidator(_report_address)] = None

    # Keys and rate limits; see keys.py and rates.py.
    api_key: Annotated[SecretStr | None, Field(validation_alias="API_KEY")] = None
    keys_file: Path | None = None
    rate_per_address: Rate = None  # in images; None: see `_restrict_if_reachable`
    rate_per_key: Rate = None  # in images; None: no limit
    rate_storage: SecretStr = SecretStr("memory://")  # or redis://..., which several processes can share
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_split)] = ()
    cors_origins: Names = ()

    # One request.
    max_body_bytes: PositiveInt = 20_000_000  # all images of a request together
    max_files: PositiveInt = 100
    header_timeout_s: PositiveFloat = 10
    body_timeout_s: PositiveFloat = 60

    # One picture.
    max_pixels: PositiveInt = 50_000_000
    max_frames: PositiveInt = 100  # that are counted; only the first is analysed
    timeout_s: PositiveFloat = 10  # of analysis, without waiting

    # All requests together.
    # Worker processes. One more than cores: while a worker waits for its next image, another uses the core.
    jobs: PositiveInt = Field(default_factory=lambda: _cores() + 1)
    worker_memory_bytes: PositiveInt = (
        1_500_000_000  # beyond an idle worker; 50 megapixels were measured to need at most 0.91e9
    )
    max_waiting: PositiveInt = 64  # images that may wait for a worker; beyond that: 503
    max_wait_s: PositiveFloat = 30
    max_held_bytes: PositiveInt = 200_000_000  # of request bodies in memory; beyond that: 503
    drain_s: NonNegativeFloat = (
        1  # after SIGTERM, during which requests are still accepted and /readyz responds 503
    )

    # Batch jobs (POST /v1/jobs). Their images are stored in unnamed temporary files in `batch_folder`.
    batch_jobs: NonNegativeInt = (
        4  # unfinished at once, at most half of them of one key or address; 0: batch jobs are disabled
    )
    batch_max_bytes: PositiveInt = 200_000_000  # of one job, both as uploaded and as unpacked
    batch_max_files: PositiveInt = 2_000
    batch_body_timeout_s: PositiveFloat = 600
    batch_lifetime_s: PositiveFloat = 3600  # of results, from the end of the job
    batch_folder: Path | None = None  # None: the system's folder for temporary files

    # Hosts that may receive webhooks. If both lists are empty, webhooks are disabled.
    webhook_hosts: Names = ()  # public addresses, https only
    webhook_private_hosts: Names = ()  # any address, also http
    webhook_secret: Annotated[SecretStr | None, AfterValidator(_webhook_secret)] = None  # see jobs/webhook.py
    webhook_tries: PositiveInt = 5
    webhook_delay_s: NonNegativeFloat = 5  # before the second try; each further one waits four times as long

    log_format: Literal["auto", "json", "text"] = "auto"  # auto: text on a terminal, JSON elsewhere
    log_names: bool = False  # log file names, which may contain personal data

    @model_validator(mode="after")
    def _restrict_if_reachable(self) -> Self:
        """If the service is reachable from other machines, limit the rate per address and accept batch jobs only with a
        key, unless set otherwise."""
        if "rate_per_address" not in self.model_fields_set and not _is_loopback(self.host):
            object.__setattr__(self, "rate_per_address", "120/minute")
        has_keys = self.api_key is not None or self.keys_file is not None
        if "batch_jobs" not in self.model_fields_set and not _is_loopback(self.host) and not has_keys:
            object.__setattr__(self, "batch_jobs", 0)
        return self

    @model_validator(mode="after")
    def _sign_webhooks(self) -> Self:
        if (self.webhook_hosts or self.webhook_private_hosts) and self.webhook_secret is None:
            raise ValueError(
                "webhook hosts need IMAGEPROCESS_WEBHOOK_SECRET, the key that signs webhook requests"
            )
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
