"""Detects the image format from the file signature, never from the file's name."""

from __future__ import annotations

# ISO-BMFF brands: https://mp4ra.org/registered-types/brands
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_MAX_BRANDS = 64


def sniff(data: bytes) -> str | None:
    """The format's name ("JPEG", "PNG", "WEBP", "AVIF", "HEIC", "GIF", "BMP", "TIFF"), or None.

    Reads at most the first 300 bytes.
    """
    if data[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[:2] == b"BM" and len(data) >= 26:
        return "BMP"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if data[4:8] == b"ftyp":
        return _sniff_ftyp(data)
    return None


def _sniff_ftyp(data: bytes) -> str | None:
    box_end = min(int.from_bytes(data[:4], "big"), 16 + 4 * _MAX_BRANDS, len(data))
    brands = [data[8:12], *(data[i : i + 4] for i in range(16, box_end - 3, 4))]
    # The major brand of an AVIF may be "mif1", so every brand is checked for AVIF before HEIC.
    if any(brand in _AVIF_BRANDS for brand in brands):
        return "AVIF"
    if any(brand in _HEIC_BRANDS for brand in brands):
        return "HEIC"
    return None
