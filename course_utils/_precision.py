"""bfloat16 on a CPU: a forward pass that computes in it, and whether that is faster here."""

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from . import _generators
from ._loop import State

NATIVE = ("avx512_bf16", "amx_bf16")  # what `torch.cpu` calls arithmetic in bfloat16


@contextmanager
def bfloat16(model: nn.Module, wanted: bool | None = True) -> Iterator[None]:
    """The model's layers compute in bfloat16 where PyTorch holds that safe. Weights and answers stay in float32."""
    if not wanted:
        yield
        return
    own = {"forward": model.forward} if "forward" in vars(model) else {}  # of this model, not of its class
    compute = torch.autocast("cpu", torch.bfloat16)(model.forward)
    model.forward = lambda *inputs: compute(*inputs).float()  # type: ignore[method-assign]
    try:
        yield
    finally:
        del model.forward
        vars(model).update(own)


def choose(state: State, loss_fn: Callable) -> bool:
    """Whether to train in bfloat16: as a checkpoint has it, or else as a few timed steps say. Prints which, and why."""
    lower, why = state.bfloat16, "as before"
    if lower is None:
        lower, why = _compare(state, loss_fn)
    print(f"Mixed precision: {'bfloat16' if lower else 'float32'}, {why}.")
    return lower


def _compare(state: State, loss_fn: Callable) -> tuple[bool, str]:
    """Steps of both kinds, in turns, on copies of the model: the training and its random numbers stay as they are."""
    native = any(map(torch.cpu.get_capabilities().get, NATIVE))
    if not native or any(weight.device.type != "cpu" for weight in state.model.parameters()):
        return False, "since this is no processor that computes in bfloat16"
    times: dict[bool, list[float]] = {False: [], True: []}
    drawn = {generator: generator.get_state() for generator in _generators.generators(state).values()}
    random = _generators.random_state(state.model)
    try:
        x, y = (part[:64] for part in next(iter(state.valid_batches)))
        for lower in 4 * (False, True):
            model = copy.deepcopy(state.model).train()
            with bfloat16(model, lower):
                start = time.perf_counter()
                loss_fn(model(x), y).backward()
                times[lower].append(time.perf_counter() - start)
    except Exception as problem:  # where float32 fails too, the training itself will say why
        return False, f"since the steps that were to be timed failed ({type(problem).__name__})"
    finally:
        _generators.set_random_state(random, state.model)
        for generator, before in drawn.items():
            generator.set_state(before)
    share = min(times[True]) / min(times[False])
    return share < 1, f"since a step in bfloat16 takes {share:.2f} of the time"
