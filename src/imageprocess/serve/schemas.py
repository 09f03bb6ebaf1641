"""Request and response bodies as described in the OpenAPI document. report.records builds the records."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import BaseModel, Field
from typing_extensions import TypedDict  # pydantic cannot read typing's before Python 3.12

from ..types import DecidedBy, EvidenceKind, Grade, Label, Mode, PointsTo, Trust

_ONE_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="


class Base64Picture(BaseModel):
    """Picture in base64."""

    image_base64: str = Field(
        description="The image file in base64; a `data:` prefix is accepted.",
        min_length=1,
        examples=[_ONE_PIXEL],
    )
    name: str = Field("image", description="`source` of the record.", max_length=1000)


class Image(TypedDict):
    format: Annotated[str, Field(examples=["JPEG"])]
    width: Annotated[int, Field(description="In pixels, after applying the EXIF orientation.")]
    height: int
    frames: int
    bytes: int


class Measured(TypedDict):
    """Measured accuracy of this grade on images of known origin, half of them AI-made, each source weighted equally."""

    ai_share: Annotated[
        float, Field(description="Share of AI-made images among those with this grade.", ge=0, le=1)
    ]
    pictures: Annotated[int, Field(description="Number of images with this grade.")]
    sources: Annotated[int, Field(description="Number of sources of these images.")]
    split: Annotated[
        str, Field(description="Data set split; `open_test` has only sources that were not used in training.")
    ]
    tier: Annotated[str, Field(description="Degradation of the images: `web` is re-saved as websites do.")]


class Verdict(TypedDict):
    label: Annotated[
        Label,
        Field(
            description="`unsure` if the evidence is weaker than the mode requires; `grade` gives the likelier side."
        ),
    ]
    probability_ai: Annotated[
        float | None,
        Field(
            description="If the model decides: its calibrated probability. Trusted signature or watermark: 1 or 0. "
            "Unsigned record: the share of such records that were true, or null if other evidence "
            "contradicts it.",
            ge=0,
            le=1,
        ),
    ]
    decided_by: DecidedBy
    reason: Annotated[str, Field(description="Explanation in one sentence.")]
    grade: Annotated[
        Grade,
        Field(description="Strength of the verdict; the same in every mode for the same image."),
    ]
    advice: Annotated[
        list[str],
        Field(
            description="Identifiers of recommended next steps.",
            examples=[["reverse_search", "look_closely"]],
        ),
    ]
    measured: NotRequired[
        Annotated[
            Measured, Field(description="Present if the model gave the grade and its accuracy was measured.")
        ]
    ]


class Evidence(TypedDict):
    kind: EvidenceKind
    claim: Annotated[str, Field(description="The finding in one sentence.")]
    trust: Trust
    points_to: PointsTo
    detail: dict[str, Any]


class Model(TypedDict):
    name: str
    version: str
    sha256: str


class Heatmap(TypedDict):
    """Contribution of each region to "ai". Not a proof."""

    width: int
    height: int
    values: Annotated[list[float], Field(description="Row by row, 0 to 1; the map covers the whole image.")]


class Record(TypedDict):
    schema: Literal[1]
    source: str
    status: Literal["ok"]
    sha256: str
    image: Image
    verdict: Verdict
    evidence: list[Evidence]
    model: Model | None
    elapsed_ms: float
    heatmap: NotRequired[Annotated[Heatmap, Field(description="Only with `heatmap=1`.")]]


class Failure(TypedDict):
    code: Literal[
        "too_large", "too_many_pixels", "unsupported_format", "corrupt", "timeout", "crashed", "not_found"
    ]
    message: str


class FailedRecord(TypedDict):
    schema: Literal[1]
    source: str
    status: Literal["error"]
    error: Failure


class Results(TypedDict):
    results: list[Record | FailedRecord]


class JobVerdicts(TypedDict):
    ai: int
    real: int
    unsure: int


class JobWebhook(TypedDict):
    state: Literal["waiting", "delivered", "failed"]
    tries: int


class Job(TypedDict):
    """A batch job. `failed`: an error of the service; records written before it remain available."""

    id: Annotated[
        str, Field(description="Unguessable; gives access to the job, together with the key that created it.")
    ]
    state: Literal["running", "finished", "failed"]
    total: Annotated[int, Field(description="Number of images.")]
    done: int
    verdicts: Annotated[JobVerdicts, Field(description="Number of analysed images per label.")]
    grades: Annotated[dict[Grade, int], Field(description="Number of analysed images per grade.")]
    errors: Annotated[
        int, Field(description="Images that could not be analysed; their records give the error.")
    ]
    mode: Mode
    created: Annotated[
        str, Field(description="RFC 3339, like `ended` and `expires`.", examples=["2026-01-01T12:00:00Z"])
    ]
    ended: str | None
    expires: Annotated[str | None, Field(description="When the job is deleted; null while it is running.")]
    webhook: JobWebhook | None


class Prediction(TypedDict):
    """Response of the original API. Never "unsure", unlike that of `/v1/detect`."""

    label_name: Literal["AI-generated", "Real"]
    confidence: Annotated[float, Field(description="Probability of the class in `label_name`.", ge=0, le=1)]
    status: Literal["success"]
    class_id: Literal[0, 1]
    class_name: Literal["ai_image", "real_image"]


class Problem(TypedDict):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: Annotated[str, Field(description="Stable error code.")]
    request_id: str


class Health(TypedDict):
    status: str
