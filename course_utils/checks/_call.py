"""A student's function as a checker calls it, and the surroundings in which it is judged."""

import dis
import inspect
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from ._answers import ENOUGH, GaveNothing, Refused


class Called:
    """The student's function. It must give something back, leave alone what it is given, and not call `without`.

    An exception that the function raises is kept as `error`: so it can be told from one of the checker's own.
    """

    def __init__(self, function: Callable[..., Any], *, without: Sequence[str] = (), changes: bool = False):
        self.function, self.without, self.changes = function, without, changes
        self.error: BaseException | None = None

    def __call__(self, *given: object, **named: object) -> Any:
        everything = [*given, *named.values()]
        before = [_state(value, self.changes) for value in everything]
        try:
            with _Forbidden(self.without), torch.set_grad_enabled(torch.is_grad_enabled()):  # put back afterwards
                result = self.function(*given, **named)
                if isinstance(result, Iterator):  # what runs only now
                    result = list(islice(result, ENOUGH))
        except (Exception, SystemExit) as error:
            self.error = error
            raise
        for k, (value, state) in enumerate(zip(everything, before, strict=True)):
            if _state(value, self.changes) != state:
                finding = f"your function has changed numbers of {_name(self.function, k)}, which it was given"
                hint = "Make new ones and leave those alone: the caller needs them. `-=`, `x[…] =` and `sort()` write."
                raise Refused(finding, hint=hint)
        if result is None or result is ...:
            plain = [value for value in everything if hasattr(value, "shape") or isinstance(value, int | float)]
            raise GaveNothing(self.function, plain)
        return result


def is_stub(function: Any) -> bool:
    """Whether a function's body is still the dots, or nothing."""
    function = inspect.unwrap(getattr(function, "func", function))  # of a functools.partial
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    if code is None:
        return False
    plain = ("RESUME", "NOP", "COPY_FREE_VARS", "MAKE_CELL", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE", "POP_TOP")
    parts = list(dis.get_instructions(code))
    constants = [part.argval for part in parts if part.opname in ("LOAD_CONST", "RETURN_CONST")]
    return all(part.opname in plain for part in parts) and all(value in (None, ...) for value in constants)


@contextmanager
def plain_surroundings(answer: object) -> Iterator[None]:
    """Float32, gradients on, the CPU, generators at their beginning; afterwards the student's own, as they were.

    A network that is judged keeps its modes and its numbers.
    """
    parts = answer if isinstance(answer, tuple | list) else [answer]
    module = nn.ModuleList(part for part in parts if isinstance(part, nn.Module))
    modes = {each: each.training for each in module.modules()}
    numbers = {name: value.clone() for name, value in module.state_dict().items() if not is_lazy(value)}
    python, array, dtype = random.getstate(), np.random.get_state(), torch.get_default_dtype()
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices), torch.inference_mode(False), torch.enable_grad(), torch.device("cpu"):
            torch.set_default_dtype(torch.float32)
            torch.default_generator.manual_seed(0)
            random.seed(0)
            np.random.seed(0)
            yield
    finally:
        torch.set_default_dtype(dtype)
        random.setstate(python)
        np.random.set_state(array)
        for each, training in modes.items():
            each.training = training
        with torch.no_grad():
            for name, value in module.state_dict().items():
                if name in numbers and not torch.equal(value, numbers[name]):
                    value.copy_(numbers[name])


class _Forbidden(TorchFunctionMode):
    """Refuses PyTorch's functions of these names, wherever they are called from."""

    def __init__(self, names: Sequence[str]):
        super().__init__()
        self.names = names

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(function, "__name__", "").split(".")[0]  # of torch.ops: "conv2d.default"
        if name in self.names:
            raise Refused(f"your function calls PyTorch's {name}", hint="Do its work yourself: that is the exercise.")
        return function(*args, **(kwargs or {}))


def _name(function: Any, position: int) -> str:
    """What the function calls its argument at this position."""
    try:
        return list(inspect.signature(function).parameters)[position]
    except (TypeError, ValueError, IndexError):
        return f"argument {position + 1}"


def _state(value: Any, changes: bool) -> Any:
    """What can be compared with the same thing later: the numbers of tensors, arrays and lists, and of networks and
    dictionaries, unless these may change."""
    if isinstance(value, Tensor):
        return value.dtype, _state(value.detach().to("cpu", torch.float64).to_dense().numpy(), changes)
    if isinstance(value, np.ndarray):
        return value.shape, value.tobytes()
    if isinstance(value, nn.Module):
        return _state(dict(value.state_dict()), changes)
    if isinstance(value, dict):
        return None if changes else [(key, _state(part, changes)) for key, part in value.items()]
    if isinstance(value, list | tuple):
        return [_state(part, changes) for part in value]
    return value if isinstance(value, int | float | str) else None
