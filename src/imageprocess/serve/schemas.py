"""The bodies, as the OpenAPI document tells them. report.records makes the records; here they are described."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import BaseModel, Field
from typing_extensions import TypedDict  # pydantic cannot read typing's before Python 3.12

from ..types import DecidedBy, EvidenceKind, Grade, Label, Mode, PointsTo, Trust

_ONE_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="


class Base64Picture(BaseModel):
    """For the document alone: a worker reads the body, see worker.py."""

    image_base64: str = Field(
        description="The picture's bytes in base64; a `data:` prefix is accepted.",
        min_length=1,
        examples=[_ONE_PIXEL],
    )
    name: str = Field("image", description="What the record calls it.", max_length=1000)


class Image(TypedDict):
    format: Annotated[str, Field(examples=["JPEG"])]
    width: Annotated[int, Field(description="Pixels, as a person sees it (EXIF orientation applied).")]
    height: int
    frames: int
    bytes: int


class Measured(TypedDict):
    """What a grade of this model has meant on pictures of known origin, half of them AI-made; sources weigh alike."""

    ai_share: Annotated[
        float, Field(description="Of the pictures that got this grade, how many were AI-made.", ge=0, le=1)
    ]
    pictures: Annotated[int, Field(description="That got this grade.")]
    sources: Annotated[int, Field(description="From which those came.")]
    split: Annotated[str, Field(description="Which pictures: `open_test` is of sources never trained on.")]
    tier: Annotated[str, Field(description="How they were delivered: `web` is re-saved as on the web.")]


class Verdict(TypedDict):
    label: Annotated[
        Label,
        Field(
            description="`unsure` where the mode asked for gives no answer; `grade` says what it leans to."
        ),
    ]
    probability_ai: Annotated[
        float | None,
        Field(
            description="Calibrated where the model decides; 1 or 0 where a trusted signature or a watermark does; "
            "how often such records were true where one does that anyone could have typed, null where other "
            "evidence speaks against it.",
            ge=0,
            le=1,
        ),
    ]
    decided_by: DecidedBy
    reason: Annotated[str, Field(description="One sentence for a person.")]
    grade: Annotated[
        Grade,
        Field(
            description="How strongly it speaks for its side; the same in every mode for the same picture."
        ),
    ]
    advice: Annotated[
        list[str],
        Field(
            description="What a person can do now, by name.", examples=[["reverse_search", "look_closely"]]
        ),
    ]
    measured: NotRequired[
        Annotated[Measured, Field(description="Where it was measured and the model gave the grade.")]
    ]


class Evidence(TypedDict):
    kind: EvidenceKind
    claim: Annotated[str, Field(description="A sentence for a person.")]
    trust: Trust
    points_to: PointsTo
    detail: dict[str, Any]


class Model(TypedDict):
    name: str
    version: str
    sha256: str


class Heatmap(TypedDict):
    """Where the model looked: each place's pull towards "ai". Not a proof."""

    width: int
    height: int
    values: Annotated[list[float], Field(description="Row by row, 0 to 1; the map spans the whole picture.")]


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
    heatmap: NotRequired[Annotated[Heatmap, Field(description="With `heatmap=1` only.")]]


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
    """A batch job. `failed`: the service's fault; the records that were there before are kept."""

    id: Annotated[str, Field(description="Whoever knows it, and the key that sent it, sees the job.")]
    state: Literal["running", "finished", "failed"]
    total: Annotated[int, Field(description="Pictures.")]
    done: int
    verdicts: Annotated[JobVerdicts, Field(description="How many of those that are done, by label.")]
    grades: Annotated[dict[Grade, int], Field(description="The same by grade.")]
    errors: Annotated[int, Field(description="Pictures that could not be analysed; their records say why.")]
    mode: Mode
    created: Annotated[str, Field(description="RFC 3339, as the others.", examples=["2026-01-01T12:00:00Z"])]
    ended: str | None
    expires: Annotated[str | None, Field(description="When it is forgotten; null while it is running.")]
    webhook: JobWebhook | None


class Prediction(TypedDict):
    """The original's answer. Always picks a side; `/v1/detect` may say "unsure"."""

    label_name: Literal["AI-generated", "Real"]
    confidence: Annotated[float, Field(description="Of the class named, not of AI.", ge=0, le=1)]
    status: Literal["success"]
    class_id: Literal[0, 1]
    class_name: Literal["ai_image", "real_image"]


class Problem(TypedDict):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: Annotated[str, Field(description="For programs.")]
    request_id: str


class Health(TypedDict):
    status: str
