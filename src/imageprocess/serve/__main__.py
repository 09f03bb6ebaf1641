"""python -m imageprocess.serve: the API's document, as /openapi.json of a service with no settings."""

from __future__ import annotations

import json
import sys

from .app import create_app
from .settings import Settings

if __name__ == "__main__":
    json.dump(create_app(Settings()).openapi(), sys.stdout, indent=1)
    sys.stdout.write("\n")
