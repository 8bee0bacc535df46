"""Every exercise of lesson 2: its solution is right, a stub is unattempted, typical mistakes get the hint they need."""

import torch
import torch.nn.functional as F

from tests.checks.checkers import Checkers


def slid(image, kernel, **options):
    return F.conv2d(image[None, None], kernel[None, None], **options)[0, 0]


def ones(image):
    return torch.ones(1, 1, 3, 3, dtype=image.dtype)


def for_square_images(image, g, stride):
    padded = g.new_zeros(g.shape[0], g.shape[0])  # as many columns as rows
    padded[:, : g.shape[1]] = g[:, : g.shape[0]]
    return gradient(image, padded, stride)


def gradient(image, g, stride, turned=False):
    gaps = g.new_zeros(stride * (g.shape[0] - 1) + 1, stride * (g.shape[1] - 1) + 1)
    gaps[::stride, ::stride] = g
    answer = slid(image, gaps)
    return answer.flip(0, 1) if turned else answer


RIGHT = {
    "2.1": [[0, 1], [8, 0]],
    "2.2": lambda image, kernel: slid(image, kernel.flip(0, 1)),
    "2.3": (600, 608),
    "2.4": torch.tensor([[-1.0, 0, 1]] * 3) / 3,
    "2.5": lambda image: F.conv2d(image * torch.arange(image.shape[3]), ones(image), padding=1),
    "2.6": gradient,
    "2.7": (1, 1, 1, -2),
}
WRONG = [
    ("2.1", [[-1, 3], [2, 6]], "Multiply pairs"),
    ("2.1", [[5, -2], [2, -1]], "then add all four"),  # a matrix product
    ("2.1", [[4, 1], [2, 6]], "Slide it as it is"),  # the kernel turned
    ("2.1", [0, 1, 8, 0], "two places along each axis"),
    ("2.2", slid, "turned before it slides"),
    ("2.2", lambda image, kernel: slid(image, kernel.flip(1)), "rows and columns"),
    ("2.2", lambda image, kernel: slid(image, kernel.flip(0, 1), padding=1), "4×6"),
    ("2.2", lambda image, kernel: 2 * slid(image, kernel.flip(0, 1)), "impulse"),
    ("2.3", (200, 208), "one kernel for each of the 3 channels"),
    ("2.3", (600, 624), "not one a channel"),
    ("2.3", (600, 603), "how many filters"),
    ("2.3", (608, 600), "parameters include biases"),
    ("2.3", (25, 33), "rows × columns"),
    ("2.3", 608, "two numbers"),
    ("2.4", torch.zeros(3, 3), "must it compare"),
    ("2.4", torch.tensor([[-0.333, 0, 0.333]] * 3), "do not round"),
    ("2.4", torch.tensor([[-1.0, 0, 1]] * 3), "all of it be divided"),
    ("2.4", torch.tensor([[1.0, 0, -1]] * 3) / 3, "minus"),
    ("2.4", torch.tensor([[-1.0, -1, 2]] * 3) / 3, "the column"),
    ("2.4", torch.tensor([[0.0, 0, 1]] * 3) / 3, "add up to 0"),
    ("2.4", torch.tensor([[-1.0, 0, 1]]), "three by three"),
    ("2.4", torch.ones(1, 1, 3, 3), "[0, 0]"),
    ("2.4", torch.tensor([[-1.0, -1, -1], [0, 0, 0], [1, 1, 1]]) / 3, "Each row"),
    ("2.5", lambda image: torch.arange(image.shape[3]).expand(image.shape).double(), "another picture gets the same"),
    ("2.5", lambda image: F.conv2d(F.pad(image, (1, 1, 1, 1), mode="circular"), ones(image)), "where they are"),
    ("2.5", lambda image: F.conv2d(image, ones(image), padding=1), "tell each column where it is"),
    ("2.5", lambda image: F.conv2d(image, torch.randn(1, 1, 3, 3, dtype=image.dtype), padding=1), "weights once"),
    ("2.5", lambda image: F.conv2d(image, ones(image)), "padding of 1"),
    ("2.6", lambda image, g, stride: gradient(image, g, stride, turned=True), "nothing is turned"),
    ("2.6", lambda image, g, stride: slid(image, g), "g needs gaps"),
    ("2.6", for_square_images, "K rows and K columns"),
    ("2.6", lambda image, g, stride: 2 * gradient(image, g, stride), "Sum over all places"),
    ("2.7", (1, 1, 1, 0), "two colours are not enough"),
    ("2.7", (1, 1, 1, -1.5), "two colours are not enough"),
    ("2.7", (1, -1, 0, 0), "signs of your weights"),
    ("2.7", (1, 1, 1, -3), "takes too much"),
    ("2.7", (-1, -1, -1, 1), "all three colours"),
    ("2.7", (2, 0, 0, -1), "Each of the three"),
    ("2.7", (0, 0, 0, 1), "the answer is the bias"),
    ("2.7", (1, 1, 1), "four numbers"),
]


class TestLesson02(Checkers):
    RIGHT, WRONG = RIGHT, WRONG
    FREE = ("2.5", "2.7")  # whatever tells the columns where they are; any threshold between two and three colours
