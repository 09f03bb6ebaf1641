"""What a C2PA manifest says about its image: actions, ingredients, tools, extra assertions."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageprocess.types import PointsTo
from testkit.records import IPTC
from tests.support.content_credentials import (
    CAPTURED,
    GENERATED,
    HAS_EXTRA,
    needs_extra,
    read_credentials,
    single_credential,
)

if HAS_EXTRA:
    from testkit.credentials import Action, authority, created, opened, placed, sign


@needs_extra
@pytest.mark.parametrize(
    ("actions", "points_to", "signal"),
    [
        ([created(GENERATED), {"action": "c2pa.cropped"}], "ai", "fullyGenAIMedia"),
        ([created("compositeWithTrainedAlgorithmicMedia")], "ai_edited", "partlyGenAICreation"),
        ([created(CAPTURED), {"action": "c2pa.edited", "digitalSourceType": IPTC + GENERATED}], "ai_edited",
         "perceptibleGenAI"),
        ([created(CAPTURED)], "real", "capturedMedia"),
        ([created("computationalCapture"), {"action": "c2pa.transcoded"}], "real", "capturedMedia"),
        ([created("compositeCapture")], "real", "capturedMediaStitched"),
        ([created(CAPTURED), {"action": "c2pa.cropped"}], "nothing", "ambiguousActions"),
        ([created("digitalCreation")], "nothing", "nonGenAIDigitalCreation"),
        ([created("screenCapture")], "nothing", "screenCaptureMayContainGenAI"),
        ([created("composite")], "nothing", "compositionMayContainGenAI"),
        ([created("algorithmicMedia")], "nothing", None),
    ],
)  # fmt: skip
def test_actions_map_to_signals(
    actions: list[Action], points_to: PointsTo, signal: str | None, photo: bytes, trust_list: Path
) -> None:
    item = single_credential(sign(photo, actions), trust_list)
    assert item.points_to == points_to
    assert signal in item.detail["signals"] if signal else "signals" not in item.detail


@needs_extra
def test_bing_manifest_names_software_agent(photo: bytes, trust_list: Path) -> None:
    """The standard does not allow this, so the signer is not trusted; the file is unmodified."""
    agent = created(None, softwareAgent="Image Creator from Designer", description="AI Generated Image")
    item = single_credential(sign(photo, [agent]), trust_list)
    assert (item.trust, item.points_to) == ("valid_untrusted", "ai")
    assert (
        "does not conform to the standard" in item.claim
        and item.detail["model"] == "Image Creator from Designer"
    )


@needs_extra
def test_parent_ingredient_history_applies_to_image(photo: bytes, trust_list: Path) -> None:
    generated, captured = sign(photo, [created(GENERATED)]), sign(photo, [created(CAPTURED)])
    cropped: Action = {"action": "c2pa.cropped"}
    assert (
        single_credential(
            sign(photo, [opened()], ingredients=[("parentOf", generated)]), trust_list
        ).points_to
        == "ai"
    )
    assert (
        single_credential(
            sign(photo, [opened(), cropped], ingredients=[("parentOf", generated)]), trust_list
        ).points_to
        == "ai"
    )
    assert (
        single_credential(sign(photo, [opened()], ingredients=[("parentOf", captured)]), trust_list).points_to
        == "real"
    )
    edited = single_credential(
        sign(photo, [opened(), cropped], ingredients=[("parentOf", captured)]), trust_list
    )
    assert edited.points_to == "nothing"
    unsigned = single_credential(sign(photo, [opened()], ingredients=[("parentOf", photo)]), trust_list)
    assert unsigned.points_to == "nothing" and "mediaUnknownProvenance" in unsigned.detail["signals"]


@needs_extra
def test_ai_component_is_edit_and_model_input_is_nothing(photo: bytes, trust_list: Path) -> None:
    generated = sign(photo, [created(GENERATED)])
    mixed = sign(photo, [created(CAPTURED), placed()], ingredients=[("componentOf", generated)])
    assert single_credential(mixed, trust_list).points_to == "ai_edited"
    inspired = sign(photo, [created("digitalCreation")], ingredients=[("inputTo", generated)])
    assert single_credential(inspired, trust_list).points_to == "nothing"


@needs_extra
def test_ingredient_trust_is_that_of_its_own_signer(photo: bytes, trust_list: Path) -> None:
    foreign = sign(photo, [created(GENERATED)], by=authority("Stranger"))
    own, of_ingredient = read_credentials(
        sign(photo, [opened()], ingredients=[("parentOf", foreign)]), trust_list
    )
    assert (own.trust, own.points_to) == ("trusted", "nothing")
    assert (of_ingredient.trust, of_ingredient.points_to) == ("valid_untrusted", "ai")
    capture = sign(photo, [created(CAPTURED)], by=authority("Stranger"))
    assert (
        single_credential(sign(photo, [opened()], ingredients=[("parentOf", capture)]), trust_list).points_to
        == "nothing"
    )


@needs_extra
def test_broken_ingredient_is_ignored(photo: bytes, trust_list: Path) -> None:
    generated = bytearray(sign(photo, [created(GENERATED)]))
    generated[generated.index(GENERATED.encode())] ^= 1
    for item in read_credentials(
        sign(photo, [opened()], ingredients=[("parentOf", bytes(generated))]), trust_list
    ):
        assert item.points_to == "nothing"


@needs_extra
def test_adobe_parameter_names_partner_model(photo: bytes, trust_list: Path) -> None:
    parameters = {
        "com.adobe.digitalSourceType": IPTC + GENERATED,
        "com.adobe.details": "imagen-3.0-generate-002",
    }
    action = {**opened(), "parameters": {**opened().get("parameters", {}), **parameters}}
    item = single_credential(sign(photo, [action], ingredients=[("parentOf", photo)]), trust_list)
    assert item.points_to == "ai" and "imagen-3.0-generate-002" in item.detail["model"]
