# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Reading old code
#
# *How do you read a PyTorch program that is ten years old?*
#
# Until version 0.4, which came out in 2018, PyTorch had two kinds of arrays. A tensor held numbers, and only a
# `Variable`, which was wrapped around a tensor, had a gradient. Today a tensor does both, but much of what you find
# on the web was written before then, or copied from code that was. This page translates such code. It builds on
# lesson 1, and no other lesson needs it.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("old_code")

# %%
import warnings

import torch
from IPython.display import Markdown
from torch import nn

# %% [markdown]
# ## Old words and new ones
#
# On the left are lines as they were written then, and on the right is what you would write now.

# %%
NEW = {
    "v = Variable(torch.ones(2), requires_grad=True)":
        "v = torch.ones(2, requires_grad=True)",
    "v = torch.FloatTensor([1, 2])": "v = torch.tensor([1.0, 2.0])",
    "v = torch.IntTensor([1, 2])":
        "v = torch.tensor([1, 2], dtype=torch.int32)",
    "v = torch.range(0, 4)": "v = torch.arange(0.0, 5)",
    "v = x.type(torch.DoubleTensor)": "v = x.to(torch.float64)",
    "v = loss.data[0]": "v = loss.item()",
    "v = Variable(x, volatile=True) * w": "with torch.no_grad(): v = x * w",
    "v = nn.MSELoss(size_average=False)(w, x)":
        "v = nn.MSELoss(reduction='sum')(w, x)",
    "w.data -= 0.1 * w.grad.data": "with torch.no_grad(): w -= 0.1 * w.grad",
    "w.grad.data.zero_()": "w.grad = None",
}

# %% [markdown]
# Does today's PyTorch still run the old ones, and do the new ones do the same? We run each line as text, with a
# vector x, a weight w and a loss at hand, and note what it leaves behind: `v` with its type and whether it is
# recorded, the weight, and the gradient of the weight after one more `backward()`.

# %%
def run(line):
    """How a line of code went, and what it left behind."""
    x = torch.tensor([1.0, 2.0])
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    loss = w.pow(2).sum()
    loss.backward()
    names = {"torch": torch, "nn": nn, "Variable": torch.autograd.Variable,
             "x": x, "w": w, "loss": loss, "v": 0}
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            exec(line, names)
        except Exception as problem:
            return type(problem).__name__, None
    w.pow(2).sum().backward()
    v = torch.as_tensor(names["v"])
    left = v.tolist(), v.dtype, v.requires_grad, w.tolist(), w.grad.tolist()
    return "warns" if warned else "runs", left

# %% [markdown]
# The middle column of the table says how the old line fares in this PyTorch, and whether it leaves the same behind as
# the new one.

# %%
rows = []
for old, new in NEW.items():
    (went, before), (goes, after) = run(old), run(new)
    assert goes == "runs", f"{new} {goes}"
    if before is not None:
        assert (before == after) == ("volatile" not in old), f"{old}, {new}"
        went += ", the same" if before == after else ", **not the same**"
    rows.append(f"| `{old}` | {went} | `{new}` |")
Markdown("\n".join(["| until 2018 | now | write |", "|---|---|---|", *rows]))

# %% [markdown]
# A line that raises an error is harmless, since it tells you where to look. The trap is a line that still runs. One
# is in the table: today `volatile` is ignored, and everything is recorded.
#
# ## The trap: `.data`
#
# `.data` gives you the numbers of a tensor without its record. If you change them, you do so behind autograd's back.
# An example shows what that can cost. The slope of $e^w + 5$ at w = 0 is 1, whatever is added at the end. Here the 5
# comes in through `.data`.

# %%
w = torch.tensor(0.0, requires_grad=True)
answer = w.exp()
answer.data += 5
answer.backward()
print("the slope, autograd says:", w.grad.item())

# %% [markdown]
# It says 6, without a warning. The slope of $e^w$ is $e^w$ itself, so autograd re-used the answer, which by then was
# no longer what it had been. If you change the numbers under `no_grad` instead, autograd notices and refuses.

# %%
answer = w.exp()
with torch.no_grad():
    answer += 5
try:
    answer.backward()
except RuntimeError as problem:
    print(str(problem).split(":")[0])

# %% [markdown]
# The cure is to make a new tensor, `answer = answer + 5`, which leaves the old one as it was.
#
# ## A method that nobody calls
#
# One old tutorial gives its network an empty method `backward`, and explains that this "implements autograd". To find
# out who calls it, we let it shout. The same class has another peculiarity, which is that its weights come as
# arguments.

# %%
class OldNetwork(nn.Module):
    def forward(self, x, w1, w2):
        return (x @ w1).clamp(min=0) @ w2

    def backward(self):
        raise RuntimeError("Somebody called me!")


w1 = torch.randn(1000, 100, requires_grad=True)
w2 = torch.randn(100, 10, requires_grad=True)
old = OldNetwork()
old(torch.randn(100, 1000), w1, w2).sum().backward()
print("gradient of w1:", tuple(w1.grad.shape))
print("parameters of the module:", len(list(old.parameters())))

# %% [markdown]
# Nobody called it, and yet the gradient is there, because the record alone knows the way back. If you want a slope of
# your own, write a `torch.autograd.Function`, whose `backward` is called. Since the weights were given as arguments,
# the module owns none, so an optimiser that is handed `old.parameters()` would have nothing to train.
#
# ## Further reading
#
# - PyTorch's migration guide for version 0.4.
