"""The twelve-parameter network of lesson 4 and its training, for the checker of exercise 4.6."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PICTURES = torch.tensor(
    [[[1, 2, 3, 4], [2, 3, 4, 5], [5, 6, 7, 8], [1, 3, 4, 5]],
     [[-1, 2, 3, -4], [2, -3, 4, 5], [-5, 6, -7, 8], [-1, -3, -4, -5]]], dtype=torch.float64, device="cpu"
)[:, None] / 8  # fmt: skip
WINDOWS = F.unfold(PICTURES, kernel_size=3)  # 2×9×4: a picture's four windows as columns


def fresh(seed: int) -> nn.Sequential:
    """The lesson's network, as a seed makes it."""
    torch.default_generator.manual_seed(seed)
    front = (nn.Conv2d(1, 1, kernel_size=3), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten())
    return nn.Sequential(*front, nn.Linear(1, 1), nn.Sigmoid()).double()


def numbers_of(model: nn.Module) -> Tensor:
    """A copy of its twelve numbers: nine of the kernel, the bias, the last weight, the last bias."""
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def _pooled(numbers: Tensor) -> Tensor:
    """What M networks, a row of numbers each, hand to their ReLU: M×2, for both pictures."""
    return (numbers[:, :9] @ WINDOWS + numbers[:, 9, None]).max(2).values.T


def silent(numbers: Tensor) -> Tensor:
    """Which of the networks are silent on both pictures."""
    return (_pooled(numbers) <= 0).all(1)


def train(numbers: Tensor, epochs: int) -> tuple[Tensor, Tensor]:
    """Train M networks side by side, as the lesson does. Their last numbers, M×12, and losses."""
    numbers = numbers.clone().requires_grad_()
    optimizer = torch.optim.Adam([numbers], lr=0.01, fused=True)  # each number by itself
    labels = torch.tensor([0.0, 1.0], dtype=torch.float64).expand(len(numbers), 2)

    def losses() -> Tensor:
        z = numbers[:, 10, None] * _pooled(numbers).relu() + numbers[:, 11, None]
        return F.binary_cross_entropy_with_logits(z, labels, reduction="none")

    for step in range(2 * epochs):
        optimizer.zero_grad()
        losses()[:, step % 2].sum().backward()
        optimizer.step()
    return numbers.detach(), losses().detach().mean(1)
