"""Path and arguments of Chromium for tests and measurements."""

from __future__ import annotations

import shutil

# `--headless` or `--headless=new` is added by the caller.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium_path() -> str:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        raise FileNotFoundError("no Chromium: `make test` installs Debian's, or `apt-get install chromium`")
    return path
