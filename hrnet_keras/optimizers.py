"""SGD and Adam with PyTorch's conventions and the schedules of the official recipes."""

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, TypeAlias

import keras
from keras import ops

Rate: TypeAlias = Any  # a number, or a `keras.optimizers.schedules.LearningRateSchedule`


def _after(gradient: Any) -> Any:
    """A context whose TensorFlow operations wait for a gradient.

    Else copies of all weights would be multiplied by their decay at the step's beginning, and lie there to its end.
    """
    if keras.backend.backend() != "tensorflow":
        return nullcontext()
    import tensorflow as tf

    return tf.control_dependencies([gradient])


@keras.saving.register_keras_serializable("hrnet_keras")
class TorchSGD(keras.optimizers.Optimizer):
    """Stochastic gradient descent as `torch.optim.SGD` computes it.

    The weight decay is added to the gradient of every weight (batch norm and biases too), and the learning rate
    multiplies the momentum buffer: `v = momentum * v + g + decay * w`, `w -= lr * v`. Keras's own SGD keeps the rate
    inside the buffer (another path as soon as the rate changes) and decays weights beside the gradient.

    Args:
        learning_rate: number or schedule.
        momentum: 0..1.
        nesterov: steps along `g + decay * w + momentum * v`.
        decay: factor of the weights in the gradient.
        rate_factors: `{beginning of a layer's name: factor}`: its weights learn so many times as fast.
        bias_rate: how many times as fast biases learn; offsets of norms are none.
        bias_decay: how many times the decay is that of biases.

    Source: documentation of `torch.optim.SGD`; biases: `bias_lr_mult` and `bias_decay_mult` of mmdet's
        configurations; the recipes of the official repositories use it throughout.
    """

    def __init__(
        self, learning_rate: Rate = 0.01, momentum: float = 0.9, nesterov: bool = False, decay: float = 0.0, *,
        rate_factors: Mapping[str, float] | None = None, bias_rate: float = 1.0, bias_decay: float = 1.0,
        name: str = "torch_sgd", **kwargs: Any,
    ):  # fmt: skip
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.rate_factors = dict(rate_factors or {})
        self.momentum = momentum
        self.nesterov = nesterov
        self.decay = decay
        self.bias_rate = bias_rate
        self.bias_decay = bias_decay

    def build(self, variables: list[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        self.buffers = [self.add_variable_from_reference(v, name="momentum") for v in variables]
        self._factors = [self._factor_of(v.path) for v in variables]
        self._decays = [self._decay_of(v.path) for v in variables]

    def _factor_of(self, path: str) -> float:
        own = self.bias_rate if path.endswith("/bias") else 1.0
        for name, factor in self.rate_factors.items():
            if path.startswith(name):
                return factor * own
        return own

    def _decay_of(self, path: str) -> float:
        return self.decay * (self.bias_decay if path.endswith("/bias") else 1.0)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        place = self._get_variable_index(variable)
        rate = ops.cast(learning_rate, variable.dtype) * self._factors[place]
        with _after(gradient):
            # PyTorch adds the decay to the gradient, so momentum carries it, too.
            gradient = ops.cast(gradient, variable.dtype) + self._decays[place] * variable
            buffer = self.buffers[place]
            # The learning rate is not in the buffer, unlike Keras's: a falling rate acts on past gradients at once.
            step = self.momentum * buffer + gradient
            self.assign(buffer, step)
            if self.nesterov:
                step = gradient + self.momentum * step
            self.assign_sub(variable, rate * step)

    def get_config(self) -> dict[str, Any]:
        own: dict[str, Any] = {"momentum": self.momentum, "nesterov": self.nesterov, "decay": self.decay}
        own |= {"rate_factors": self.rate_factors, "bias_rate": self.bias_rate, "bias_decay": self.bias_decay}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("hrnet_keras")
class TorchAdam(keras.optimizers.Optimizer):
    """Adam as `torch.optim.Adam` computes it, without weight decay.

    `epsilon` is added after the square root of the bias-corrected second moment:
    `w -= lr * m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon)`. Keras's own Adam adds it before the
    correction, which makes it 32 times as large at the first step.

    Args:
        learning_rate: number or schedule.
        beta_1: 0..1, how much of the mean of the gradients is kept.
        beta_2: 0..1, how much of the mean of their squares is kept.
        epsilon: smallest divisor.

    Source: documentation of `torch.optim.Adam`; arXiv:1412.6980, algorithm 1. The official landmark and pose recipes
    use it with these betas and this epsilon.
    """

    def __init__(
        self, learning_rate: Rate = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8, *,
        name: str = "torch_adam", **kwargs: Any,
    ):  # fmt: skip
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def build(self, variables: list[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        self.means = [self.add_variable_from_reference(v, name="mean") for v in variables]
        self.squares = [self.add_variable_from_reference(v, name="square") for v in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        place = self._get_variable_index(variable)
        mean = self.means[place]
        square = self.squares[place]
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        step = ops.cast(self.iterations + 1, variable.dtype)
        self.assign(mean, self.beta_1 * mean + (1 - self.beta_1) * gradient)
        self.assign(square, self.beta_2 * square + (1 - self.beta_2) * ops.square(gradient))
        # PyTorch adds epsilon after the correction, Keras before: with small gradients they differ.
        root = ops.sqrt(square / _correction(self.beta_2, step))
        self.assign_sub(variable, rate * (mean / _correction(self.beta_1, step)) / (root + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable("hrnet_keras")
class PolySchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Polynomial decay per step: `base * (1 - step / steps) ** power`, set after each step as the official code does.

    So steps 0 and 1 both use the base rate. Beyond `steps` the rate stays 0.

    Args:
        base: first learning rate.
        steps: length of the training.
        power: 0.9 in every official recipe.
        warmup_steps: steps over which the rate first rises linearly; 0 in the official recipes.
    """

    def __init__(self, base: float, steps: int, power: float = 0.9, warmup_steps: int = 0):
        self.base = base
        self.steps = steps
        self.power = power
        self.warmup_steps = warmup_steps

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        # `adjust_learning_rate` is called after the step: the first two steps have the full rate.
        done = ops.maximum(step - 1, 0) / max(self.steps, 1)
        rate = self.base * ops.power(ops.maximum(1 - done, 0.0), self.power)
        return rate * ops.minimum((step + 1) / (self.warmup_steps + 1), 1.0)

    def get_config(self) -> dict[str, Any]:
        return {"base": self.base, "steps": self.steps, "power": self.power, "warmup_steps": self.warmup_steps}


@keras.saving.register_keras_serializable("hrnet_keras")
class StepSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that falls to `factor` of itself at each milestone.

    Args:
        base: first learning rate.
        milestones: steps from which the next lower rate holds.
        factor: 0.1 in every official recipe.
        warmup_steps: steps over which the rate first rises linearly (mmpose's and mmdet's recipes: 500).
        warmup_start: part of the rate that it rises from.
        warmup: `"linear"`, or `"constant"`: that part of the rate holds until the last of these steps.
    """

    def __init__(
        self, base: float, milestones: Sequence[int], factor: float = 0.1, warmup_steps: int = 0,
        warmup_start: float = 0.001, warmup: str = "linear",
    ):  # fmt: skip
        self.warmup = warmup
        self.warmup_start = warmup_start
        self.base = base
        self.milestones = tuple(milestones)
        self.factor = factor
        self.warmup_steps = warmup_steps

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        passed = sum((ops.cast(step >= milestone, "float32") for milestone in self.milestones), 0.0)
        rate = self.base * ops.power(self.factor, passed)
        if not self.warmup_steps:
            return rate
        risen = ops.minimum(step / max(self.warmup_steps - 1, 1), 1.0)
        if self.warmup == "constant":
            risen = ops.floor(risen)
        return rate * (self.warmup_start + (1 - self.warmup_start) * risen)

    def get_config(self) -> dict[str, Any]:
        config = {"base": self.base, "milestones": list(self.milestones), "factor": self.factor}
        config |= {"warmup_steps": self.warmup_steps, "warmup_start": self.warmup_start}
        return {**config, "warmup": self.warmup}


def _correction(beta: float, step: Any) -> Any:
    """1 - beta^step, exact in float32 also where beta is nearly 1 and few steps are done."""
    return -ops.expm1(step * math.log(beta)) if beta else 1.0
