"""Where Chromium is, and the arguments that every test and measurement starts it with."""

from __future__ import annotations

import shutil

# With `--headless` or `--headless=new` beside them.
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
