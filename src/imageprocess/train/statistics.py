"""What a picture's texture and colours look like as numbers: a fixed front end, nothing in it is learnt.

A generator's picture is smooth where a camera's is noisy, its edges go on across scales otherwise, its colours keep
other company. Such statistics need no training, so a few thousand pictures are enough to learn from them (`forest`),
where a network that has to find its own filters needs millions. The filters are the discrete cosine basis of a 4 x 4
block, on luma and on both chromas, over four scales; the statistics are those of Portilla and Simoncelli's texture
model (2000): marginal moments, and the covariance of the filters' magnitudes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

_BLOCK = 4  # pixels, a filter's side
_CHROMA_ORDER = 2  # of the basis on chroma: i + j at most; finer chroma does not survive 4:2:0
_SCALES = 4  # 224, 112, 56, 28 pixels
_STRIDED_SCALES = (
    2  # the first ones are sampled at every other place: as good a mean at a quarter of the cost
)
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as JPEG has it
_BLUE = (-0.1687, -0.3313, 0.5)
_RED = (0.5, -0.4187, -0.0813)
_FLOOR = 2e-3  # half a grey level: below it there is nothing but rounding
_QUANTILES = (0, 4, 10, 20, 49, 98, 147, 176, 186, 192, 195)  # places among the 196 blocks, by energy
_GRID = 1024  # steps a unit; the statistics differ between pictures by tenths
_LAYOUT_FILTERS = (0, 3, 4)  # horizontal, vertical and diagonal detail of the lowest order


def cosine_basis(side: int) -> tuple[Tensor, list[tuple[int, int]]]:
    """-> (side^2 - 1, side, side) orthonormal filters without the constant one, and each one's orders (i, j)."""
    place = torch.arange(side).float()
    basis = torch.cos(math.pi * (2 * place[None] + 1) * place[:, None] / (2 * side)) * math.sqrt(2 / side)
    basis[0] /= math.sqrt(2)
    orders = [(i, j) for i in range(side) for j in range(side)][1:]
    return torch.stack([torch.outer(basis[i], basis[j]) for i, j in orders]), orders


class Statistics(nn.Module):
    """(N, 3, 224, 224) in 0 to 1 -> (N, COUNT) float32."""

    COUNT = 1966
    VERSION = 2  # of what they are; 2: told to 1/1024

    colours: Tensor
    filters: Tensor
    pairs: Tensor

    def __init__(self) -> None:
        super().__init__()
        basis, orders = cosine_basis(_BLOCK)
        low = basis[[i + j <= _CHROMA_ORDER for i, j in orders]]
        self.luma_filters = len(basis)
        colours = torch.tensor([_LUMA, _BLUE, _RED])
        banks = zip(colours, (basis, low, low), strict=True)
        # One convolution on RGB does the change of colour space and the filters at once.
        filters = torch.cat([colour[None, :, None, None] * bank[:, None] for colour, bank in banks])
        self.register_buffer("colours", colours[:, :, None, None])  # (3, 3, 1, 1)
        self.register_buffer("filters", filters)  # (25, 3, 4, 4)
        self.register_buffer("pairs", torch.triu_indices(len(filters), len(filters)))

    def forward(self, pixels: Tensor) -> Tensor:
        found: list[Tensor] = []
        scaled = pixels
        for scale in range(_SCALES):
            found += self._texture(scaled, scale)
            scaled = functional.avg_pool2d(scaled, 2)
        exact = torch.cat([*found, *self._colour(pixels)], dim=1)
        # One runtime's last digits are not another's, and a flat picture's statistics all lie on the same few values,
        # which a tree's threshold may cut in the middle of those digits.
        return torch.round(exact * _GRID) / _GRID

    def _texture(self, pixels: Tensor, scale: int) -> list[Tensor]:
        response = functional.conv2d(
            pixels, self.filters, stride=2 if scale < _STRIDED_SCALES else 1
        )  # (N, 25, h, w)
        magnitude = response.abs()
        energy = torch.log(magnitude + _FLOOR)
        power = response.square().mean((2, 3))
        luma = response[:, : self.luma_filters]
        skewness = (luma * luma.square()).mean((2, 3)) / (power[:, : self.luma_filters] + _FLOOR**2).pow(1.5)
        moments = [
            energy.mean((2, 3)),
            0.5 * torch.log(power + _FLOOR**2),
            torch.log(magnitude.mean((2, 3)) + _FLOOR),
            skewness,
        ]
        if scale < _SCALES - 1:
            energy = functional.avg_pool2d(energy, 2)
        centred = energy.flatten(2)
        centred = centred - centred.mean(2, keepdim=True)  # (N, 25, places)
        covariance = centred @ centred.transpose(1, 2) / centred.shape[2]
        found = [*moments, covariance[:, self.pairs[0], self.pairs[1]]]
        if scale in (1, 2):
            found.append(_cells(energy[:, list(_LAYOUT_FILTERS)], 4).flatten(1))
        if scale < _SCALES - 1:
            found.append(self._spread(energy))
        return found

    def _spread(self, energy: Tensor) -> Tensor:
        """How detail is spread over the picture: quantiles over 14 x 14 blocks, luma and chroma."""
        both = [energy[:, : self.luma_filters].mean(1), energy[:, self.luma_filters :].mean(1)]
        blocks = _cells(torch.stack(both, 1), 14).flatten(2)  # (N, 2, 196)
        return torch.sort(blocks, 2)[0][:, :, list(_QUANTILES)].flatten(1)

    def _colour(self, pixels: Tensor) -> list[Tensor]:
        half = functional.avg_pool2d(pixels, 2)
        luma, blue, red = functional.conv2d(half, self.colours).unbind(1)
        most, least = half.amax(1), half.amin(1)
        bins = [(luma, 17), (most - least, 12), (least, 9), (most, 9)]
        chroma = [_memberships(plane, -0.3, 0.3, 7).flatten(2) for plane in (blue, red)]  # (N, 7, places)
        together = chroma[0] @ chroma[1].transpose(1, 2) / chroma[0].shape[2]
        layout = _cells(functional.conv2d(functional.avg_pool2d(half, 2), self.colours), 4)
        histograms = [_memberships(plane, 0.0, 1.0, count).mean((2, 3)) for plane, count in bins]
        return [*histograms, together.flatten(1), layout.flatten(1)]


def _memberships(plane: Tensor, low: float, high: float, count: int) -> Tensor:
    """(N, h, w) -> (N, count, h, w): how much each value belongs to each bin; triangles: nothing jumps."""
    width = (high - low) / (count - 1)
    # Both in bins before they meet, so that no operation but these two is done for every bin.
    centres = torch.linspace(low, high, count, device=plane.device)[None, :, None, None] / width
    return functional.relu(1 - ((plane / width)[:, None] - centres).abs())


def _cells(planes: Tensor, side: int) -> Tensor:
    """(N, C, h, w) -> (N, C, side, side), as adaptive_avg_pool2d, which is exported as hundreds of small steps where
    `side` does not divide h or w; here it is two products.
    """
    height, width = planes.shape[-2:]
    down, across = (_averages(length, side).to(planes.device) for length in (height, width))
    return down @ planes @ across.T


def _averages(length: int, cells: int) -> Tensor:
    """-> (cells, length): what each place counts for in the mean of each cell."""
    place = torch.arange(length)
    cell = torch.arange(cells)
    first, after = cell * length // cells, -(-(cell + 1) * length // cells)
    within = (place >= first[:, None]) & (place < after[:, None])
    return within / (after - first)[:, None].float()
