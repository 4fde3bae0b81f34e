"""The trunk of figure 2 of arXiv:1904.04514: images -> four maps of strides 4, 8, 16 and 32, exchanging all the way."""

from typing import Any

from keras import initializers
from keras.layers import Add, ReLU

from hrnet_keras.architecture import Architecture, Conventions
from hrnet_keras.layers import BatchNormalization, Conv2D, Resize, UpSampling


def kaiming():
    """How convolutions start: normal, variance 2 / (kernel area * output channels).

    A new object for every layer: a Keras initializer holds one seed and draws the same numbers at every call.

    Source: arXiv:1502.01852; `init_weights` of the official classification net, from which every trunk starts.
    """
    return initializers.VarianceScaling(2.0, mode="fan_out", distribution="untruncated_normal")


def trunk(images: Any, architecture: Architecture, conventions: Conventions) -> list[Any]:
    """Builds stem, bottlenecks and the three stages of parallel branches.

    Args:
        images: normalised `(batch, height, width, 3)`.
        architecture: an `Architecture`.
        conventions: the `Conventions` of the lineage.

    Returns:
        Four maps `(batch, ceil(height / s), ceil(width / s), channels)`, s = 4, 8, 16, 32.
    """
    x = conv_bn_relu(images, 64, 3, 2, "conv1", "bn1", conventions)
    x = conv_bn_relu(x, 64, 3, 2, "conv2", "bn2", conventions)
    for block in range(architecture.bottlenecks):
        x = bottleneck(x, architecture.bottleneck_planes, f"layer1.{block}", conventions, project=block == 0)
    branches = [x]
    for stage, modules in enumerate(architecture.modules, start=2):
        channels = architecture.channels(stage)
        branches = open_branch(branches, channels, f"transition{stage - 1}", conventions)
        for module in range(modules):
            name = f"stage{stage}.{module}"
            branches = [
                residual_blocks(x, architecture.blocks, f"{name}.branches.{i}", conventions)
                for i, x in enumerate(branches)
            ]
            branches = exchange(branches, f"{name}.fuse_layers", conventions)
    return branches


def open_branch(branches, channels, name, conventions):
    """Adds a branch at half the resolution of the last one; stage 1's single map also takes branch 0's width."""
    last = branches[-1]
    if len(branches) == 1:
        branches = [conv_bn_relu(last, channels[0], 3, 1, f"{name}.0.0", f"{name}.0.1", conventions)]
    new = f"{name}.{len(branches)}.0"
    return [*branches, conv_bn_relu(last, channels[-1], 3, 2, f"{new}.0", f"{new}.1", conventions)]


def exchange(branches, name, conventions):
    """Lets every branch receive from every branch: lower resolutions are upsampled, higher ones strided down."""
    return [receive(i, branches, f"{name}.{i}", conventions) for i in range(len(branches))]


def receive(i, branches, name, conventions):
    """What branch `i` takes from all branches: a sum in the order of the branches, then ReLU."""
    target = branches[i]
    parts = []
    for j, x in enumerate(branches):
        if j < i:
            x = downsample(x, target.shape[-1], i - j, f"{name}.{j}", conventions)
        elif j > i:
            x = conv_bn(x, target.shape[-1], 1, 1, f"{name}.{j}.0", f"{name}.{j}.1", conventions)
            x = upsample(x, target, 2 ** (j - i), f"{name}.{j}.2", conventions)
        parts.append(x)
    return ReLU(name=name)(Add(name=f"{name}.add")(parts))


def downsample(x, channels, steps, name, conventions):
    """Halves the resolution `steps` times by strided 3x3 convolutions; the last one widens and has no ReLU."""
    for step in range(steps - 1):
        x = conv_bn(x, x.shape[-1], 3, 2, f"{name}.{step}.0", f"{name}.{step}.1", conventions)
        x = ReLU(name=f"{name}.{step}.2")(x)
    last = f"{name}.{steps - 1}"
    return conv_bn(x, channels, 3, 2, f"{last}.0", f"{last}.1", conventions)


def upsample(x, like, factor, name, conventions):
    """Brings `x` to the height and width of `like` (`factor` times its own) in the lineage's way."""
    if conventions.upsampling == "nearest":
        return UpSampling(factor, name=name)(x)
    first_factor = None
    # mmsegmentation resizes by the factor, then to the exact size.
    if conventions.upsampling == "bilinear_two_steps":
        first_factor = factor
    return Resize(align_corners=conventions.align_corners, first_factor=first_factor, name=name)(x, like)


def residual_blocks(x, blocks, name, conventions):
    """The `blocks` basic residual blocks (two 3x3 convolutions each) of one branch in one module."""
    for block in range(blocks):
        block_name = f"{name}.{block}"
        y = conv_bn_relu(x, x.shape[-1], 3, 1, f"{block_name}.conv1", f"{block_name}.bn1", conventions)
        y = conv_bn(y, x.shape[-1], 3, 1, f"{block_name}.conv2", f"{block_name}.bn2", conventions)
        x = ReLU(name=block_name)(Add(name=f"{block_name}.add")([y, x]))
    return x


def bottleneck(x, planes, name, conventions, *, project):
    """A 1x1, 3x3, 1x1 residual block of `4 * planes` channels; `project` puts a 1x1 convolution on the shortcut."""
    y = conv_bn_relu(x, planes, 1, 1, f"{name}.conv1", f"{name}.bn1", conventions)
    y = conv_bn_relu(y, planes, 3, 1, f"{name}.conv2", f"{name}.bn2", conventions)
    y = conv_bn(y, 4 * planes, 1, 1, f"{name}.conv3", f"{name}.bn3", conventions)
    if project:
        x = conv_bn(x, 4 * planes, 1, 1, f"{name}.downsample.0", f"{name}.downsample.1", conventions)
    return ReLU(name=name)(Add(name=f"{name}.add")([y, x]))


def conv_bn(x, filters, kernel, stride, conv_name, bn_name, conventions, *, use_bias=False):
    """Convolution and batch norm, under the names of the official state dict."""
    x = Conv2D(filters, kernel, strides=stride, use_bias=use_bias, kernel_initializer=kaiming(), name=conv_name)(x)
    return BatchNormalization(momentum=conventions.momentum, name=bn_name)(x)


def conv_bn_relu(x, filters, kernel, stride, conv_name, bn_name, conventions, *, use_bias=False):
    """`conv_bn` and ReLU; the ReLU is named after the batch norm."""
    x = conv_bn(x, filters, kernel, stride, conv_name, bn_name, conventions, use_bias=use_bias)
    return ReLU(name=f"{bn_name}.relu")(x)
