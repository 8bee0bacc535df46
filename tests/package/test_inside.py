"""Looking inside: hooks that go again, maps that are the layers', and explanations whose right answer is known."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.inside import feature_maps, grad_cam, occlusion
from course_utils.networks import fast_cifar_net, lenet


class Corner(nn.Module):
    """Looks at one pixel only: class 1 is likely when the pixel at row 2, column 5 is bright."""

    def forward(self, x):
        bright = 10 * x[:, 0, 2, 5]
        return torch.stack([torch.zeros_like(bright), bright], dim=1)


def hooks(model):
    return sum(len(layer._forward_hooks) for layer in model.modules())


@pytest.fixture
def x():
    return torch.randn(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def test_maps_are_what_the_layers_give_out(x):
    model = lenet().eval()
    maps = feature_maps(model, x)
    assert list(maps) == [str(k) for k in range(len(model))]
    for k in range(len(model)):
        assert torch.equal(maps[str(k)], model[: k + 1](x))


def test_maps_are_those_of_evaluation_mode_and_leave_the_modes_alone():
    model = fast_cifar_net((4, 4, 4, 4)).train()
    model[0].eval()
    modes = [layer.training for layer in model.modules()]
    images = torch.randn(2, 3, 32, 32)
    first, second = feature_maps(model, images), feature_maps(model, images)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert [layer.training for layer in model.modules()] == modes


def test_a_layer_that_works_in_place_does_not_change_the_maps_before_it(x):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True))
    maps = feature_maps(model, x)
    assert maps["0"].min() < 0 <= maps["1"].min()
    kind = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(2 * 26 * 26, 3))
    plain = nn.Sequential(kind[0], nn.ReLU(), *kind[2:])
    assert torch.equal(grad_cam(kind, kind[0], x, 1), grad_cam(plain, plain[0], x, 1))


@pytest.mark.parametrize("look", ["feature_maps", "grad_cam"])
def test_no_hook_is_left_also_after_an_error(look, x):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(3, 1))  # can't read what it gets
    with pytest.raises(RuntimeError):
        feature_maps(model, x) if look == "feature_maps" else grad_cam(model, model[0], x, 0)
    assert hooks(model) == 0
    model = lenet()
    feature_maps(model, x)
    grad_cam(model, model[4], x, 3)
    assert hooks(model) == 0


def test_what_gives_out_no_tensor_is_named(x):
    class Pair(nn.Module):
        def forward(self, x):
            return x, x

    with pytest.raises(TypeError, match="layer '0' must give out a tensor; got tuple"):
        feature_maps(nn.Sequential(Pair()), x)


def test_occlusion_finds_the_only_pixel_that_counts(x):
    image = torch.zeros(1, 1, 8, 9)
    image[0, 0, 2, 5] = 1
    falls = occlusion(Corner(), image, 1, size=3)
    assert falls.shape == (6, 7)
    full = torch.tensor([[0.0, 10.0]]).softmax(1)[0, 1] - 0.5
    rows, columns = torch.meshgrid(torch.arange(6), torch.arange(7), indexing="ij")
    covers = (rows <= 2) & (rows + 3 > 2) & (columns <= 5) & (columns + 3 > 5)
    assert torch.allclose(falls, covers * full, atol=1e-6)


@pytest.mark.parametrize(("size", "stride"), [(5, 1), (4, 3), (28, 2), (1, 9)])
def test_occlusion_is_what_loops_find(size, stride, x):
    model = lenet().eval()
    falls = occlusion(model, x, 7, size=size, stride=stride, fill=0.3)
    with torch.no_grad():
        before = model(x).softmax(1)[0, 7]
        for i in range(len(falls)):
            for j in range(falls.shape[1]):
                covered = x.clone()
                covered[:, :, i * stride : i * stride + size, j * stride : j * stride + size] = 0.3
                assert torch.allclose(falls[i, j], before - model(covered).softmax(1)[0, 7], atol=1e-6)
    assert len(falls) == (28 - size) // stride + 1


def test_occlusion_leaves_the_image_alone_and_keeps_no_gradients(x):
    before = x.clone()
    falls = occlusion(lenet(), x.requires_grad_(), 0, size=9, stride=9)
    assert torch.equal(x, before) and not falls.requires_grad


def test_grad_cam_before_a_global_average_is_the_class_activation_map(x):
    """B. Zhou et al., Learning deep features for discriminative localization: there both are one."""
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    for label in range(3):
        maps, weight = model[:2](x)[0], model[4].weight[label]
        expected = F.relu((weight[:, None, None] * maps).sum(0)) / maps[0].numel()
        assert torch.allclose(grad_cam(model, model[1], x, label), expected, atol=1e-7)


def test_grad_cam_works_without_gradients_and_with_frozen_weights(x):
    model = lenet()
    expected = grad_cam(model, model[4], x, 2)
    assert expected.shape == (10, 10) and expected.min() >= 0 and not expected.requires_grad
    with torch.no_grad():
        assert torch.equal(grad_cam(model, model[4], x, 2), expected)
    assert torch.equal(grad_cam(model.requires_grad_(False), model[4], x, 2), expected)
    assert x.grad is None and not x.requires_grad


@pytest.mark.parametrize(
    ("place", "message"), [(7, "what layer gives out must be a tensor, 1×C×H×W"), (None, "it was never asked")]
)
def test_grad_cam_refuses_what_is_no_layer_with_maps(place, message, x):
    model = lenet()
    with pytest.raises(ValueError, match=message):
        grad_cam(model, nn.ReLU() if place is None else model[place], x, 2)


@pytest.mark.parametrize("label", [-1, 10])
def test_a_label_that_is_no_class_is_named(label, x):
    model = lenet()
    for look in (lambda: grad_cam(model, model[4], x, label), lambda: occlusion(model, x, label, size=5)):
        with pytest.raises(ValueError, match=f"label must be a whole number from 0 to 9; got {label}"):
            look()


def test_a_batch_of_two_is_no_image(x):
    two = torch.cat([x, x])
    with pytest.raises(ValueError, match="x must be a tensor, 1×C×H×W; got shape"):
        occlusion(lenet(), two, 0, size=5)
