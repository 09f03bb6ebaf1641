"""Firefox controlled through Marionette (JSON messages, each prefixed with its length)."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from testkit.serving import free_port
from testkit.waiting import wait_until

EXTENSION_ID = "imageprocess@imageprocess.example"
_PREFERENCES = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}

# The background page is still loading when the add-on counts as installed; the popup retries too.
_UNTIL_BACKGROUND_ANSWERS = """
    const ask = (left) => browser.runtime.sendMessage({to: "background", call: "start"}).catch((error) => {
        if (!left) throw error;
        return new Promise((resolve) => setTimeout(resolve, 200)).then(() => ask(left - 1));
    });
    return ask(400);
"""


class Firefox:
    """The tabs of one window. Scripts are function bodies; those of `evaluate` return a promise."""

    def __init__(self, port: int) -> None:
        self._socket = _connected(port)
        self._stream = self._socket.makefile("rb")
        self._last = 0
        self._read()  # the greeting
        self("WebDriver:NewSession", capabilities={"alwaysMatch": {}})
        self("WebDriver:SetTimeouts", script=120_000, pageLoad=60_000)

    def __call__(self, command: str, **parameters: Any) -> Any:
        self._last += 1
        message = json.dumps([0, self._last, command, parameters]).encode()
        self._socket.sendall(str(len(message)).encode() + b":" + message)
        _, _, error, result = self._read()
        if error:
            raise RuntimeError(f"{command}: {error['error']}: {error['message']}")
        return result.get("value", result) if isinstance(result, dict) else result

    def _read(self) -> Any:
        length = b""
        while (byte := self._stream.read(1)) != b":":
            if not byte:
                raise ConnectionError("Firefox closed the connection")
            length += byte
        return json.loads(self._stream.read(int(length)))

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def install(self, package: Path) -> str:
        """Load an extension as a temporary add-on; returns the URL of its pages."""
        self("Addon:Install", path=str(package), temporary=True)
        host = self.privileged(
            "return WebExtensionPolicy.getByID(arguments[0]).mozExtensionHostname", EXTENSION_ID
        )
        root = f"moz-extension://{host}/"
        self.open(f"{root}popup.html")
        self.evaluate(_UNTIL_BACKGROUND_ANSWERS)
        return root

    def allow(self, *origins: str) -> None:
        """Grant host permissions, as in the browser's prompt."""
        self.privileged(
            """const { ExtensionPermissions } = ChromeUtils.importESModule("resource://gre/modules/ExtensionPermissions.sys.mjs");
            const { extension } = WebExtensionPolicy.getByID(arguments[0]);
            return ExtensionPermissions.add(arguments[0], { permissions: [], origins: arguments[1] }, extension);""",
            EXTENSION_ID,
            list(origins),
        )

    def privileged(self, script: str, *arguments: Any) -> Any:
        """Run a script with browser privileges."""
        self("Marionette:SetContext", value="chrome")
        try:
            return self("WebDriver:ExecuteScript", script=script, args=list(arguments))
        finally:
            self("Marionette:SetContext", value="content")

    def open(self, address: str) -> str:
        """Open a tab at this URL; returns its handle."""
        handle: str = self("WebDriver:NewWindow", type="tab", focus=True)["handle"]
        self.switch(handle)
        self("WebDriver:Navigate", url=address)
        return handle

    def switch(self, handle: str) -> None:
        self("WebDriver:SwitchToWindow", handle=handle, focus=True)

    def evaluate(self, script: str, *arguments: Any) -> Any:
        """Run a script in the tab with the privileges of its page."""
        return self("WebDriver:ExecuteScript", script=script, args=list(arguments), sandbox=None)


def _connected(port: int) -> socket.socket:
    def connect() -> socket.socket | None:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=180)
        except OSError:  # not listening yet
            return None

    connection = wait_until(connect, interval_s=0.1)
    assert connection is not None
    return connection


@contextmanager
def firefox_running(profile: Path) -> Iterator[Firefox]:
    """Raises FileNotFoundError without Firefox."""
    path = shutil.which("firefox") or shutil.which("firefox-esr")
    if path is None:
        raise FileNotFoundError("no Firefox: `apt-get install firefox-esr`")
    port = free_port()
    lines = (
        f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
        for name, value in {**_PREFERENCES, "marionette.port": port}.items()
    )
    (profile / "user.js").write_text("".join(lines), encoding="utf-8")
    command = [path, "--headless", "--no-remote", "--profile", str(profile), "--marionette"]
    process = subprocess.Popen(
        [*command, "-remote-allow-system-access"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with closing(Firefox(port)) as firefox:
            yield firefox
    finally:
        process.terminate()
        process.wait(30)
