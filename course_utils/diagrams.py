"""Diagrams drawn from the numbers that they explain. All functions show a figure and return None."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.patches import Rectangle

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


def arithmetic(rows, *, title):
    """A computation as one writes it on paper: small arrays of numbers, with signs between them.

    Numbers stand there to three decimals. All cells have one size and one scale of colours: red is positive, blue
    negative.

    Args:
        rows: the lines. Each is a list of signs, such as "→", and arrays: (name, H×W tensor or single number), or
            (name, H×W tensor, (row, column, height, width)) with a frame around that part.

    Raises:
        ValueError: a line without an array, or an array with more than two axes.
    """
    cell, letter, name_height = 0.5, 0.085, 0.4  # inches
    rows = [[i if isinstance(i, str) else (i[0], _at_most_2d(*i[:2]), *i[2:]) for i in row] for row in rows]
    arrays = [[item[1] for item in row if not isinstance(item, str)] for row in rows]
    if not all(arrays):
        raise ValueError("Each line must hold at least one array, as (name, tensor); got only signs.")
    limit = max(array.abs().max().item() for row in arrays for array in row)
    heights = [cell * max(len(array) for array in row) + name_height for row in arrays]

    def width(item):
        if isinstance(item, str):
            return letter * len(item) + 0.25
        return max(letter * len(item[0]), cell * item[1].shape[1])

    size = np.array([max(sum(map(width, row)) for row in rows), sum(heights) + 0.3])
    figure = plt.figure(figsize=size, layout="none")
    top = sum(heights)
    for row, height in zip(rows, heights, strict=True):
        left, middle = 0, top - name_height - (height - name_height) / 2
        for item in row:
            centre = np.array([left + width(item) / 2, middle])
            left += width(item)
            if isinstance(item, str):
                figure.text(*centre / size, item, ha="center", va="center", fontsize=12)
                continue
            name, array, *frames = item
            sides = cell * np.array(array.shape[::-1])
            axes = figure.add_axes((*(centre - sides / 2) / size, *sides / size))
            draw_picture(axes, array.round(decimals=3), signed=True, numbers=True, limit=limit)
            axes.set_title(name, loc="center", fontsize=10)
            for frame in frames:
                _frame(axes, *frame)
        top -= height
    show_figure(figure, title)


def _at_most_2d(name, array):
    """array as an H×W tensor; one number becomes 1×1."""
    array = torch.atleast_2d(torch.as_tensor(array).detach())
    if array.ndim > 2:
        raise ValueError(f"{name!r} must be one number or a tensor, H×W; got shape {tuple(array.shape)}.")
    return array
