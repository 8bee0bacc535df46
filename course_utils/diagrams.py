"""Diagrams drawn from the numbers that they explain. All functions show a figure and return None."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle
from matplotlib.text import Text
from torch import Tensor, nn
from torch.autograd.graph import Node

from ._arguments import kind, one_of, shape, shown, tensor, whole
from ._figure import (
    COLOURS,
    WIDTH,
    Pictures,
    colours_of,
    draw_picture,
    groups_of,
    legend_below,
    make_panels,
    show_figure,
)


def _is_list_of(kinds: type | tuple[type, ...], value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(part, kinds) for part in value)


def im2col(image: Tensor, kernel: Tensor, *, at: int, title: str) -> None:
    """The image, its windows as the columns of a matrix, and the kernel as a row that multiplies them.

    Args:
        image: H×W tensor.
        kernel: K×L tensor.
        at: number of the column that is framed in both, from 0.

    Raises:
        TypeError, ValueError: a tensor of another shape, a kernel that does not fit, or no column of this number.

    Example:
        >>> image, kernel = torch.arange(25.0).view(5, 5), torch.tensor([[1.0, -1.0], [1.0, -1.0]])
        >>> im2col(image, kernel, at=3, title="The fourth window is the fourth column")
    """
    H, W = tensor("image", image, "H×W").shape
    K, L = tensor("kernel", kernel, "K×L").shape
    if not (0 < K <= H and 0 < L <= W):
        raise ValueError(f"kernel must fit into the image of {H}×{W}; got shape {(K, L)}.")
    columns = torch.nn.functional.unfold(image[None, None], (K, L))[0]
    at = whole("at", at, least=0, most=columns.shape[1] - 1)
    across = W - L + 1
    row = kernel.reshape(1, -1)
    figure, (top, bottom) = make_panels(2, 2, 3.8, width_ratios=[1, 2.6], height_ratios=[1.25, 1])
    draw_picture(top[0], image, name="picture", numbers=True, frame=(at // across, at % across, K, L))
    draw_picture(top[1], columns, name="its windows, one in each column", numbers=True, frame=(0, at, K * L, 1))
    draw_picture(bottom[0], row, name="kernel, as a row", signed=True, numbers=True)
    name = "row × matrix: all answers at once"
    draw_picture(bottom[1], row @ columns, name=name, signed=True, numbers=True, frame=(0, at, 1, 1))
    show_figure(figure, title)


def graph(result: Tensor, tensors: Mapping[str, Tensor], *, title: str) -> None:
    """The operations that autograd has recorded, read from `result.grad_fn`, and the gradient on each of their arrows.

    The gradients come from a backward pass of their own, which leaves every `.grad` and the graph as they are.

    Args:
        result: a tensor of one number, before its `backward()`.
        tensors: {name: tensor of one number}: all that `result` was computed from and that require a gradient, and
            what was computed on the way, if its value should be seen.

    Raises:
        TypeError: result is no tensor.
        ValueError: result has no graph, or a parameter of it has no name.

    Source: PyTorch's notes "Autograd mechanics".

    Example:
        >>> w = torch.tensor(2.0, requires_grad=True)
        >>> error = 3 * w - 1
        >>> graph(error**2, {"w": w, "error": error}, title="From w to the loss and back")
    """
    kind("result", result, torch.Tensor, "a tensor such as a loss")
    if result.grad_fn is None:
        raise ValueError(f"result must come from tensors with requires_grad=True; got {shown(result)} without a graph.")
    if not all(isinstance(one, torch.Tensor) for one in groups_of("tensors", tensors).values()):
        raise TypeError(f"tensors must be {{name: tensor}}; got {shown(tensors)}.")
    values = {one.grad_fn or id(one): (name, _number(one)) for name, one in tensors.items()}
    columns = _columns(result.grad_fn)
    leaves = {node: node.variable for node in columns if _is_leaf(node)}
    if not {id(leaf) for leaf in leaves.values()} <= values.keys():
        raise ValueError(f"tensors must name all that result was computed from; got {list(tensors)}.")
    gradients = _gradients(result, list(leaves.values()), [node for node in columns if node not in leaves])

    members = {column: [node for node in columns if columns[node] == column] for column in columns.values()}
    tallest = max(map(len, members.values()))
    figure, [[axes]] = make_panels(1, 1, 0.5 + 0.85 * tallest)
    boxes: dict[Node | None, Text] = {}
    for column, nodes in members.items():
        for k, node in enumerate(nodes):
            if node in leaves:
                text = " = ".join(values[id(leaves[node])])
            else:
                text = re.sub(r"Backward\d+$", "", node.name()) + (f"\n= {values[node][1]}" if node in values else "")
            colour = COLOURS["train" if node in leaves else "published"]
            boxes[node] = _box(axes, column, (len(nodes) - 1) / 2 - k, text, colour)
    boxes[None] = _box(axes, 1, boxes[result.grad_fn].get_position()[1], _number(result))
    arrows = [(result.grad_fn, None, torch.ones(()))]
    for node, to_inputs in gradients.items():
        arrows += [(child, node, g) for (child, _), g in zip(node.next_functions, to_inputs, strict=True) if child]
    for start, end, gradient in arrows:
        _arrow(axes, boxes[start], boxes[end], color=COLOURS["line"])
        (left, low), (right, high) = boxes[start].get_position(), boxes[end].get_position()
        x, y = (left + right) / 2 + 0.1 * (high > low), (low + high) / 2 - 0.15
        axes.text(x, y, f"← {_number(gradient)}", ha="center", va="top", color=COLOURS["frame"])
    axes.set(xlim=(min(columns.values()) - 0.4, 1.4), ylim=(0.05 - tallest / 2, tallest / 2 - 0.1))
    axes.axis("off")
    show_figure(figure, title)


def _number(one: Tensor) -> str:
    return f"{one.item():g}".replace("-", "−")


def _is_leaf(node: Node) -> bool:
    return hasattr(node, "variable")


def _columns(last: Node) -> dict[Node, int]:
    """Each node of a graph, with its column: 0 for the last, and each input to the left of what it goes into."""
    columns: dict[Node, int] = {}

    def place(node: Node, column: int) -> None:
        columns[node] = min(column, columns.get(node, 0))
        for child, _ in node.next_functions:
            if child:
                place(child, column - 1)

    place(last, 0)
    return columns


def _gradients(result: Tensor, parameters: Sequence[Tensor], nodes: Iterable[Node]) -> dict[Node, tuple]:
    """For each node, the gradients that it hands on to its inputs (None where an input asks for none)."""
    seen: dict[Node, tuple] = {}
    hooks = [node.register_hook(lambda to_inputs, _, node=node: seen.update({node: to_inputs})) for node in nodes]
    torch.autograd.grad(result, parameters, retain_graph=True)
    for hook in hooks:
        hook.remove()
    return seen


def _box(axes: Axes, x: float, y: float, text: str, colour: str = COLOURS["line"]) -> Text:
    """A framed text."""
    style = {"boxstyle": "round,pad=0.4", "facecolor": "none", "edgecolor": colour, "linewidth": 2}
    return axes.text(x, y, text, ha="center", va="center", bbox=style)


def _arrow(axes: Axes, start: Text, end: Text, **style: object) -> None:
    """An arrow between two boxes, from edge to edge."""
    style |= {"arrowstyle": "-|>", "mutation_scale": 14, "shrinkA": 3, "shrinkB": 3}
    style |= {"patchA": start.get_bbox_patch(), "patchB": end.get_bbox_patch()}
    axes.annotate("", end.get_position(), start.get_position(), arrowprops=style)


def places(settings: Sequence[Mapping[str, int]], *, title: str) -> None:
    """Every place that a kernel takes along a line of pixels, one place below the other; two panels in a row.

    White squares are pixels, grey ones padding, orange ones what the kernel reads. A cross marks a pixel that it reads
    nowhere.

    Args:
        settings: for each panel the arguments of `conv_output_size`, such as {"size": 5, "kernel_size": 3}.

    Raises:
        TypeError, ValueError: settings is no list of dicts, or holds a setting that `conv_output_size` refuses.

    Example:
        >>> places([{"size": 7, "kernel_size": 3}, {"size": 7, "kernel_size": 3, "stride": 2}], title="Five, or three")
    """
    from .shapes import conv_output_size  # the other diagrams count nothing

    if not _is_list_of(dict, settings):
        raise TypeError(f"settings must be a list of dicts, arguments of conv_output_size; got {shown(settings)}.")
    counts = [conv_output_size(**setting) for setting in settings]  # type: ignore[arg-type]
    heights = [max(counts[row : row + 2]) + 2 for row in range(0, len(counts), 2)]
    figure, grid = make_panels(len(heights), 2, 0.3 * sum(heights) + 0.4, height_ratios=heights)
    first = min(-setting.get("padding", 0) for setting in settings)
    end = max(setting["size"] + setting.get("padding", 0) for setting in settings)
    for k, axes in enumerate(grid.flat):
        axes.set(xlim=(first - 1, end + 1), ylim=(1 - heights[k // 2], 1.1))
        axes.axis("off")
        if k < len(settings):
            _line_of_places(axes, settings[k], counts[k])
    show_figure(figure, title)


def _line_of_places(axes: Axes, setting: Mapping[str, int], count: int) -> None:
    """One panel of `places`: the line of pixels at the top, and below it what the kernel reads at each place."""
    signs = {"size": "H", "kernel_size": "K", "stride": "S", "padding": "P", "dilation": "D"}
    sizes = ", ".join(f"{sign} = {setting[name]}" for name, sign in signs.items() if name in setting)
    axes.set_title(f"{sizes}  →  {count}")
    padding = setting.get("padding", 0)
    taps = np.arange(setting["kernel_size"]) * setting.get("dilation", 1) - padding
    read = np.arange(count)[:, None] * setting.get("stride", 1) + taps  # place × weight: the pixel that they meet
    for x in range(-padding, setting["size"] + padding):
        inside = 0 <= x < setting["size"]
        axes.add_patch(Rectangle((x, 0), 1, 1, facecolor="white" if inside else "#CCCCCC", edgecolor=COLOURS["line"]))
        if inside and x not in read:
            axes.plot([x + 0.2, x + 0.8, np.nan, x + 0.2, x + 0.8], [0.2, 0.8, np.nan, 0.8, 0.2], color="black")
    for (place, _), x in np.ndenumerate(read):
        axes.add_patch(Rectangle((x, -place - 1), 1, 0.75, facecolor=COLOURS["frame"], edgecolor="white"))


def who_sees_what(
    images: Mapping[str, int], panels: Mapping[str, Mapping[str, str | list[str]]], *, title: str
) -> None:
    """Which images have a say in what: a row for each job, a column for each split, and a coloured box where they meet.

    Args:
        images: {split: how many images}. A split that is a key of `COLOURS` gets that colour.
        panels: {name: {job: split, or list of splits}}, such as {"ours": {"learns": "train", "judges": "test"}}.

    Raises:
        TypeError, ValueError: images or panels is no such dict, or a job's split is none of images.

    Example:
        >>> images = {"train": 45_000, "valid": 5_000, "test": 10_000}
        >>> jobs = {"learns": "train", "chooses": "valid", "judges": "test"}
        >>> who_sees_what(images, {"ours": jobs}, title="Each split has one job")
    """
    colours, splits = colours_of(groups_of("images", images)), list(images)
    figure, [row] = make_panels(1, len(groups_of("panels", panels)), 2.2)
    for axes, (name, jobs) in zip(row, panels.items(), strict=True):
        for y, (job, split) in enumerate(groups_of(f"panels[{name!r}]", jobs).items()):
            several = split if isinstance(split, list) else [split]
            chosen = [one_of(f"a split of {job!r}", each, splits) for each in several]
            for x, each in enumerate(splits):
                colour = colours[each] if each in chosen else "none"
                axes.add_patch(Rectangle((x + 0.05, y + 0.1), 0.9, 0.8, facecolor=colour, edgecolor=COLOURS["line"]))
        axes.set(title=name, xlim=(0, len(splits)), ylim=(len(jobs), 0))
        axes.set_xticks(np.arange(len(splits)) + 0.5, [f"{split}\n{images[split]:,}" for split in splits])
        axes.set_yticks(np.arange(len(jobs)) + 0.5, list(jobs))
        axes.tick_params(length=0)
        axes.grid(False)
    show_figure(figure, title)


def architecture(model: nn.Sequential, input_shape: tuple[int, ...], *, title: str) -> None:
    """A network as a row of blocks, one for each layer that changes the shape, with shapes and parameters from a real
    forward pass.

    Args:
        model: an `nn.Sequential`.
        input_shape: with the batch axis, such as (1, 1, 28, 28).

    Raises:
        TypeError, ValueError: model is no `nn.Sequential`, or input_shape no tuple of whole numbers of at least 1.
        RuntimeError: the input does not fit the model (torch's own message).

    Example:
        >>> from course_utils.networks import lenet
        >>> architecture(lenet(), (1, 1, 28, 28), title="Most parameters lie in one layer")
    """
    kind("model", model, nn.Sequential, "an nn.Sequential")
    x = torch.zeros(shape("input_shape", input_shape))
    blocks = [("input", tuple(x.shape[1:]), 0)]
    for layer in model:
        before, x = x.shape, layer(x)
        count = sum(parameter.numel() for parameter in layer.parameters())
        if x.shape != before or count:
            blocks.append((type(layer).__name__, tuple(x.shape[1:]), count))
    figure, [[axes]] = make_panels(1, 1, 0.5 * len(blocks) + 0.5)
    largest = max(np.prod(size) for _, size, _ in blocks)
    for k, (name, size, count) in enumerate(blocks):
        length = 0.06 + 0.94 * (np.prod(size) / largest) ** 0.5
        axes.barh(-k, length, height=0.6, color=COLOURS["train"] if count else COLOURS["line"])
        axes.text(-0.03, -k, name, ha="right", va="center")
        axes.text(1.04, -k, " × ".join(f"{side:,}" for side in size), ha="left", va="center")
        axes.text(1.85, -k, f"{count:,}" if count else "–", ha="right", va="center")
    axes.text(1.04, 0.75, "shape", ha="left", color=COLOURS["line"])
    axes.text(1.85, 0.75, "parameters", ha="right", color=COLOURS["line"])
    axes.set(xlim=(-0.46, 1.88), ylim=(-len(blocks) + 0.4, 1.1))
    axes.axis("off")
    show_figure(figure, title)


def arithmetic(rows: Sequence[list], *, title: str) -> None:
    """A computation as one writes it on paper: small arrays of numbers, with signs between them.

    Numbers stand there to three decimals. All cells have one size and one scale of colours: red is positive, blue
    negative.

    Args:
        rows: the lines. Each is a list of signs, such as "→", and arrays: (name, H×W tensor or single number), or
            (name, H×W tensor, (row, column, height, width)) with a frame around that part.

    Raises:
        TypeError: rows is no list of lists.
        ValueError: a line without an array, or an array with more than two axes.

    Example:
        >>> picture, kernel = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, -1.0]])
        >>> rows = [[("picture", picture), "·", ("kernel", kernel), "=", ("answer", (picture * kernel).sum())]]
        >>> arithmetic(rows, title="One dot product")
    """
    if not _is_list_of(list, rows):
        raise TypeError(f"rows must be a list of lines, each a list of signs and arrays; got {shown(rows)}.")
    cell, letter, name_height = 0.5, 0.1, 0.4  # inches
    rows = [[i if isinstance(i, str) else (i[0], _at_most_2d(*i[:2]), *i[2:], None) for i in row] for row in rows]
    arrays = [[item[1] for item in row if not isinstance(item, str)] for row in rows]
    if not all(arrays):
        raise ValueError("Each line must hold at least one array, as (name, tensor); got only signs.")
    limit = max(array.abs().max().item() for row in arrays for array in row)
    heights = [cell * max(len(array) for array in row) + name_height for row in arrays]

    def width(item: Any) -> float:
        if isinstance(item, str):
            return letter * len(item) + 0.25
        return max(letter * len(item[0]), cell * item[1].shape[1])

    size = np.array([max(sum(map(width, row)) for row in rows) + 0.1, sum(heights) + 0.3])
    figure = plt.figure(figsize=size, layout="none")
    top = sum(heights) + 0.05
    for row, height in zip(rows, heights, strict=True):
        left, middle = 0.05, top - name_height - (height - name_height) / 2
        for item in row:
            centre = np.array([left + width(item) / 2, middle])
            left += width(item)
            if isinstance(item, str):
                figure.text(*centre / size, item, ha="center", va="center")
                continue
            name, array, frame, *_ = item
            sides = cell * np.array(array.shape[::-1])
            axes = figure.add_axes((*(centre - sides / 2) / size, *sides / size))
            draw_picture(axes, array.round(decimals=3), signed=True, numbers=True, limit=limit, name=name, frame=frame)
        top -= height
    show_figure(figure, title)


def _at_most_2d(name: str, array: Tensor | float) -> Tensor:
    """array as an H×W tensor; one number becomes 1×1."""
    array = torch.atleast_2d(torch.as_tensor(array).detach())
    if array.ndim > 2:
        raise ValueError(f"{name!r} must be one number or a tensor, H×W; got shape {tuple(array.shape)}.")
    return array


def sides(pictures: Pictures, panels: Mapping[str, Tensor], *, title: str) -> None:
    """Pictures in frames that say on which side of a split they lie: one block of rows for each way to split.

    Args:
        pictures: R×n pictures, a tensor R×n×C×H×W or sequences of pictures (see `plots.draw_picture`).
        panels: {name: tensor R×n, true where a picture lies in validation}.

    Raises:
        TypeError, ValueError: pictures are no rows of pictures, or panels no dict of such tensors.

    Example:
        >>> in_valid = torch.tensor([[True, False, False], [False, True, False]])
        >>> sides(torch.rand(2, 3, 1, 8, 8), {"at random": in_valid}, title="One in three is set aside")
    """
    if getattr(pictures, "ndim", 0) != 5 and not _is_list_of((list, tuple, torch.Tensor), pictures):
        raise TypeError(f"pictures must be rows of pictures, R×n×C×H×W; got {shown(pictures)}.")
    R, n = len(pictures), len(pictures[0])
    for name, in_valid in groups_of("panels", panels).items():
        tensor(f"panels[{name!r}]", in_valid, f"{R}×{n}")
    figure, grid = make_panels(len(panels) * R, n, len(panels) * (R * WIDTH / n + 0.2) + 0.6)
    for block, (name, in_valid) in zip(grid.reshape(-1, R, n), panels.items(), strict=True):
        for (row, column), axes in np.ndenumerate(block):
            draw_picture(axes, pictures[row][column])
            axes.spines[:].set(color=COLOURS["valid" if in_valid[row, column] else "train"], linewidth=4)
        first = block[0, 0]
        first.set_title(" ")  # room for the name, which is wider than a picture
        first.text(0, 1.08, name, transform=first.transAxes).set_in_layout(False)
    patches = [Patch(color=COLOURS["train"], label="training"), Patch(color=COLOURS["valid"], label="validation")]
    legend_below(figure, patches)
    show_figure(figure, title)
