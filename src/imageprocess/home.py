"""Where the package keeps what a user fetched: models, the trust list. Nothing is created here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

SETTING = "IMAGEPROCESS_HOME"


def data_folder() -> Path:
    """The platform's data folder for this package."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "imageprocess"


def models_home() -> Path:
    """Below IMAGEPROCESS_HOME where it is set, else below the platform's data folder."""
    named = os.environ.get(SETTING)
    return (Path(named).expanduser() if named else data_folder()) / "models"
