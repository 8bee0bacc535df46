"""The twelve-parameter network of lesson 4 and its training, for the checker of exercise 4.6."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

PICTURES = torch.tensor(
    [[[1, 2, 3, 4], [2, 3, 4, 5], [5, 6, 7, 8], [1, 3, 4, 5]],
     [[-1, 2, 3, -4], [2, -3, 4, 5], [-5, 6, -7, 8], [-1, -3, -4, -5]]], dtype=torch.float64
)[:, None] / 8  # fmt: skip


def fresh(seed: int) -> nn.Sequential:
    """The lesson's network, as a seed makes it."""
    torch.manual_seed(seed)
    front = (nn.Conv2d(1, 1, kernel_size=3), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten())
    return nn.Sequential(*front, nn.Linear(1, 1), nn.Sigmoid()).double()


def train(models: Sequence[nn.Sequential], epochs: int) -> tuple[Tensor, Tensor, Tensor]:
    """Train the models as the lesson does. Which are silent on both pictures, before and after; their last losses."""
    weights, _ = stack_module_state(models)
    optimizer = torch.optim.Adam(weights.values(), lr=0.01)
    labels = torch.tensor([0.0, 1.0], dtype=torch.float64)

    def logits(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(models[0][:-1], weights, x).flatten()

    def silent() -> Tensor:
        front = {name: weights[name].detach() for name in ("0.weight", "0.bias")}
        pooled = vmap(lambda one: functional_call(models[0][:2], one, PICTURES))(front)
        return (pooled.flatten(1) <= 0).all(1)

    def losses(picture: int) -> Tensor:
        x, t = PICTURES[picture, None], labels[picture].expand(len(models), 1)
        return F.binary_cross_entropy_with_logits(vmap(logits, (0, None))(weights, x), t, reduction="none")[:, 0]

    born = silent()
    for step in range(2 * epochs):
        optimizer.zero_grad()
        losses(step % 2).sum().backward()
        optimizer.step()
    return born, silent(), (losses(0) + losses(1)).detach() / 2
