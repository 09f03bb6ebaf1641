"""IPTC source types and credit lines; camera data in EXIF."""

from __future__ import annotations

import struct

import pytest
from PIL.TiffImagePlugin import IFDRational

from imageprocess.provenance import read_provenance
from imageprocess.provenance.source_types import SOURCE_TYPES, source_type
from imageprocess.types import Evidence, PointsTo, Thresholds
from imageprocess.verdict import decide
from testkit.records import exif, facts, jpeg, with_exif, with_xmp, xmp, xmp_source_type


def test_source_type_from_url_or_bare_term() -> None:
    for term in SOURCE_TYPES:
        for prefix in (
            "http://cv.iptc.org/newscodes/digitalsourcetype/",
            "http://c2pa.org/digitalsourcetype/",
            "",
        ):
            assert source_type(prefix + term) == term
    for other in ("http://example.org/trainedAlgorithmicMedia", "not trainedAlgorithmicMedia", "", None, 3):
        assert source_type(other) is None


@pytest.mark.parametrize(
    ("term", "points_to"),
    [
        ("trainedAlgorithmicMedia", "ai"),
        ("algorithmicMedia", "nothing"),  # by definition without training data
        ("compositeWithTrainedAlgorithmicMedia", "ai_edited"),
        ("compositeSynthetic", "ai_edited"),
        ("composite", "nothing"),
        ("humanEdits", "nothing"),
        ("digitalCreation", "nothing"),
        ("digitalCapture", "real"),
        ("compositeCapture", "real"),
        ("negativeFilm", "real"),
    ],
)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_source_type_points_to(term: str, points_to: PointsTo, form: str) -> None:
    (item,) = read_provenance(with_xmp(form, xmp_source_type(term)), facts(form))
    assert (item.kind, item.trust, item.points_to) == ("iptc", "unsigned", points_to)
    assert item.detail["digital_source_type"] == term


def test_phone_retouching_is_ai_edited() -> None:
    data = with_xmp("JPEG", xmp_source_type("compositeWithTrainedAlgorithmicMedia"))
    evidence = read_provenance(data, facts("JPEG"))
    sure_real = Evidence("model", "", "measured", "real", {"probability_ai": 0.02})
    verdict = decide([*evidence, sure_real], Thresholds(0.8, 0.2))
    assert verdict.label == "real" and verdict.decided_by == "model"
    assert "edited with a generative AI" in verdict.reason


@pytest.mark.parametrize(
    ("credit", "points_to"), [("Made with Google AI", "ai"), ("Edited with Google AI", "ai_edited")]
)
def test_google_credit_line_in_xmp_and_iim(credit: str, points_to: PointsTo) -> None:
    in_xmp = with_xmp("JPEG", xmp(attributes=f'photoshop:Credit="{credit}"'))
    iim = b"\x1c\x02\x05\x00\x01x" + b"\x1c\x02\x6e" + struct.pack(">H", len(credit)) + credit.encode()
    resource = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(iim)) + iim
    for data in (in_xmp, jpeg([(0xED, resource)])):
        (item,) = read_provenance(data, facts("JPEG"))
        assert (item.kind, item.points_to) == ("iptc", points_to)
        assert "SynthID" in item.detail["does_not_prove"]


def test_other_credit_line_is_ignored() -> None:
    data = with_xmp("JPEG", xmp(attributes='photoshop:Credit="I dislike what is Made with Google AI"'))
    assert read_provenance(data, facts("JPEG")) == []


def test_exif_names_camera_and_does_not_decide() -> None:
    block = exif(
        make="NIKON CORPORATION", model="NIKON D90", taken="2013:01:03 17:59:07", lens="50mm", software="x 1"
    )
    (item,) = evidence = read_provenance(with_exif("JPEG", block), facts("JPEG"))
    assert (item.kind, item.trust) == ("exif", "unsigned")
    assert item.claim == "EXIF names a camera: NIKON D90, on 2013-01-03."
    assert [item.detail[k] for k in ("make", "model", "lens", "software")] == [
        "NIKON CORPORATION", "NIKON D90", "50mm", "x 1"
    ]  # fmt: skip
    assert decide(evidence, None).label == "unsure"


def test_exposure_settings_without_camera_name() -> None:
    (item,) = read_provenance(with_exif("JPEG", exif(exposure_time_s=IFDRational(1, 100))), facts("JPEG"))
    assert item.detail["exposure_time_s"] == pytest.approx(0.01) and "names" not in item.claim


def test_exif_without_camera_gives_no_evidence() -> None:
    assert read_provenance(with_exif("JPEG", exif(software="GIMP")), facts("JPEG")) == []
