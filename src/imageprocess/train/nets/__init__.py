"""The networks, as readable objects."""

from .base import CNN_INPUT, Network, Pooled, WithHeatmap
from .blend import Blend
from .cnn import CNN
from .glance import Gaze, Glance, Look
from .peers import NPR, FerretNet, ResNet18
from .small32 import Small32

__all__ = [
    "CNN", "CNN_INPUT", "NPR", "Blend", "FerretNet", "Gaze", "Glance", "Look", "Network", "Pooled", "ResNet18",
    "Small32", "WithHeatmap",
]  # fmt: skip
