"""Networks of others, against what their papers say of them."""

from __future__ import annotations

import pytest
import torch

from imageprocess.train.nets import NPR, FerretNet, ResNet18


@pytest.mark.parametrize(
    ("net", "millions"), [(NPR, 1.44), (FerretNet, 1.06), (ResNet18, 11.18)], ids=lambda value: str(value)
)
def test_they_are_as_large_as_published(net: type[NPR | FerretNet | ResNet18], millions: float) -> None:
    # ResNet-18's published 11.69 million tell 1,000 classes.
    assert sum(weight.numel() for weight in net().parameters()) / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize("net", [NPR, FerretNet, ResNet18])
def test_the_heat_maps_places_and_the_bias_are_all_there_is_to_the_odds(
    net: type[NPR | FerretNet | ResNet18],
) -> None:
    network = net().eval()
    pixels = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits, heatmap = network.explained(pixels)
        torch.testing.assert_close(logits, network(pixels))
    bias = network.classifier[1].bias
    torch.testing.assert_close(
        heatmap.sum((1, 2)) + bias[0] - bias[1], logits[:, 0] - logits[:, 1], atol=1e-5, rtol=1e-3
    )


def test_npr_sees_what_a_pixel_has_beyond_the_first_of_its_four() -> None:
    pixels = torch.tensor([[1.0, 2.0, 5.0, 5.0], [3.0, 4.0, 6.0, 5.0]]).expand(1, 3, 2, 4)
    expected = torch.tensor([[0.0, 1.0, 0.0, 0.0], [2.0, 3.0, 1.0, 0.0]])
    assert torch.equal(NPR().front(pixels)[0, 0], expected)


def test_ferretnet_sees_how_far_a_pixel_is_from_its_neighbours_median() -> None:
    pixels = torch.arange(9.0).reshape(1, 1, 3, 3).repeat(1, 3, 1, 1)
    pixels[:, :, 1, 1] = 100  # of its own value the median knows nothing
    seen = FerretNet().front(pixels)
    assert seen[0, 0, 1, 1] == 100 - 3  # 0 1 2 3 | 5 6 7 8: the lower of the middle two
    assert seen[0, 0, 0, 0] == 0  # its neighbours are 1, 3, 100 and five times black
