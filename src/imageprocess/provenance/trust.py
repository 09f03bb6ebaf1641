"""The C2PA trust lists: the signers whose signatures are trusted. They are stored in the user's data folder; a wheel
contains the conformance list of its build date, which is used if none is installed.

The interim list preceded the conformance list and is frozen. Its signatures remain valid, but must be distinguished, as
its header requires: as "legacy".

Lists are PEM files. The first lines of a downloaded list are comments: date, source, sha256 and attribution.
"""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import DataError, UsageError
from ..files import replacing
from ..home import data_folder

SETTING = "IMAGEPROCESS_TRUST_LIST"  # path of another file
INTERIM_SETTING = "IMAGEPROCESS_INTERIM_TRUST_LIST"
# CC BY 4.0
OFFICIAL_LIST = (
    "https://raw.githubusercontent.com/c2pa-org/conformance-public/main/trust-list/C2PA-TRUST-LIST.pem"
)
INTERIM_LIST = "https://raw.githubusercontent.com/contentauth/verify-site/main/static/trust/anchors.pem"
_MAX_BYTES = 4_000_000
_TIMEOUT_S = 30
_ATTRIBUTION = (
    "# C2PA Trust List, Coalition for Content Provenance and Authenticity, CC BY 4.0, unchanged below"
)
BUNDLED = Path(__file__).with_name("C2PA-TRUST-LIST.pem")  # written by `make wheel`; never committed
_FETCHED, _FROM, _SHA256 = "# fetched: ", "# from: ", "# sha256: "


@dataclass(frozen=True, slots=True)
class Signer:
    name: str
    valid_until: str


@dataclass(frozen=True, slots=True)
class TrustList:
    """A validated list. `pem` may have text between its certificates."""

    path: Path
    pem: str
    signers: tuple[Signer, ...]
    fetched: str | None  # ISO 8601; None if the file has no such comment
    source: str | None
    is_interim: bool = False

    def describe(self) -> str:
        return f"{len(self.signers)} certificates" + (f", fetched {self.fetched}" if self.fetched else "")


def default_path() -> Path:
    """The configured file, or the one in the user's data folder."""
    return _configured(SETTING) or data_folder() / "C2PA-TRUST-LIST.pem"


def interim_path() -> Path:
    """As `default_path`, for the interim list."""
    return _configured(INTERIM_SETTING) or data_folder() / "C2PA-INTERIM-TRUST-LIST.pem"


def _configured(setting: str) -> Path | None:
    value = os.environ.get(setting)
    return Path(value) if value else None


def path_in_use() -> Path:
    """The default path, or that of the list in the wheel if nothing is installed or configured."""
    path = default_path()
    return BUNDLED if not os.environ.get(SETTING) and not path.exists() and BUNDLED.exists() else path


def find_trust_list(path: Path | None = None) -> TrustList | None:
    """The list at `path` (None: the default one), or None if there is no readable list.

    Raises UsageError if a configured list cannot be read, because otherwise all signers would silently be untrusted.
    """
    if path is not None:
        return _find(path, SETTING, "", required=False)
    required = _configured(SETTING) is not None
    return _find(path_in_use(), SETTING, "correct it, or run: imageprocess trust update", required=required)


def find_interim_list() -> TrustList | None:
    """The frozen interim list, or None if it is not installed. Raises UsageError if a configured one is unreadable."""
    required = _configured(INTERIM_SETTING) is not None
    trust_list = _find(interim_path(), INTERIM_SETTING, "correct it or unset it", required=required)
    return trust_list and replace(trust_list, is_interim=True)


def _find(path: Path, setting: str, remedy: str, *, required: bool) -> TrustList | None:
    try:
        return _cached(path, path.stat().st_mtime_ns)
    except (OSError, DataError) as error:
        if not required:
            return None
        reason = f"{path}: {error.strerror}" if isinstance(error, OSError) else error
        raise UsageError(f"{setting} names no trust list ({reason}); {remedy}") from error


@lru_cache(maxsize=4)
def _cached(path: Path, modified_ns: int) -> TrustList:
    return load_trust_list(path)


def load_trust_list(path: Path) -> TrustList:
    """Read and validate a list. Raises DataError that says what is wrong with it."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: no trust list there ({error.strerror}); run: imageprocess trust update"
        ) from error
    return parse_trust_list(raw, path)


def parse_trust_list(raw: bytes, path: Path) -> TrustList:
    """Check that `raw` is a PEM file of certification authorities that OpenSSL accepts. Raises DataError."""
    if len(raw) > _MAX_BYTES:
        raise DataError(
            f"{path}: {len(raw):,} bytes are too many for a trust list; the limit is {_MAX_BYTES:,}"
        )
    text = raw.decode("utf-8", errors="replace")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=_certificates(text))
    except (ssl.SSLError, ValueError) as error:
        raise DataError(f"{path}: not a PEM file of certificates ({error})") from error
    signers = tuple(_signer(certificate) for certificate in context.get_ca_certs())
    if not signers:
        raise DataError(f"{path}: contains no certificate of a certification authority")
    return TrustList(path, text, signers, _comment(text, _FETCHED), _comment(text, _FROM))


def update_trust_list(source: str, path: Path) -> TrustList:
    """Download `source` (an https URL, or a file), validate it, add date and source, and write it to `path` atomically.

    Raises DataError, and leaves `path` unchanged, if it cannot be downloaded or is not a trust list.
    """
    raw = _fetch(source)
    parse_trust_list(raw, Path(source))
    fetched = datetime.now(UTC).isoformat(timespec="seconds")
    header = f"{_FETCHED}{fetched}\n{_FROM}{source}\n{_SHA256}{hashlib.sha256(raw).hexdigest()}\n"
    if source == OFFICIAL_LIST:
        header += f"{_ATTRIBUTION}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as stream:
        stream.write(header.encode() + raw)
    return load_trust_list(path)


def _fetch(source: str) -> bytes:
    # Imported here, because they take 20 ms and only an update needs them.
    import http.client
    import urllib.error
    import urllib.parse
    import urllib.request

    try:
        address = urllib.parse.urlsplit(source)
        is_local = address.hostname in ("127.0.0.1", "localhost", "::1")
        if address.scheme == "https" or (address.scheme == "http" and is_local):
            with urllib.request.urlopen(source, timeout=_TIMEOUT_S) as response:
                return bytes(response.read(_MAX_BYTES + 1))
        if address.scheme == "http":
            raise DataError(f"{source}: a trust list must be an https URL or a file")
        return Path(source).read_bytes()
    except (
        OSError,
        ValueError,
        http.client.HTTPException,
    ) as error:  # ValueError: neither a URL nor a valid path
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise DataError(f"{source}: cannot be fetched ({error})") from error


def _certificates(text: str) -> str:
    """Only the PEM blocks: the official list has subjects between them."""
    lines, inside = [], False
    for line in text.splitlines():
        inside = inside or line.startswith("-----BEGIN CERTIFICATE-----")
        if inside:
            lines.append(line)
        inside = inside and not line.startswith("-----END CERTIFICATE-----")
    return "\n".join(lines) + "\n"


def _signer(certificate: Mapping[str, Any]) -> Signer:
    names: dict[str, str] = {}
    for part in certificate.get("subject", ()):
        names |= dict(part)
    name = names.get("commonName", "")
    organisation = names.get("organizationName", "")
    return Signer(f"{organisation}: {name}" if organisation else name, str(certificate.get("notAfter", "")))


def _comment(text: str, prefix: str) -> str | None:
    header = text.splitlines()[:3]
    return next((line.removeprefix(prefix) for line in header if line.startswith(prefix)), None)
