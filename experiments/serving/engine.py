"""vLLM's engine in this process with the embedded model, and the prompts of a task as the server would build them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastadasp.config.build import build
from fastadasp.config.compose import compose
from fastadasp.config.paths import REPOSITORY
from fastadasp.tasks.base import Example

MODEL = REPOSITORY / "fastadasp" / "assets" / "tiny"
SETTINGS = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
}
"""One process on one thread, so that processor time is the engine's."""


def start(model: Path | str = MODEL, **arguments: Any) -> Any:
    """An engine; arguments are those of `vllm.LLM`."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    from vllm import LLM

    settings = {"dtype": "float32", "enforce_eager": True, "max_model_len": 2048, "limit_mm_per_prompt": {"audio": 4}}
    return LLM(str(model), **{**settings, **arguments})


def examples_of(task: str, limit: int) -> Sequence[Example]:
    """The first examples of a bundled set."""
    built: Sequence[Example] = build(compose(f"task={task}", f"task.limit={limit}").task, "task").checked_examples()
    return built


def chat_prompt(processor: Any, instruction: str, clips: int = 1) -> str:
    """The prompt of the model's own chat template, with a placeholder for each clip."""
    parts = [*({"type": "audio"} for _ in range(clips)), {"type": "text", "text": instruction}]
    try:
        text: str = processor.apply_chat_template([{"role": "user", "content": parts}], add_generation_prompt=True)
    except TypeError:  # a template whose turns are strings, as Granite's
        words = processor.audio_token * clips + instruction
        text = processor.apply_chat_template([{"role": "user", "content": words}], add_generation_prompt=True)
    return text


def request(prompt: str, audio: Sequence[Any], ratio: float | None) -> Mapping[str, Any]:
    """What `LLM.generate` takes: a prompt, pairs of samples and rate, and the ratio of this request."""
    own = {} if ratio is None else {"mm_processor_kwargs": {"ratio": ratio}}
    return {"prompt": prompt, "multi_modal_data": {"audio": list(audio)}, **own}


@contextmanager
def seconds_of(module: Any, name: str, total: list[float]) -> Iterator[None]:
    """Inside, the processor seconds of each call of a function of a module are appended to `total`."""
    import time

    function = getattr(module, name)

    def timed(*arguments: Any, **named: Any) -> Any:
        start_s = time.process_time()
        result = function(*arguments, **named)
        total.append(time.process_time() - start_s)
        return result

    setattr(module, name, timed)
    try:
        yield
    finally:
        setattr(module, name, function)
