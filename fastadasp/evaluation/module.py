"""One evaluation as lightning runs it: on each process, answer its part of the batches and store the answers."""

import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor

from fastadasp.engine.merging import MergeTrace
from fastadasp.errors import InputError
from fastadasp.evaluation.answering import Answers, answer, score_options
from fastadasp.evaluation.batches import Plan, PreparedBatch, PreparedBatches
from fastadasp.evaluation.hardware import load
from fastadasp.evaluation.reading import ReadAhead
from fastadasp.evaluation.session import Session
from fastadasp.evaluation.staging import Staged
from fastadasp.evaluation.turns import Turns
from fastadasp.measuring.memory_guard import ran_out
from fastadasp.models.contract import check_batch
from fastadasp.process.signals import Handler, restore, stop_if_told
from fastadasp.tasks.base import Example, Prediction, unanswered


class EvalModule(LightningModule):
    """Answers batches with a model under a reduction method and appends them to the run's folder.

    Lightning brings the device and the progress bar. Where several processes share a run, each has a module, takes the
    next batch that none has taken, and writes a file of its own.
    """

    def __init__(self, session: Session, batches: Plan, signal_handlers: Mapping[int, Handler]) -> None:
        """batches: what is left of the run; signal_handlers: those to be kept while it runs."""
        super().__init__()
        self.session = session
        self.batches = batches
        self.signal_handlers = signal_handlers
        self.checked = False
        """Whether a batch has been held to the rules of an adapter."""

    def setup(self, stage: str) -> None:
        """Load the weights on this process's device."""
        load(self.session.setup.local, self.session.placement, self.session.device)

    def test_dataloader(self) -> ReadAhead | Staged:
        """The batches that this process takes: audio is read ahead by workers, and brought to the GPU by a thread."""
        session = self.session
        alone = session.meeting.team.size == 1
        read = ReadAhead(
            PreparedBatches(self.batches, session.setup.local.prepare, session.setup.local.heard),
            Turns(self.batches, session.meeting.take),
            length=len(self.batches) if alone else None,
            workers=session.setup.hardware.num_workers,
            ahead=2 if alone else 1,  # what is read ahead is taken from the others
        )
        on_gpu = session.placement.accelerator == "cuda"
        return Staged(read, self._staged, torch.device(session.device)) if on_gpu else read

    def _staged(self, batch: PreparedBatch) -> dict[tuple[str, ...], Any]:
        """What the model will read of a batch."""
        return {_ids(group): self._encoded(group) for group in self._together(batch)}

    def _encoded(self, items: Sequence[tuple[Example, Any]]) -> Any:
        return self.session.setup.local.encode([prepared for _, prepared in items])

    def on_test_start(self) -> None:
        """Put back the signal handlers that lightning has replaced: a signal ends a run at once, not a batch later."""
        restore(self.signal_handlers)

    def transfer_batch_to_device(self, batch: PreparedBatch, *_: Any) -> PreparedBatch:
        """Leave the batch where it is: the adapter's `encode` moves what the model needs."""
        return batch

    def test_step(self, batch: PreparedBatch, _: int) -> None:
        """Answer one batch and store it; examples without readable audio are stored as failed."""
        stop_if_told()
        torch.manual_seed(self.session.seed + batch.index)  # sampling does not depend on what ran before
        failed = [unanswered(example, error, self.session.origin) for example, error in batch.failed]
        began = time.perf_counter()
        answered = [answer for group in self._together(batch) for answer in self._answer(batch, group)]
        self.session.store.append([*_with_times(answered, batch.spent, time.perf_counter() - began), *failed])

    def _together(self, batch: PreparedBatch) -> list[list[tuple[Example, Any]]]:
        """The batch's prepared examples, apart where the model cannot read them at once."""
        groups: dict[Hashable, list[tuple[Example, Any]]] = {}
        for item in batch.ready:
            groups.setdefault(self.session.setup.local.batch_key(item[1]), []).append(item)
        return list(groups.values())

    def on_test_end(self) -> None:
        """Wait for all processes: then every answer is on disk."""
        self.session.meeting.end()

    def _answer(self, batch: PreparedBatch, items: Sequence[tuple[Example, Any]]) -> list[Prediction]:
        """Answers for prepared examples; where memory runs out, half as many at a time."""
        try:
            return self._generate(batch, items)
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
            if len(items) == 1:
                raise InputError(
                    f"out of memory with the single example {items[0][0].id}: {_first_line(error)}. Use a "
                    "smaller dtype, fewer beams, shorter audio, a higher merge.ratio or several GPUs (device_map=auto)"
                ) from error
        torch.cuda.empty_cache()  # outside the handler, whose traceback would keep the tensors alive
        half = len(items) // 2
        return self._answer(batch, items[:half]) + self._answer(batch, items[half:])

    def _generate(self, batch: PreparedBatch, items: Sequence[tuple[Example, Any]]) -> list[Prediction]:
        setup, adapter = self.session.setup, self.session.setup.local
        ids = _ids(items)
        inputs = batch.inputs[ids] if ids in batch.inputs else self._encoded(items)
        if not self.checked:
            check_batch(adapter, [prepared for _, prepared in items], inputs)
            self.checked = True
        answers = self._respond([example for example, _ in items], inputs)
        cost = {"batch": batch.index, "batch_size": len(items), **answers.cost}
        audio = answers.audio_tokens
        prompt = inputs["attention_mask"].sum(1).tolist()
        lengths, ended = _answer_lengths(answers.ids, adapter.model.generation_config.eos_token_id)
        likelihoods = answers.likelihoods or [{}] * len(items)
        per_layer, cached_BL = _tokens_per_layer(answers.trace), answers.trace.cached_tokens.T.tolist()
        return [
            Prediction(
                id=example.id,
                text=answers.texts[row],
                answer=setup.task.decide(answers.texts[row], likelihoods[row], example),
                reference=example.reference,
                audio_tokens=audio[row],
                audio_tokens_per_layer=per_layer[row],
                cached_tokens_per_layer=tuple(cached_BL[row]),
                text_tokens=prompt[row] - audio[row],
                new_tokens=lengths[row],
                truncated=not ended[row] and lengths[row] >= setup.generation.max_new_tokens,
                seconds=example.seconds,
                cost=cost,
                meta=example.meta,
                origin=self.session.origin,
                likelihoods=likelihoods[row],
                remarks=example.remarks,
            )
            for row, (example, _) in enumerate(items)
        ]

    def _respond(self, examples: Sequence[Example], inputs: Any) -> Answers:
        """What the task asks for: the model's own words, the likelihoods of given options, or both."""
        adapter, method, task = self.session.setup.local, self.session.setup.method, self.session.setup.task
        options = [task.wordings(example) for example in examples]
        scored = score_options(adapter, method, inputs, options) if any(options) else None
        if scored is not None and not task.generates:
            return scored
        answers = answer(adapter, method, self.session.setup.generation, inputs)
        return answers if scored is None else replace(answers, likelihoods=scored.likelihoods)


def _ids(items: Sequence[tuple[Example, Any]]) -> tuple[str, ...]:
    return tuple(example.id for example, _ in items)


def _with_times(answered: Sequence[Prediction], spent: Mapping[str, float], answer_s: float) -> Iterator[Prediction]:
    """Answers of one batch, which count the seconds that went into it with the first of its parts."""
    parts = dict.fromkeys(prediction.cost["prefill_s"] for prediction in answered)
    first = next(iter(parts), None)
    for prediction in answered:
        times = {**spent, "answer_s": answer_s} if prediction.cost["prefill_s"] == first else {}
        yield replace(prediction, cost={**prediction.cost, **times})


def _tokens_per_layer(trace: MergeTrace) -> list[tuple[int, ...]]:
    """For each row the audio tokens entering each layer, then those leaving the last."""
    entering_B, left_BL = trace.entering_audio_tokens.tolist(), trace.audio_tokens.T.tolist()
    return [(entering, *left) for entering, left in zip(entering_B, left_BL, strict=True)]


def _answer_lengths(ids: Tensor, eos: int | list[int] | None) -> tuple[list[int], list[bool]]:
    """Of each row of ids (B, new): tokens up to and including its first end-of-sequence token, and if it has one."""
    ends = torch.tensor([] if eos is None else eos, device=ids.device, dtype=ids.dtype).flatten()
    ended_BT = torch.isin(ids, ends).cumsum(1) > 0
    lengths = torch.clamp((~ended_BT).sum(1) + 1, max=ids.shape[1])
    return lengths.tolist(), ended_BT.any(1).tolist()


def _first_line(error: BaseException) -> str:
    return str(error).split("\n")[0]
