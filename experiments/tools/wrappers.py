"""Tries every method in a model that is wrapped, placed on other devices, adapted, quantised or compiled.

Run from the repository's root: `python -m experiments.tools.wrappers`. Prints a line for each kind: `ok`, or what the
methods said. LoRA needs peft, int8 needs torchao; without them these lines say so.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from fastadasp import MergeMethod, merging
from fastadasp.config.build import build
from fastadasp.config.paths import REPOSITORY
from tests.helpers.configs import composed
from tests.helpers.tiny_decoders import left_padded, prompt, tiny_decoder

IDS, REAL, AUDIO = left_padded([prompt(5, 60, 7), prompt(3, 40, 9, seed=1)])
LISTENING = {"samp", "segment_topk", "visionzip", "vispruner"}
"""Methods that look at an audio encoder, which the model has not."""
Made = Callable[[], Any]


def methods() -> Iterator[tuple[str, MergeMethod]]:
    """Every other method with its own defaults."""
    for file in sorted((REPOSITORY / "conf" / "merge").glob("*.yaml")):
        if file.stem not in LISTENING:
            yield file.stem, build(composed("task=sqa", f"merge={file.stem}").merge, "merge")


@torch.no_grad()
def first_logits(model: Any, method: MergeMethod) -> Tensor:
    """(2, vocabulary) float32, of the first new token."""
    with merging(model, method, AUDIO):
        settings = {"max_new_tokens": 3, "do_sample": False, "return_dict_in_generate": True, "output_logits": True}
        writer = model if hasattr(model, "generate") else model.module
        logits: Tensor = writer.generate(input_ids=IDS, attention_mask=REAL, **settings).logits[0]
    return logits.float()


def small() -> Any:
    """The bare model."""
    return tiny_decoder(layers=3)


def tried(name: str, make: Made, bare: Made = small, within: float | None = 1e-3, block: Any = nullcontext) -> None:
    """Print what came out; `within` is how far logits may be from those of `bare`, None for any."""
    wrong: list[str] = []
    for method_name, method in methods():
        try:
            around: AbstractContextManager[Any] = block()
            with around:
                found = first_logits(make(), method)
            if within is not None and not torch.allclose(found, first_logits(bare(), method), within, within):
                wrong.append(f"{method_name}: differs")
        except (ValueError, RuntimeError, AttributeError, TypeError, ImportError) as error:
            wrong.append(f"{method_name}: {type(error).__name__}: {str(error)[:120]}")
    print("==", name, "; ".join(wrong) or "ok", flush=True)


def lora(merged: bool = False, **settings: Any) -> Any:
    """An adapter with random weights."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(5)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"]
    model = get_peft_model(small(), LoraConfig(r=4, target_modules=targets, init_lora_weights=False, **settings)).eval()
    return model.merge_and_unload() if merged else model


def int8(kind: str) -> Any:
    """Quantised by torchao."""
    from torchao import quantization

    model = small()
    quantization.quantize_(model, getattr(quantization, kind)())
    return model


def sharded(*parts: str) -> Any:
    """FSDP2."""
    from torch.distributed.fsdp import fully_shard

    model = small()
    for part in (*model.model.layers, *map(model.get_submodule, parts), model):
        fully_shard(part)
    return model


def compiled(layers: bool) -> Any:
    """The module, or each layer of its own."""
    model = small()
    for part in model.model.layers if layers else [model]:
        part.compile(backend="eager")
    return model


def main() -> None:
    """Try all kinds."""
    from accelerate import cpu_offload, disk_offload

    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29591")
    torch.distributed.init_process_group("gloo", rank=0, world_size=1)
    tried("DataParallel", lambda: nn.DataParallel(small()))
    tried("DDP", lambda: nn.parallel.DistributedDataParallel(small()))
    tried("FSDP2", sharded)
    tried("FSDP2 model too", lambda: sharded("model"))
    tried("cpu_offload", lambda: cpu_offload(small(), execution_device=torch.device("cpu")))
    tried("disk_offload", lambda: disk_offload(small(), tempfile.mkdtemp(), execution_device=torch.device("cpu")))
    tried("LoRA", lora, lambda: lora(merged=True), 2e-3)
    tried("DoRA", lambda: lora(use_dora=True), lambda: lora(merged=True, use_dora=True), 2e-3)
    tried("torchao int8 weights", lambda: int8("Int8WeightOnlyConfig"), within=None)
    tried("torchao int8 activations", lambda: int8("Int8DynamicActivationInt8WeightConfig"), within=None)
    tried("dynamic quantisation", lambda: torch.ao.quantization.quantize_dynamic(small(), {nn.Linear}), within=None)
    tried("compiled", lambda: compiled(layers=False))
    tried("compiled layers", lambda: compiled(layers=True))
    tried("bfloat16", lambda: small().bfloat16(), within=None)
    tried("autocast", small, within=None, block=lambda: torch.autocast("cpu", torch.bfloat16))


if __name__ == "__main__":
    main()
