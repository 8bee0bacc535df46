"""From tensors of pixels to pictures and back, for transforms that work on single pictures."""

import numpy as np
import torch
from PIL import Image


def picture_of(x: torch.Tensor) -> Image.Image:
    """Pixels, uint8, 1×H×W or 3×H×W, as PIL has them: mode L or RGB."""
    pixels = x.cpu().permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def pixels_of(returned: object, channels: int) -> torch.Tensor:
    """What a transform returned, as a C×H×W tensor: uint8, or float32 from 0 to 1. Raises: TypeError, ValueError."""
    if isinstance(returned, Image.Image):
        pixels = np.array(returned)  # a copy, which torch may write to
        returned = torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1)
    if not isinstance(returned, torch.Tensor):
        raise TypeError(f"transform must return a picture or a tensor; got {type(returned).__name__}.")
    if returned.ndim != 3 or len(returned) != channels:
        raise ValueError(f"transform must return {channels}×H×W pixels; got shape {tuple(returned.shape)}.")
    if returned.dtype == torch.uint8:
        return returned.as_subclass(torch.Tensor)
    if not (returned.is_floating_point() and returned.min() >= 0 and returned.max() <= 1):  # NaN is neither
        seen = f"{returned.dtype} from {returned.min():.3g} to {returned.max():.3g}"
        remedy = "Is there a Normalize in it? Leave it out: as_dataset normalises."
        if returned.min() >= 0 and 100 < returned.max() <= 255:
            remedy = "Divide them by 255."
        raise ValueError(f"transform must return pixels as uint8, or floats from 0 to 1; got {seen}. {remedy}")
    return returned.as_subclass(torch.Tensor).float()
