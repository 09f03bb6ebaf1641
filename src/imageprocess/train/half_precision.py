"""An ONNX graph with its large weights in half precision: half the file, and the same arithmetic."""

from __future__ import annotations

import numpy as np
import onnx

_WORTH_HALVING = 1024  # values


def halve_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Large weights as float16 behind a Cast, which ONNX Runtime folds away when it loads the graph: it computes in
    float32."""
    graph = model.graph
    casts = []
    for weight in graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < _WORTH_HALVING:
            continue
        name, half = weight.name, f"{weight.name}_half"
        weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(onnx.helper.make_node("Cast", [half], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model
