"""python -m imageprocess.serve: print the OpenAPI document of a service with default settings."""

from __future__ import annotations

import json
import sys

from .app import create_app
from .settings import Settings

if __name__ == "__main__":
    json.dump(create_app(Settings()).openapi(), sys.stdout, indent=1)
    sys.stdout.write("\n")
