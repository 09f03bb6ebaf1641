"""The baseline: the original project's service, reimplemented from its description. One image per base64 JSON request,
Pillow, PyTorch in eager mode, one image at a time.

    python -m bench.baseline serve PORT          # the service
    python -m bench.baseline send PORT FOLDER    # the client: every image of a folder in sequence
"""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

LABELS = ("AI-generated", "Real")


def scorer(threads: int | None = None) -> Callable[[str], dict[str, Any]]:
    """-> a function that answers one request: base64 image -> the original's response."""
    import torch

    from imageprocess.train.nets import CNN

    if threads:
        torch.set_num_threads(threads)
    network = CNN().eval()

    def predict(image_base64: str) -> dict[str, Any]:
        image = Image.open(io.BytesIO(base64.b64decode(image_base64))).convert("RGB")
        small = image.resize((224, 224), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.asarray(small, dtype=np.float32)).permute(2, 0, 1)[None] / 255
        with torch.no_grad():
            probabilities = torch.softmax(network((pixels - 0.5) / 0.5), 1)[0]
        best = int(probabilities.argmax())
        return {"label_name": LABELS[best], "confidence": float(probabilities[best]), "class_id": best}

    return predict


def serve(port: int) -> None:
    import uvicorn
    from fastapi import Body, FastAPI

    app = FastAPI()
    predict = scorer()

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "online"}

    @app.post("/predict")
    def answer(image_base64: str = Body(embed=True)) -> dict[str, Any]:
        return predict(image_base64)

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


def send(port: int, folder: Path) -> None:
    import httpx

    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        for path in sorted(folder.iterdir()):
            body = {"image_base64": base64.b64encode(path.read_bytes()).decode()}
            client.post("/predict", json=body).raise_for_status()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        send(int(sys.argv[2]), Path(sys.argv[3]))
