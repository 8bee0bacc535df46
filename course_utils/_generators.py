"""The random generators that a training draws from: their states, taken down and put back."""

import random

import numpy as np
import torch
from torch import nn

from ._loop import State


def generators(state: State) -> dict[str, torch.Generator]:
    """The generators that the batches draw from, by where they were found; a DataLoader has some in its samplers."""
    found = {}
    for split in ("train_batches", "valid_batches"):
        for path in ("", ".sampler", ".batch_sampler", ".batch_sampler.sampler"):
            owner = getattr(state, split)
            for name in path.split(".")[1:]:
                owner = getattr(owner, name, None)
            if isinstance(generator := getattr(owner, "generator", None), torch.Generator):
                found[f"{split}{path}.generator"] = generator
    return found


def random_state(model: nn.Module) -> dict:
    """The states of the global random generators of Python, NumPy, the CPU and the model's device, as plain values."""
    name, keys, *rest = np.random.get_state()
    state = {"python": random.getstate(), "numpy": (name, keys.tolist(), *rest), "cpu": torch.get_rng_state()}
    if device := _accelerator(model):
        state[device] = getattr(torch, device).get_rng_state()
    return state


def set_random_state(state: dict, model: nn.Module) -> None:
    """Put back what `random_state` returned; a device that it did not know keeps its own."""
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["cpu"])
    if (device := _accelerator(model)) and device in state:
        getattr(torch, device).set_rng_state(state[device])


def _accelerator(model: nn.Module) -> str | None:
    """ "cuda" or "mps" if the model is there, else None."""
    kinds = {parameter.device.type for parameter in model.parameters()}
    return next(iter(kinds & {"cuda", "mps"}), None)
