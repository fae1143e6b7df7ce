"""Models with random weights, which are drawn from their dimensions and need no checkpoint."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastadasp.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

    from fastadasp.models.placing import Spread


def check_multiples(adapter: Any, pairs: Sequence[tuple[str, str]]) -> None:
    """ConfigError unless the first setting of each pair is a multiple of the second one, such as hidden of heads."""
    for whole, part in pairs:
        if getattr(adapter, part) < 1 or getattr(adapter, whole) % getattr(adapter, part):
            given = f"{getattr(adapter, whole)} and {getattr(adapter, part)}"
            raise ConfigError(f"model.{whole} must be a multiple of model.{part}, got {given}")


class RandomWeights:
    """To be put before an adapter in the bases of a class: the model is drawn from `weight_seed`, not read."""

    if TYPE_CHECKING:  # an annotation here would make these settings of the adapter
        weight_seed: int
        config: PreTrainedConfig

    @abstractmethod
    def _model_class(self) -> "type[PreTrainedModel]":
        """The class of the model."""

    def _build_model(
        self, *, device: str, dtype: str, attention: str, device_map: "Spread | None"
    ) -> "PreTrainedModel":
        """The model on its device; `ModelAdapter.load` explains the arguments.

        Weights are drawn on the device itself: 8 billion numbers take a second on a GPU, minutes on a CPU. The
        process's own generators stay as they were.
        """
        import torch

        if device_map is not None:
            raise ConfigError(
                f"hardware.device_map={device_map.device_map} needs a checkpoint; random weights take one device"
            )
        on_gpu = [torch.device(device)] if device.startswith("cuda") else []
        with torch.random.fork_rng(on_gpu), torch.device(device):
            torch.manual_seed(self.weight_seed)
            model: PreTrainedModel = self._model_class()._from_config(
                self.config, dtype=getattr(torch, dtype), attn_implementation=attention
            )
        return model
