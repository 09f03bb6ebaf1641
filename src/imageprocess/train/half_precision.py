"""Stores the large weights of an ONNX graph in half precision, which halves the file; the arithmetic stays float32."""

from __future__ import annotations

import numpy as np
import onnx

_LEAST_VALUES = 1024  # smaller weights stay in float32


def halve_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Change `model` in place and return it: large weights become float16, followed by a Cast to float32 that ONNX
    Runtime folds when it loads the graph."""
    graph = model.graph
    casts = []
    for weight in graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < _LEAST_VALUES:
            continue
        name, half = weight.name, f"{weight.name}_half"
        weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(onnx.helper.make_node("Cast", [half], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model
