"""What `augment` is made of: pixels moved, resampled and recoloured, each image by its own numbers, N of them.

Nothing is checked here. Images x are N×C×H×W; each answer is a new batch of the same shape, dtype and memory format.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

PADDING = {"constant": "zeros", "edge": "border", "reflect": "reflection"}  # torchvision's names: those of grid_sample


def copy(x: Tensor, flip: Tensor, dy: Tensor, dx: Tensor, padding_mode: str) -> Tensor:
    """Mirror and shift in one copy: each pixel is looked up where it comes from."""
    _, channels, height, width = x.shape
    rows = torch.arange(height, device=x.device) - dy[:, None]  # N×H
    columns = torch.arange(width, device=x.device) - dx[:, None]  # N×W
    columns = torch.where(flip[:, None], width - 1 - columns, columns)
    if padding_mode == "constant":
        source = F.pad(x, (1, 1, 1, 1))  # one ring of zeros, which stands for all that lies outside
        rows, columns = rows.clamp(-1, height) + 1, columns.clamp(-1, width) + 1
    elif padding_mode == "edge":
        source, rows, columns = x, rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    else:
        source, rows, columns = x, _reflect(rows, height), _reflect(columns, width)
    places = (rows[:, :, None] * source.shape[3] + columns[:, None, :]).flatten(1)[:, None]  # N×1×(H·W)
    return _laid_out_like(x, source.flatten(2).gather(2, places.expand(-1, channels, -1)).view(x.shape))


def _reflect(positions: Tensor, size: int) -> Tensor:
    """Positions on an axis, mirrored at its first and last pixel until they lie between these."""
    there_and_back = 2 * (size - 1)
    positions = positions.remainder(max(there_and_back, 1))
    return torch.minimum(positions, there_and_back - positions)


def find_sources(flip: Tensor, dy: Tensor, dx: Tensor, angle: Tensor, factor: Tensor) -> Tensor:
    """Where pixels come from: N matrices 2×3 that take a place (x, y, 1), in pixels from the centre, to its source.

    They undo the shift, the turn, the scaling and the mirroring, in this order.
    """
    turn, side = torch.deg2rad(angle), 1 - 2 * flip.to(angle.dtype)
    c, s = turn.cos() / factor, turn.sin() / factor
    return torch.stack([side * c, -side * s, side * (s * dy - c * dx), s, c, -s * dx - c * dy], 1).view(-1, 2, 3)


def resample(x: Tensor, sources: Tensor, padding_mode: str) -> Tensor:
    """Give each pixel the colour found at its source, bilinear."""
    height, width = x.shape[2:]
    reflect = padding_mode == "reflect"  # then −1 and 1 in `grid` are the centres of the outermost pixels, else edges
    half = x.new_tensor([max(size - reflect, 1) / 2 for size in (width, height)])
    sources = sources.to(x.dtype) / half[:, None]
    rows, columns = (torch.arange(size, dtype=x.dtype, device=x.device) - (size - 1) / 2 for size in (height, width))
    by_row = sources[:, :, 1:2] * rows + sources[:, :, 2:]  # N×2×H
    by_column = sources[:, :, :1] * columns  # N×2×W
    grid = by_row[:, :, :, None] + by_column[:, :, None, :]  # N×2×H×W; F.affine_grid computes the same far more slowly
    grid = grid.permute(0, 2, 3, 1)
    return _laid_out_like(x, F.grid_sample(x, grid, padding_mode=PADDING[padding_mode], align_corners=reflect))


def hue_matrices(hue_factor: Tensor) -> Tensor:
    """Rotations about the grey axis, N×3×3."""
    turn = 2 * math.pi * hue_factor[:, None, None]
    axis = turn.new_tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    return turn.cos() * torch.eye(3).to(axis) + (1 - turn.cos()) / 3 + turn.sin() * axis


def recolour(x: Tensor, matrices: Tensor) -> Tensor:
    """Multiply the red, green and blue of each pixel by the matrix of its image, N×3×3. Raises: ValueError."""
    if x.shape[1] != 3:
        raise ValueError(f"x must have three channels, N×3×H×W; got shape {tuple(x.shape)}.")
    return _laid_out_like(x, (matrices.to(x.dtype) @ x.flatten(2)).view(x.shape))


def brighten(x: Tensor, factor: Tensor) -> Tensor:
    """Multiply all pixels of an image by its factor."""
    return x * factor.to(x.dtype)[:, None, None, None]


def paint(x: Tensor, top: Tensor, left: Tensor, bottom: Tensor, right: Tensor, value: float) -> Tensor:
    """Fill the rectangle of each image, rows top … bottom − 1 and columns left … right − 1, with one value."""
    rows, columns = (torch.arange(size, device=x.device) for size in x.shape[2:])
    rows = (rows >= top[:, None]) & (rows < bottom[:, None])
    columns = (columns >= left[:, None]) & (columns < right[:, None])
    inside = (rows[:, None, :, None] & columns[:, None, None, :]).to(x.dtype)  # multiplying is faster than choosing
    return x * (1 - inside) + value * inside


def _laid_out_like(x: Tensor, result: Tensor) -> Tensor:
    last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return result.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
