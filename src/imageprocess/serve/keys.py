"""The keys that open the service: none, one from the environment, or a file of many.

The file holds one key a line, its name and the SHA-256 of the key, so that nobody who reads the file has a key:

    # whose it is     sha256 of the key
    newsroom          9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

A plain hash will do, because keys are drawn at random (`imageprocess serve --new-key NAME`), not made up by people. The
file is read again when it has changed. One that cannot be read then, or makes no sense, changes nothing and is logged.
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
    """Raises UsageError where `file` cannot be read at the start."""

    def __init__(self, key: SecretStr | None, file: Path | None) -> None:
        self._own = {ENVIRONMENT: _hash(key.get_secret_value().encode())} if key else {}
        self._file = file
        self._stamp = self._stamp_now()
        self._filed = read_keys(file) if file else {}

    @property
    def is_asked_for(self) -> bool:
        return bool(self._own) or self._file is not None

    def name_of(self, key: bytes) -> str | None:
        """The name of this key, or None if it is unknown. Takes constant time, whether or not the key matches."""
        self._reread()
        found = None
        hashed = _hash(key)
        for name, expected in (self._own | self._filed).items():
            if hmac.compare_digest(hashed, expected):
                found = name
        return found

    def _reread(self) -> None:
        stamp = self._stamp_now()
        if self._file is None or stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._filed = read_keys(self._file)
        except UsageError as error:
            log.error(
                "keys file invalid or unreadable; the previous keys stay in use",
                extra={"facts": {"reason": str(error)}},
            )
        else:
            log.info("keys reloaded", extra={"facts": {"keys": len(self._filed)}})

    def _stamp_now(self) -> tuple[int, int, int] | None:
        try:
            status = self._file.stat() if self._file else None
        except OSError:
            return None
        return status and (status.st_mtime_ns, status.st_size, status.st_ino)


def read_keys(file: Path) -> dict[str, bytes]:
    """The file's names and hashes. Raises UsageError that names the line at fault, but does not quote it."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{file}: the keys cannot be read ({error.strerror})") from error
    if len(raw) > _MAX_FILE_BYTES:
        raise UsageError(f"{file}: more than {_MAX_FILE_BYTES:,} bytes of keys")
    return parse_keys(raw, str(file))


def parse_keys(raw: bytes, file: str) -> dict[str, bytes]:
    """Raises UsageError."""
    keys: dict[str, bytes] = {}
    for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        match = _LINE.fullmatch(line)
        if not match:
            raise UsageError(f"{file}: line {number} is not a name and a SHA-256 in hexadecimal")
        if match["name"] in keys or match["name"] == ENVIRONMENT:
            raise UsageError(f"{file}: line {number} gives the name {match['name']} a second time")
        keys[match["name"]] = bytes.fromhex(match["hash"])
    return keys


def new_key(name: str) -> tuple[str, str]:
    """-> a fresh key, and its line for the file. Raises UsageError where `name` is none."""
    key = secrets.token_urlsafe(32)
    line = f"{name} {_hash(key.encode()).hex()}"
    if not _LINE.fullmatch(line):
        raise UsageError(f"{name!r}: a key's name is 1 to 64 of A-Z a-z 0-9 . _ @ -")
    return key, line


def _hash(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
