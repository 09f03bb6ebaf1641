"""The networks that `imageprocess train --net` trains."""

from .base import CNN_INPUT, Network, WithHeatmap
from .cnn import CNN
from .small32 import Small32

__all__ = ["CNN", "CNN_INPUT", "Network", "Small32", "WithHeatmap"]
