"""Diagrams drawn from the numbers that they explain. All functions show a figure and return None."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.patches import Patch, Rectangle

from .plots import COLOURS, WIDTH, draw_picture, show_figure


def _frame(axes, row, column, height, width):
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), width, height, fill=False, color=COLOURS["frame"], linewidth=3))


def sliding_window(image, kernel, answer, places, *, title):
    """A strip of pictures: the kernel lies on the image at each of the places, and on the right stands its answer.

    Args:
        image: H×W tensor.
        kernel: K×L tensor.
        answer: (H−K+1)×(W−L+1) tensor, the convolution of the two.
        places: sequence of (row, column) in the answer.
    """
    (K, L), count = kernel.shape, len(places)
    figure, grid = plt.subplots(
        count, 3, figsize=(WIDTH, 1.95 * count + 0.5), width_ratios=[image.shape[1], L + 1.5, answer.shape[1]]
    )
    for k, (row, column) in enumerate(places):
        left, middle, right = np.atleast_2d(grid)[k]
        window = image[row : row + K, column : column + L]
        draw_picture(left, image, numbers=True)
        _frame(left, row, column, K, L)
        draw_picture(
            middle, window * kernel, signed=True, numbers=True, limit=float(image.max() * kernel.abs().max())
        )
        draw_picture(right, answer, signed=True, numbers=True)
        _frame(right, row, column, 1, 1)
        middle.set_xlabel(f"sum: {(window * kernel).sum():g}")
        if not k:
            for axes, name in zip((left, middle, right), ("picture", "window × kernel", "answer"), strict=True):
                axes.set_title(name, loc="center", fontsize=11)
    show_figure(figure, title)


def im2col(image, kernel, *, at, title):
    """The image, its windows as the columns of a matrix, and the kernel as a row that multiplies them.

    Args:
        image: H×W tensor.
        kernel: K×L tensor.
        at: number of the column that is framed in both.
    """
    K, L = kernel.shape
    columns = torch.nn.functional.unfold(image[None, None], (K, L))[0]
    across = image.shape[1] - L + 1
    figure, (top, bottom) = plt.subplots(2, 2, figsize=(WIDTH, 4.4), width_ratios=[1, 2.6], height_ratios=[1.25, 1])
    draw_picture(top[0], image, numbers=True)
    _frame(top[0], at // across, at % across, K, L)
    top[0].set_title("picture", loc="center", fontsize=11)
    draw_picture(top[1], columns, numbers=True)
    _frame(top[1], 0, at, K * L, 1)
    top[1].set_title("its windows, one in each column", loc="center", fontsize=11)
    draw_picture(bottom[0], kernel.reshape(1, -1), signed=True, numbers=True)
    bottom[0].set_title("kernel, as a row", loc="center", fontsize=11)
    draw_picture(bottom[1], kernel.reshape(1, -1) @ columns, signed=True, numbers=True)
    _frame(bottom[1], 0, at, 1, 1)
    bottom[1].set_title("row × matrix: all answers at once", loc="center", fontsize=11)
    show_figure(figure, title)


def architecture(model, input_shape, *, title):
    """A network as a row of blocks, one for each layer that changes the shape, with shapes and parameters from a real
    forward pass.

    Args:
        model: an `nn.Sequential`.
        input_shape: with the batch axis, such as (1, 1, 28, 28).
    """
    x = torch.zeros(input_shape)
    blocks = [("input", tuple(x.shape[1:]), 0)]
    for layer in model:
        shape, x = x.shape, layer(x)
        count = sum(parameter.numel() for parameter in layer.parameters())
        if x.shape != shape or count:
            blocks.append((type(layer).__name__, tuple(x.shape[1:]), count))
    figure, axes = plt.subplots(figsize=(WIDTH, 0.5 * len(blocks) + 0.5))
    largest = max(np.prod(shape) for _, shape, _ in blocks)
    for k, (name, shape, count) in enumerate(blocks):
        length = 0.06 + 0.94 * (np.prod(shape) / largest) ** 0.5
        axes.barh(-k, length, height=0.6, color=COLOURS["train"] if count else "#BBBBBB")
        axes.text(-0.03, -k, name, ha="right", va="center")
        axes.text(1.04, -k, " × ".join(map(str, shape)), ha="left", va="center")
        axes.text(1.62, -k, f"{count:,}" if count else "–", ha="right", va="center")
    axes.text(1.04, 0.75, "shape", ha="left", color="#666666")
    axes.text(1.62, 0.75, "parameters", ha="right", color="#666666")
    axes.set(xlim=(-0.42, 1.65), ylim=(-len(blocks) + 0.4, 1.1))
    axes.axis("off")
    show_figure(figure, title)


def sides(pictures, panels, *, title):
    """Pictures in frames that say on which side of a split they lie: one block of rows for each way to split.

    Args:
        pictures: R×n pictures, a tensor R×n×C×H×W or sequences of pictures (see `plots.draw_picture`).
        panels: {name: tensor R×n, true where a picture lies in validation}.
    """
    R, n = len(pictures), len(pictures[0])
    height = len(panels) * (R * WIDTH / n + 0.2) + 0.6
    figure, grid = plt.subplots(len(panels) * R, n, figsize=(WIDTH, height), squeeze=False)
    for block, (name, in_valid) in enumerate(panels.items()):
        for row in range(R):
            for column, axes in enumerate(grid[block * R + row]):
                draw_picture(axes, pictures[row][column])
                colour = COLOURS["valid" if in_valid[row][column] else "train"]
                for spine in axes.spines.values():
                    spine.set(color=colour, linewidth=4)
        first = grid[block * R, 0]
        first.set_title(" ", fontsize=11)  # room for the name, which is wider than a picture
        first.text(0, 1.08, name, transform=first.transAxes, fontsize=11).set_in_layout(False)
    names = {"train": "training", "valid": "validation"}
    patches = [Patch(color=COLOURS[split], label=label) for split, label in names.items()]
    figure.legend(handles=patches, loc="outside lower left", ncols=2)
    show_figure(figure, title)
