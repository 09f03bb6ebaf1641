"""API keys: none, one from the environment, or a file of many.

The file has one key per line, its name and the SHA-256 of the key, so that reading the file does not reveal a key:

    # name            sha256 of the key
    newsroom          9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

A plain hash is sufficient, because keys are random (`imageprocess serve --new-key NAME`), not chosen by people. The
file is reloaded when it changes; if it is then unreadable or invalid, the previous keys stay in use and the error is
logged.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from pathlib import Path

from pydantic import SecretStr

from ..errors import UsageError

log = logging.getLogger("imageprocess.serve")

_LINE = re.compile(r"(?P<name>[A-Za-z0-9._@-]{1,64})[ \t]+(?P<hash>[0-9a-fA-F]{64})")
_MAX_FILE_BYTES = 10_000_000  # a hundred thousand keys
ENVIRONMENT = "API_KEY"  # the name of the environment's key


class KeyRing:
    """The keys of the environment and of `file`. Raises UsageError if `file` cannot be read at the start."""

    def __init__(self, key: SecretStr | None, file: Path | None) -> None:
        self._environment_key = {ENVIRONMENT: _hash(key.get_secret_value().encode())} if key else {}
        self._file = file
        self._stamp = self._current_stamp()
        self._file_keys = read_keys(file) if file else {}

    @property
    def is_required(self) -> bool:
        """Whether requests need a key."""
        return bool(self._environment_key) or self._file is not None

    def name_of(self, key: bytes) -> str | None:
        """The name of this key, or None if it is unknown. Takes constant time, whether or not the key matches."""
        self._reload()
        match = None
        digest = _hash(key)
        for name, expected in (self._environment_key | self._file_keys).items():
            if hmac.compare_digest(digest, expected):
                match = name
        return match

    def _reload(self) -> None:
        stamp = self._current_stamp()
        if self._file is None or stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._file_keys = read_keys(self._file)
        except UsageError as error:
            log.error(
                "keys file invalid or unreadable; the previous keys stay in use",
                extra={"facts": {"reason": str(error)}},
            )
        else:
            log.info("keys reloaded", extra={"facts": {"keys": len(self._file_keys)}})

    def _current_stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._file.stat() if self._file else None
        except OSError:
            return None
        return status and (status.st_mtime_ns, status.st_size, status.st_ino)


def read_keys(file: Path) -> dict[str, bytes]:
    """Name -> SHA-256 digest of the keys in `file`. Raises UsageError that gives the number of an invalid line, but
    does not quote it."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{file}: the keys cannot be read ({error.strerror})") from error
    if len(raw) > _MAX_FILE_BYTES:
        raise UsageError(
            f"{file}: larger than {_MAX_FILE_BYTES:,} bytes; a keys file has a short line per key"
        )
    return parse_keys(raw, str(file))


def parse_keys(raw: bytes, file: str) -> dict[str, bytes]:
    """As `read_keys`, from the content of the file; `file` is its name for messages. Raises UsageError."""
    keys: dict[str, bytes] = {}
    for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        match = _LINE.fullmatch(line)
        if not match:
            raise UsageError(f"{file}: line {number} is not a name and a SHA-256 in hexadecimal")
        if match["name"] in keys or match["name"] == ENVIRONMENT:
            raise UsageError(f"{file}: line {number} repeats the name {match['name']}; names must be unique")
        keys[match["name"]] = bytes.fromhex(match["hash"])
    return keys


def new_key(name: str) -> tuple[str, str]:
    """A new random key, and its line for the keys file. Raises UsageError if `name` is invalid."""
    key = secrets.token_urlsafe(32)
    line = f"{name} {_hash(key.encode()).hex()}"
    if not _LINE.fullmatch(line):
        raise UsageError(f"{name!r}: a key's name is 1 to 64 of A-Z a-z 0-9 . _ @ -")
    return key, line


def _hash(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
