"""What computes here: the device, the number of threads, and one line that names both."""

import torch


def device() -> str:
    """The fastest kind of device here: `"cuda"`, `"mps"` (Apple) or `"cpu"`.

    Example:
        >>> device() in ("cuda", "mps", "cpu")
        True
    """
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def machine() -> str:
    """One line about what computes here: the torch version, the device, and on a CPU the number of threads.

    Example:
        >>> machine()
        'torch ... on ...'
    """
    threads = torch.get_num_threads()
    name = {"cpu": f"CPU, {threads} thread{'s' * (threads > 1)}", "mps": "Apple GPU"}.get(device())
    return f"torch {torch.__version__.split('+')[0]} on {name or torch.cuda.get_device_name()}"
