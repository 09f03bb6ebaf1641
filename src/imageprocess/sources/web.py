"""Downloads an image from an http(s) URL, with limits on size, time and redirects; and sends webhooks.

Only the command line and Python callers download; the service never does. By default, connections are made only to
public IP addresses, and to the very address that was checked, so that a name cannot resolve to another one in between
(DNS rebinding).
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NoReturn

from ..errors import InputError, InputNotFoundError, InputTimeoutError, TooLargeError
from ..types import Source

if TYPE_CHECKING:
    import http.client
    from urllib.parse import SplitResult

MAX_BYTES = 50_000_000
TIMEOUT_S = 30.0
_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK_BYTES = 65_536
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are the IPv4 address


def is_web_address(name: str) -> bool:
    return name[:8].lower().startswith(("http://", "https://"))


def fetch(
    url: str,
    *,
    max_bytes: int = MAX_BYTES,
    timeout_s: float = TIMEOUT_S,
    allow_private: bool = False,
    on_redirect: Callable[[str, str], None] = lambda old, new: None,
) -> Source:
    """Download the image at `url`, which becomes its name. `timeout_s`: for everything, including redirects;
    `allow_private`: allow connections to this machine and to private networks; `on_redirect` is called with the old and
    the new URL of each redirect.

    Raises InputNotFoundError, InputTimeoutError, TooLargeError.
    """
    deadline = time.monotonic() + timeout_s
    current = url
    try:
        for _ in range(_MAX_REDIRECTS + 1):
            response = _get(current, max_bytes, deadline, allow_private)
            if isinstance(response, bytes):
                return Source(url, response)
            on_redirect(current, response)
            current = response
    except TimeoutError as error:
        raise InputTimeoutError(f"{url}: took longer than {timeout_s:g} s") from error
    raise InputNotFoundError(f"{url}: more than {_MAX_REDIRECTS} redirects")


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float, allow_private: bool = False
) -> int:
    """Send `body`. Returns the HTTP status; the response body is not read. Redirects are not followed.

    Raises InputNotFoundError, InputTimeoutError.
    """
    import http.client
    from urllib.parse import urlsplit

    line = _TimedConnection(time.monotonic() + timeout_s)
    try:
        parts = urlsplit(_as_ascii(url))
        connection = _prepare(parts, url, line, allow_private)
        try:
            connection.request("POST", _target(parts), body, {"User-Agent": "imageprocess", **headers})
            with connection.getresponse() as response:
                return response.status
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        if line.is_cut or isinstance(error, TimeoutError):
            raise InputTimeoutError(f"{url}: took longer than {timeout_s:g} s") from error
        _fail(url, f"cannot be sent to ({str(error) or type(error).__name__})", error)
    finally:
        line.close()


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _get(url: str, max_bytes: int, deadline: float, allow_private: bool) -> bytes | str:
    """The body, or the target of a redirect."""
    import http.client  # imported here, because it takes 20 ms and few inputs are URLs
    from urllib.parse import urljoin, urlsplit

    line = _TimedConnection(deadline)
    try:
        parts = urlsplit(_as_ascii(url))
        connection = _prepare(parts, url, line, allow_private)
        try:
            headers = {"User-Agent": "imageprocess", "Accept": "image/*", "Accept-Encoding": "identity"}
            connection.request("GET", _target(parts), headers=headers)
            with connection.getresponse() as response:
                location = response.getheader("Location")
                if response.status in _REDIRECTS and location:
                    return urljoin(url, location)
                _check(response, url, max_bytes)
                data = _read(response, url, max_bytes)
            if line.is_cut:  # looks like the end of the body
                raise TimeoutError
            return data
        finally:
            connection.close()
    except (TimeoutError, InputError, OSError, ValueError, http.client.HTTPException) as error:
        if line.is_cut or isinstance(error, TimeoutError):
            raise TimeoutError from error
        if isinstance(error, InputError):
            raise
        _fail(url, f"cannot be fetched ({str(error) or type(error).__name__})", error)
    finally:
        line.close()


def _fail(url: str, reason: str, error: Exception | None = None) -> NoReturn:
    raise InputNotFoundError(f"{url}: {reason}") from error


def _as_ascii(url: str) -> str:
    """The URL as it is sent: host in IDNA, other characters percent-encoded unless they already are."""
    from urllib.parse import quote, urlsplit, urlunsplit

    parts = urlsplit(url)
    netloc = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode("ascii")
    path, query = (quote(part, safe="/%:=&?~#+!$,;'@()*[]") for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, netloc, path, query, ""))


def _prepare(
    parts: SplitResult, url: str, line: _TimedConnection, allow_private: bool
) -> http.client.HTTPConnection:
    """A connection that is opened at its first use. Raises InputNotFoundError if the URL is not allowed."""
    import http.client

    host = parts.hostname
    if parts.scheme not in ("http", "https") or not host:
        _fail(url, "only http and https addresses are fetched")
    if parts.username is not None:
        _fail(url, "addresses with a user name are not fetched")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(host, parts.port)
    addresses = _resolve(host, connection.port, url, allow_private)
    # http.client's hook for creating the socket; certificates are still checked against the host name.
    connection._create_connection = functools.partial(line.connect, addresses)  # type: ignore[attr-defined]
    return connection


def _resolve(host: str, port: int, url: str, allow_private: bool) -> list[tuple[str, int]]:
    """The IP addresses of a host. All must be public: a name with both kinds could be used to circumvent the check."""
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        _fail(url, f"no machine called {host} is known", error)
    addresses = [(str(entry[4][0]), port) for entry in entries]
    private = next((ip for ip, _ in addresses if not _is_public(ip)), None)
    if private and not allow_private:
        _fail(
            url, f"leads to {private}, not a public address; --allow-private (allow_private=True) permits it"
        )
    return addresses


def _is_public(ip: str) -> bool:
    address = ipaddress.ip_address(ip.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner:
            return inner.is_global and not inner.is_multicast
    return address.is_global and not address.is_multicast


class _TimedConnection:
    """A connection that is closed at the deadline in any state. Socket timeouts are insufficient: they restart with
    each piece of data, so a slow server could continue forever."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._socket: socket.socket | None = None
        self._timer: threading.Timer | None = None
        self.is_cut = False

    def connect(self, addresses: list[tuple[str, int]], *_: object) -> socket.socket:
        """Connect to the first of the checked addresses that accepts."""
        failure: OSError = OSError("no address")
        for address in addresses:
            remaining_s = self._deadline - time.monotonic()
            if remaining_s <= 0:
                raise TimeoutError
            try:
                connection = socket.create_connection(address, remaining_s)
            except OSError as error:
                failure = error
                continue
            self._socket = connection.dup()  # TLS takes over the original
            self._timer = threading.Timer(self._deadline - time.monotonic(), self._cut)
            self._timer.daemon = True
            self._timer.start()
            return connection
        raise failure

    def _cut(self) -> None:
        self.is_cut = True
        if self._socket:
            with contextlib.suppress(OSError):  # closed at the same moment
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer.join()
        if self._socket:
            self._socket.close()


def _check(response: http.client.HTTPResponse, url: str, max_bytes: int) -> None:
    if response.status != 200:
        _fail(url, f"the server answers {response.status} {response.reason}")
    kind = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        _fail(url, "a web page, not a picture; give the address of the picture itself")
    if response.length and response.length > max_bytes:
        raise TooLargeError(f"{url}: {response.length:,} bytes; the limit is {max_bytes:,}")


def _read(response: http.client.HTTPResponse, url: str, max_bytes: int) -> bytes:
    data = bytearray()
    while chunk := response.read(_CHUNK_BYTES):
        data += chunk
        if len(data) > max_bytes:
            raise TooLargeError(f"{url}: more than the limit of {max_bytes:,} bytes")
    if response.length:  # read(n) does not raise if the connection ends early
        _fail(url, f"the connection ended {response.length:,} bytes early")
    return bytes(data)
