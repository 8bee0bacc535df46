"""A device that refuses float64, as Apple's does, played by the CPU: so that lessons can be tested on one.

`start()` makes `course_utils.device()` name it. What is moved there is a tensor of its own kind: it can't be mixed with
tensors of the CPU, becomes no array before it is brought back, and is never float64.
"""

from contextlib import nullcontext

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

NAME = "lazy"  # a kind of device that torch knows and that nobody has
MAY_MIX = ("copy_", "_to_copy", "index", "index_put", "index_put_", "_index_put_impl_", "set_data", "lift_fresh")


class OnDevice(torch.Tensor):
    """A tensor on the stand-in device; `inner` holds its numbers."""

    @staticmethod
    def __new__(cls, inner):
        made = torch.Tensor._make_wrapper_subclass(
            cls, inner.size(), strides=inner.stride(), dtype=inner.dtype, device=NAME
        )
        made.inner = inner
        return made

    def __tensor_flatten__(self):  # tells torch to exchange the parameters of a network that moves
        return ["inner"], None

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return _run(function, args, kwargs or {})

    def __repr__(self):
        return f"OnDevice({self.inner})"

    def __reduce_ex__(self, protocol):  # a file holds the numbers
        return self.inner.__reduce_ex__(protocol)

    def __deepcopy__(self, memo):
        copied = OnDevice(self.inner.clone()).requires_grad_(self.requires_grad)
        if isinstance(self, torch.nn.Parameter):
            copied = torch.nn.Parameter(copied, requires_grad=self.requires_grad)
        memo[id(self)] = copied
        return copied

    def tolist(self):
        return self.inner.tolist()

    def numpy(self, **_):
        raise TypeError("can't convert a tensor of this device to numpy. Use Tensor.cpu() first.")

    def __array__(self, *_):
        return self.numpy()


def _inner(value):
    return value.inner if isinstance(value, OnDevice) else value


def _run(function, args, kwargs):
    """Run one of torch's operations on the CPU; its results lie where those of a device would."""
    leaves = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    there = [leaf for leaf in leaves if isinstance(leaf, OnDevice)]
    name = function._schema.name.split("::")[1]
    if there and name not in MAY_MIX and any(leaf.ndim for leaf in leaves if not isinstance(leaf, OnDevice)):
        raise RuntimeError(f"Expected all tensors to be on the same device, but {name} got tensors of two devices")
    to_device = bool(there)
    if (asked := kwargs.get("device")) is not None:
        to_device = torch.device(asked).type == NAME
        kwargs = kwargs | ({"device": torch.device("cpu")} if to_device else {})
    result = function(*tree_map(_inner, args), **tree_map(_inner, kwargs))
    known = {id(leaf.inner): leaf for leaf in there}  # what an operation in place gives back

    def outer(value):
        if not isinstance(value, torch.Tensor) or not to_device or value.device.type == "meta":
            return value
        if value.dtype == torch.float64:
            raise TypeError("Cannot convert a tensor to float64: this device does not support it. Use float32 instead.")
        return known[id(value)] if id(value) in known else OnDevice(value)

    return tree_map(outer, result)


class Mode(TorchDispatchMode):
    """Sees also what begins on the CPU and moves to the device."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return _run(function, args, kwargs or {})


def _on_the_cpu_first(make):
    """One of torch's functions that fill a new tensor below Python: make it on the CPU, and bring it there."""

    def made(*args, device=None, **kwargs):
        like = args[0] if make.__name__ == "new_tensor" else None
        place = like.device if device is None and like is not None else device
        if place is None or torch.device(place).type != NAME:
            return make(*args, device=place, **kwargs)
        return make(*map(_inner, args), device="cpu", **kwargs).to(NAME)

    return made


def start():
    """From now on, in this process, the stand-in is the fastest device."""
    torch.inference_mode = lambda mode=True: torch.no_grad() if mode else nullcontext()  # wrappers know no inference
    for home, name in ((torch, "tensor"), (torch, "as_tensor"), (torch.Tensor, "new_tensor")):
        setattr(home, name, _on_the_cpu_first(getattr(home, name)))
    import course_utils
    from course_utils import _machine, runtime

    for module in (_machine, runtime, course_utils):
        module.device, module.machine = lambda: NAME, lambda: "a stand-in device"
    Mode().__enter__()
