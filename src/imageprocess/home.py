"""The folders of downloaded data: models and the trust list. This module creates none of them."""

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
    """The folder of downloaded models: in IMAGEPROCESS_HOME if that is set, else in the platform's data folder."""
    configured = os.environ.get(SETTING)
    return (Path(configured).expanduser() if configured else data_folder()) / "models"
