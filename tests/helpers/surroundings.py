"""Models as users have them: adapted, quantised, wrapped; built once for many tests."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from tests.helpers.tiny_decoders import tiny_decoder


class Int8Weight(Tensor):
    """A weight as quantising libraries store one: a tensor of another class, whose numbers only `linear` knows."""

    codes: Tensor
    scales: Tensor

    @staticmethod
    def __new__(cls, weight: Tensor) -> "Int8Weight":
        """weight: (out, in), floating-point."""
        made: Int8Weight = torch.Tensor._make_wrapper_subclass(cls, weight.shape, dtype=weight.dtype)
        made.scales = weight.abs().amax(1, keepdim=True) / 127
        made.codes = (weight / made.scales).round().to(torch.int8)
        return made

    def plain(self) -> Tensor:
        """What the codes mean, (out, in)."""
        return self.codes * self.scales

    @classmethod
    def __torch_function__(cls, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Answers for `linear`; whoever reads the weight otherwise gets the error of the dispatcher below."""
        if function is nn.functional.linear:
            x, weight, *rest = args
            return nn.functional.linear(x, weight.plain(), *rest, **(kwargs or {}))
        return super().__torch_function__(function, types, args, kwargs or {})

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """No other arithmetic is known of these weights."""
        if function in (torch.ops.aten.detach.default, torch.ops.aten.alias.default):
            return args[0]
        raise NotImplementedError(f"{function} on a weight that is stored as codes")


@cache
def small() -> Any:
    """The bare model."""
    return tiny_decoder(layers=3)


@cache
def helper() -> Any:
    """A smaller model, which guesses what the other will say."""
    return tiny_decoder(layers=1)


def _linears(model: nn.Module) -> list[nn.Linear]:
    return [module for name, module in model.named_modules() if isinstance(module, nn.Linear) and name != "lm_head"]


@cache
def quantised() -> Any:
    """The model with weights of another tensor class."""
    model = tiny_decoder(layers=3)
    for linear in _linears(model):
        linear.weight = nn.Parameter(Int8Weight(linear.weight.detach()), requires_grad=False)
    return model


@cache
def dequantised() -> Any:
    """The same numbers in plain weights."""
    model = tiny_decoder(layers=3)
    for linear in _linears(model):
        linear.weight = nn.Parameter(Int8Weight(linear.weight.detach()).plain())
    return model


@cache
def lora() -> Any:
    """A model of peft with random adapters, which are not merged into the weights."""
    torch.manual_seed(5)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"]
    settings: Any = {"r": 4, "target_modules": targets, "init_lora_weights": False}
    return get_peft_model(tiny_decoder(layers=3), LoraConfig(**settings)).eval()


@cache
def merged_lora() -> Any:
    """The same with the adapters in the weights."""
    torch.manual_seed(5)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"]
    settings: Any = {"r": 4, "target_modules": targets, "init_lora_weights": False}
    return get_peft_model(tiny_decoder(layers=3), LoraConfig(**settings)).merge_and_unload().eval()
