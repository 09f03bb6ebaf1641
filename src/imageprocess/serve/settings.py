"""What the service may be told from outside. Read once, at the door; nothing below asks the environment."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import Field, PositiveInt, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """HOST, PORT and API_KEY keep the names the original gave them; every other is IMAGEPROCESS_<NAME>."""

    model_config = SettingsConfigDict(
        env_prefix="IMAGEPROCESS_", env_ignore_empty=True, frozen=True, populate_by_name=True
    )

    host: Annotated[str, Field(validation_alias="HOST")] = "127.0.0.1"
    port: Annotated[int, Field(validation_alias="PORT", ge=0, le=65535)] = 8000
    api_key: Annotated[SecretStr | None, Field(validation_alias="API_KEY")] = None  # None: none is asked for
    model: str | None = None  # a shipped model's name or a model folder; None: the default
    max_body_bytes: PositiveInt = 20_000_000  # one request, all its pictures together
    max_pixels: PositiveInt = 50_000_000  # one picture
    max_frames: PositiveInt = 100  # counted in one picture; only the first is scored
    max_files: PositiveInt = 100  # in one request
    jobs: PositiveInt = os.cpu_count() or 1  # pictures looked at at the same time
    max_waiting: PositiveInt = 64  # pictures that may wait for their turn; the next is answered 503
