"""A small builder of ONNX graphs: one call per node; arrays become initializers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .requirements import require_onnx

OPSET = 18
IR_VERSION = 9  # supported by onnxruntime >= 1.20 and onnxruntime-web
CONTRIB = "com.microsoft"  # ONNX Runtime's own operators, in its WASM build as well

Value = str | NDArray[Any] | np.generic


class GraphBuilder:
    """Collects nodes and initializers; values are referred to by name."""

    def __init__(self, prefix: str = "") -> None:
        """`prefix` of all names, so that two builders can be used for one graph."""
        self._onnx = require_onnx()
        self._prefix = prefix
        self._count = 0
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.functions: list[Any] = []  # of a graph that was merged in
        self.imports = {"": OPSET, CONTRIB: 1}  # operator set by domain

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        name = self._name()
        array = np.ascontiguousarray(value) if np.ndim(value) else np.asarray(value)
        self.initializers.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, *inputs: Value, domain: str = "", **attributes: Any) -> str:
        """Append a node with one output, and return the output's name. Arrays among the inputs become constants."""
        return self.add_many(operator, 1, *inputs, domain=domain, **attributes)[0]

    def add_many(
        self, operator: str, outputs: int, *inputs: Value, domain: str = "", **attributes: Any
    ) -> list[str]:
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        results = [self._name() for _ in range(outputs)]
        node = self._onnx.helper.make_node(operator, names, results, domain=domain, **attributes)
        self.nodes.append(node)
        return results

    def rename(self, value: str, name: str) -> None:
        """Give `value` a public name."""
        self.nodes.append(self._onnx.helper.make_node("Identity", [value], [name]))

    def model(self, name: str, inputs: dict[str, list[Any]], outputs: dict[str, list[Any]]) -> Any:
        """The ModelProto. `inputs` and `outputs`: name -> shape; all are float32."""
        helper, kind = self._onnx.helper, self._onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(key, kind, shape) for key, shape in inputs.items()],
            [helper.make_tensor_value_info(key, kind, shape) for key, shape in outputs.items()],
            self.initializers,
        )
        return helper.make_model(
            graph,
            producer_name="imageprocess",
            opset_imports=[helper.make_opsetid(*item) for item in self.imports.items()],
            functions=self.functions,
            ir_version=IR_VERSION,
        )

    def _name(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count}"
