"""The CNN, exactly as the original describes it."""

from __future__ import annotations

import torch
from torch import nn

from imageprocess.train.nets import CNN, Small32, WithHeatmap


def test_the_layers_in_order() -> None:
    layers = [repr(layer) for layer in [*CNN().features, *CNN().classifier]]
    blocks = []
    for inputs, outputs in ((3, 16), (16, 32), (32, 64), (64, 128)):
        blocks += [
            repr(nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)),
            repr(nn.ReLU()),
            repr(nn.MaxPool2d(2, 2)),
        ]
    assert layers == [
        *blocks,
        repr(nn.Flatten()),
        repr(nn.Dropout(0.5)),
        repr(nn.Linear(25088, 128)),
        repr(nn.ReLU()),
        repr(nn.Dropout(0.5)),
        repr(nn.Linear(128, 2)),
    ]


def test_the_number_of_parameters() -> None:
    assert sum(weight.numel() for weight in CNN().parameters()) == 3_309_090


def test_the_output_is_two_logits_a_picture() -> None:
    assert CNN()(torch.zeros(3, 3, 224, 224)).shape == (3, 2)


def test_the_heat_map_is_gradient_times_activation() -> None:
    """The graph's closed form against autograd's own gradient."""
    network = CNN().eval()
    pixels = torch.randn(2, 3, 224, 224)
    logits, heatmap = WithHeatmap(network)(pixels)
    maps = network.features(pixels)
    maps.retain_grad()
    again = network.classifier(maps)
    (again[:, 0] - again[:, 1]).sum().backward()
    assert maps.grad is not None
    torch.testing.assert_close(logits, again)
    torch.testing.assert_close(heatmap, (maps * maps.grad).sum(1), atol=1e-4, rtol=1e-4)


def test_cnn_inference_equals_training_output() -> None:
    torch.manual_seed(0)
    trained = CNN.to_train().eval()
    for layer in trained.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            assert not layer.weight.requires_grad  # a negative factor would turn the pooling round
            nn.init.normal_(layer.bias)
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.2, 3)
    kept = trained.in_use()
    assert type(kept) is CNN
    pixels = torch.rand(3, 3, 224, 224) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(kept(pixels), trained(pixels), atol=1e-5, rtol=1e-4)


def test_small32_takes_the_mean_of_a_picture_and_its_mirror_image_in_three_places() -> None:
    network = Small32().eval()
    assert sum(weight.numel() for weight in network.parameters()) < 1_200_000
    pixels = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(pixels, (1, 1, 1, 1), mode="reflect")
    moved = [padded[:, :, at : at + 32, at : at + 32] for at in range(3)]
    torch.testing.assert_close(moved[1], pixels)
    with torch.no_grad():
        logits, heatmap = WithHeatmap(network)(pixels)
        torch.testing.assert_close(logits, network(pixels))
        once = [network.classify(network.view_maps(view)) for one in moved for view in (one, one.flip(3))]
    torch.testing.assert_close(logits, torch.stack(once).mean(0))
    bias = network.classifier[1].bias
    # The places' shares, and the bias, are all there is to the odds.
    torch.testing.assert_close(
        heatmap.sum((1, 2)) + bias[0] - bias[1], logits[:, 0] - logits[:, 1], atol=1e-5, rtol=1e-4
    )
