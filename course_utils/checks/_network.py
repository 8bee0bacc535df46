"""A trained network that a student hands in: counted whole, and asked about images that it has not seen."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from course_utils.data import ImageData, batches

from ._answers import Refused, network, scores, size_of

CONSTANTS = 1_000  # so many numbers may stand in plain attributes


def count_and_accuracy(answer: Any, data: ImageData, *, limit: int) -> tuple[int, float]:
    """How many numbers a network owns, and which share of the validation images it reads, in evaluation mode.

    Refused are `limit` numbers and more, and networks whose answers come from elsewhere: from layers in a plain list,
    from kept images. So all must be silent when its numbers are 0, and mind a touch of noise no more than others do.
    """
    model = network(getattr(answer, "function", answer)).eval()
    owned = [each for _, each in (*model.named_parameters(), *model.named_buffers())]
    if (size := size_of(model)) >= limit:
        finding = f"it has {size:,} numbers in its parameters and buffers, fewer than {limit:,} are asked"
        raise Refused(finding, hint="Where do most of them sit: in a linear layer, in wide layers, in what it keeps?")
    like = next(iter(owned), torch.empty(0))  # for its device, and its type of numbers
    valid = [(x.to(like.dtype), y) for x, y in batches(data.valid, 1_000, device=like.device)]
    images, labels = valid[0]
    with torch.no_grad():
        with _Foreign([*owned, *(x for x, _ in valid)]) as used:
            logits = [scores(model, x) for x, _ in valid]
        if any(some.shape != (len(x), 10) for some, (x, _) in zip(logits, valid, strict=True)):
            finding = f"{len(images)} images give scores of shape {tuple(logits[0].shape)}"
            raise Refused(finding, hint="Ten scores for each image: N×10.")
        noisy = scores(model, images + 0.01 * torch.randn_like(images))
        with _at_zero(owned):
            silent = scores(model, images).nan_to_num()
    if used.size() > CONSTANTS:
        finding = f"it reads {used.size():,} numbers that are neither its parameters nor its buffers"
        hint = "Layers in a plain list are no part of a network, and images are not to be kept. All must count."
        raise Refused(finding, hint=hint)
    if ((silent - silent[:1]).abs() > 1e-4).any():
        hint = "Something outside of them answers. Layers belong into attributes, nn.Sequential or nn.ModuleList."
        raise Refused("with all its parameters and buffers at 0, it still tells images apart", hint=hint)
    hits, noisy_hits = (int((some.argmax(1) == labels).sum()) for some in (logits[0], noisy))
    if noisy_hits < hits - 0.1 * len(images):
        finding = f"of {len(images)} images it reads {hits}, and with a touch of noise {noisy_hits}"
        hint = "A network that has learnt what it sees does not mind. Does yours know these images by heart?"
        raise Refused(finding, hint=hint)
    right = torch.cat([some.argmax(1) == y for some, (_, y) in zip(logits, valid, strict=True)])
    return size, right.cpu().double().mean().item()


class _Foreign(TorchFunctionMode):
    """Notes the tensors that functions read, and that are neither known nor made by a function before."""

    def __init__(self, known: list[Tensor]):
        super().__init__()
        self.known, self.foreign = {id(each) for each in known}, dict[int, Tensor]()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = _tensors([args, kwargs or {}])
        self.foreign.update((id(each), each) for each in given if id(each) not in self.known)
        result = function(*args, **(kwargs or {}))
        if getattr(function, "__name__", "") not in ("tensor", "as_tensor"):  # these bring in numbers of Python's
            self.known.update(map(id, _tensors(result)))
        return result

    def size(self) -> int:
        return sum(each.numel() for each in self.foreign.values())


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return [each for part in parts for each in _tensors(part)]


@contextmanager
def _at_zero(owned: list[Tensor]) -> Iterator[None]:
    """All of a network's numbers at 0 for a while. (In place, so that a compiled network takes part.)"""
    kept = [each.clone() for each in owned]
    try:
        for each in owned:
            each.zero_()
        yield
    finally:
        for each, value in zip(owned, kept, strict=True):
            each.copy_(value)
