"""Networks that more than one lesson uses, each built in the lesson that introduces it."""

from torch import nn

from ._arguments import function


def lenet(activation: type[nn.Module] = nn.ReLU, pool: type[nn.Module] = nn.AvgPool2d) -> nn.Sequential:
    """LeNet-5 as it is written today, built in lesson 6: N×1×28×28 images to N×10 logits, 61,706 parameters.

    Args:
        activation: the layer after each convolution and hidden linear layer, such as `nn.Sigmoid`.
        pool: the pooling layer, `nn.AvgPool2d` or `nn.MaxPool2d`, over windows of 2×2.

    Raises:
        TypeError: activation or pool can't be called.

    Source: after Y. LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 86 (1998),
    with its connection table, trainable pooling, RBF output and scaled tanh replaced by today's standard layers.
    """
    function("activation", activation, "a class of layers, such as nn.ReLU")
    function("pool", pool, "a class of pooling layers, such as nn.AvgPool2d")
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), activation(), pool(2),
        nn.Conv2d(6, 16, 5), activation(), pool(2),
        nn.Flatten(),
        nn.Linear(400, 120), activation(),
        nn.Linear(120, 84), activation(),
        nn.Linear(84, 10),
    )
