"""`merging()` where several threads use a model: served, finished, or refused, and never mixed."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from fastadasp import FastAdaSP, merging
from tests.helpers.tiny_decoders import left_padded, prompt, tiny_decoder

PROMPTS = [prompt(5, 60, 7), prompt(3, 40, 9, seed=1)]
IDS, REAL, AUDIO = left_padded(PROMPTS)
GREEDY = {"max_new_tokens": 6, "do_sample": False}
HALF = FastAdaSP(ratio=0.5, layer=1)


@torch.no_grad()
def generated(model: PreTrainedModel, method: FastAdaSP) -> Tensor:
    with merging(model, method, AUDIO):
        return model.generate(IDS, attention_mask=REAL, **GREEDY)[:, IDS.shape[1] :]


@torch.no_grad()
def test_an_older_threads_answer_goes_on_as_it_was() -> None:
    """Another thread is in the middle of its answer while a block is opened, used and closed."""
    model, (ids, _) = tiny_decoder(layers=4), prompt(30, seed=8)
    settings = {**GREEDY, "max_new_tokens": 40}
    plain = model.generate(ids[None], **settings)
    began, found = threading.Event(), list[Tensor]()

    class Waits:
        def put(self, value: Tensor) -> None:
            if not began.is_set() and value.numel() == 1:
                began.set()
                opened.wait(20)

        def end(self) -> None:
            pass

    def other() -> None:
        with torch.no_grad():
            found.append(model.generate(ids[None], streamer=Waits(), **settings))

    opened, thread = threading.Event(), threading.Thread(target=other)
    thread.start()
    assert began.wait(20)
    with merging(model, HALF, AUDIO):
        opened.set()
        mine = [model.generate(IDS, attention_mask=REAL, **GREEDY) for _ in range(4)]
        thread.join()
    assert torch.equal(found[0], plain)
    assert all(torch.equal(one[:, IDS.shape[1] :], generated(model, HALF)) for one in mine)


@torch.no_grad()
def test_a_prompt_of_an_older_pool_is_refused_and_never_read_whole_without_a_word() -> None:
    model = tiny_decoder(layers=4)
    expected = generated(model, HALF)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()  # its thread is there before the block

        def ask() -> Tensor:
            with torch.no_grad():
                return model.generate(IDS, attention_mask=REAL, **GREEDY)[:, IDS.shape[1] :]

        plain = pool.submit(ask).result()
        with merging(model, HALF, AUDIO):
            with pytest.raises(RuntimeError, match="is older than the merging"):
                pool.submit(ask).result()
            assert torch.equal(pool.submit(copy_context().run, ask).result(), expected)
            assert torch.equal(asyncio.run(asyncio.to_thread(ask)), expected)
        assert torch.equal(pool.submit(ask).result(), plain), "the block has ended"
        late = copy_context()
        assert torch.equal(pool.submit(late.run, ask).result(), plain)


def test_a_thread_started_inside_is_served_as_streaming_needs() -> None:
    model, found = tiny_decoder(layers=4), list[Tensor]()
    expected = generated(model, HALF)

    def stream() -> None:
        with torch.no_grad():
            found.append(model.generate(IDS, attention_mask=REAL, **GREEDY))

    with merging(model, HALF, AUDIO):
        thread = threading.Thread(target=stream)
        thread.start()
        thread.join()
    assert torch.equal(found[0][:, IDS.shape[1] :], expected)


def test_two_threads_in_one_block_are_refused_and_in_blocks_of_their_own_do_not_mix() -> None:
    model, began, refused = tiny_decoder(layers=4), threading.Event(), threading.Event()
    expected, errors = generated(model, HALF), list[str]()

    class Slow(nn.Module):
        def __init__(self, layer: nn.Module) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, *args: object, **kwargs: object) -> object:
            began.set()
            refused.wait(20)
            return self.layer(*args, **kwargs)

    def ask() -> None:
        try:
            with torch.no_grad():
                model.generate(IDS, attention_mask=REAL, **GREEDY)
        except RuntimeError as error:
            errors.append(str(error))
        refused.set()

    with merging(model, HALF, AUDIO):
        norm = model.model.norm
        model.model.norm = Slow(norm)
        first = threading.Thread(target=ask)
        first.start()
        assert began.wait(20)
        second = threading.Thread(target=ask)
        second.start()
        second.join()
        first.join()
        model.model.norm = norm
    assert len(errors) == 1
    assert "two threads use one merging() block at the same time" in errors[0]

    def in_a_block_of_its_own(own: PreTrainedModel) -> Tensor:
        with torch.no_grad():
            return torch.stack([generated(own, HALF) for _ in range(3)])

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(in_a_block_of_its_own, [tiny_decoder(layers=4) for _ in range(3)]))
    assert all(torch.equal(one, expected) for answers in found for one in answers)
