"""Verifies Content Credentials with c2pa-python (the extra [c2pa]), which only this module imports. Nothing here may
use the network."""

from __future__ import annotations

import io
import json
from functools import lru_cache
from typing import Any

from ...extras import require_extra

_MIME = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "HEIC": "image/heic",
    "TIFF": "image/tiff",
    "GIF": "image/gif",
}


class UnreadableManifestError(Exception):
    """A manifest store that the library cannot parse. `str(error)` says why."""


def read_manifest_store(data: bytes, image_format: str, trust_anchors: str) -> dict[str, Any]:
    """The library's JSON report on the image's manifest store, validated against `trust_anchors` (PEM, may be "").

    Raises MissingExtraError without the extra, UnreadableManifestError if the library fails.
    """
    with require_extra("c2pa", "c2pa-python, which verifies Content Credentials,"):
        import c2pa
    try:
        with c2pa.Reader(_MIME[image_format], io.BytesIO(data), context=_context(trust_anchors)) as reader:
            report: dict[str, Any] = json.loads(reader.json())
    except c2pa.C2paError as error:
        raise UnreadableManifestError(str(error)) from error
    return report


@lru_cache(maxsize=4)
def _context(trust_anchors: str) -> Any:
    import c2pa

    settings: dict[str, Any] = {
        # The first two would use the network: for manifests stored elsewhere and for revocation of certificates.
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
    }
    if trust_anchors:
        settings["trust"] = {"trust_anchors": trust_anchors}
    return c2pa.Context.from_dict(settings)
