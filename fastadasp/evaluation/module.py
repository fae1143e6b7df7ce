"""One evaluation as lightning runs it: on each process, answer its share of the batches and store the answers."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor
from torch.utils.data import DataLoader

from fastadasp.engine.merging import MergeTrace
from fastadasp.errors import InputError
from fastadasp.evaluation.answering import Answers, answer, score_options
from fastadasp.evaluation.batches import Batch, PreparedBatch, PreparedBatches
from fastadasp.evaluation.hardware import Placement
from fastadasp.evaluation.setup import Setup
from fastadasp.evaluation.store import RunStore
from fastadasp.tasks.base import Example, Prediction


class EvalModule(LightningModule):
    """Answers batches with `setup`'s model under `setup`'s reduction method and appends them to the run's folder.

    Lightning brings devices, processes and the progress bar. With several processes each takes every n-th batch and
    writes a file of its own, so none waits for another.
    """

    def __init__(
        self, setup: Setup, placement: Placement, batches: Sequence[Batch], store: RunStore, seed: int
    ) -> None:
        super().__init__()
        self.run_setup = setup
        self.placement = placement
        self.batches = batches
        self.store = store
        self.seed = seed

    def setup(self, stage: str) -> None:
        """Load the weights on this process's device."""
        self.store = RunStore(self.store.folder, self.global_rank)
        adapter = self.run_setup.adapter
        adapter.load(
            device=str(self.trainer.strategy.root_device),
            dtype=self.placement.dtype,
            attention=self.placement.attention,
            device_map=self.run_setup.hardware.device_map,
        )

    def test_dataloader(self) -> DataLoader[PreparedBatch]:
        """This process's share of the batches, audio read ahead by workers."""
        share = self.batches[self.global_rank :: self.trainer.world_size]
        dataset = PreparedBatches(share, self.run_setup.adapter.prepare, self.run_setup.adapter.heard)
        workers = min(self.run_setup.hardware.num_workers, len(share))
        context = "fork" if workers else None  # joblib's processes would pickle the dataset, and fail
        return DataLoader(dataset, batch_size=None, num_workers=workers, multiprocessing_context=context)

    def transfer_batch_to_device(self, batch: PreparedBatch, *_: Any) -> PreparedBatch:
        """Leave the batch where it is: the adapter's `encode` moves what the model needs."""
        return batch

    def test_step(self, batch: PreparedBatch, _: int) -> None:
        """Answer one batch and store it; examples without readable audio are stored as failed."""
        torch.manual_seed(self.seed + batch.index)  # sampling does not depend on what ran before
        failed = [
            Prediction(
                id=example.id,
                text="",
                answer="",
                reference=example.reference,
                error=error,
                seconds=example.seconds,
                meta=example.meta,
            )
            for example, error in batch.failed
        ]
        answered = [answer for group in self._together(batch) for answer in self._answer(batch.index, group)]
        self.store.append([*answered, *failed])

    def _together(self, batch: PreparedBatch) -> list[list[tuple[Example, Any]]]:
        """The batch's prepared examples, apart where the model cannot read them at once."""
        groups: dict[Hashable, list[tuple[Example, Any]]] = {}
        for item in batch.ready:
            groups.setdefault(self.run_setup.adapter.batch_key(item[1]), []).append(item)
        return list(groups.values())

    def on_test_end(self) -> None:
        """Wait for all processes: then every answer is on disk."""
        self.trainer.strategy.barrier()

    def _answer(self, index: int, items: Sequence[tuple[Example, Any]]) -> list[Prediction]:
        """Answers for prepared examples; where memory runs out, half as many at a time."""
        try:
            return self._generate(index, items)
        except torch.OutOfMemoryError as error:
            if len(items) == 1:
                raise InputError(
                    f"out of memory with the single example {items[0][0].id}: {_first_line(error)}. Use a "
                    "smaller dtype, fewer beams, shorter audio, a higher merge.ratio or several GPUs (device_map=auto)"
                ) from error
        torch.cuda.empty_cache()  # outside the handler, whose traceback would keep the tensors alive
        half = len(items) // 2
        return self._answer(index, items[:half]) + self._answer(index, items[half:])

    def _generate(self, index: int, items: Sequence[tuple[Example, Any]]) -> list[Prediction]:
        adapter = self.run_setup.adapter
        inputs = adapter.encode([prepared for _, prepared in items])
        audio_BT = adapter.audio_mask(inputs)
        answers = self._respond([example for example, _ in items], inputs, audio_BT)
        cost = {"batch": index, "batch_size": len(items), **answers.cost}
        audio = audio_BT.sum(1).tolist()
        prompt = inputs["attention_mask"].sum(1).tolist()
        lengths = _answer_lengths(answers.ids, adapter.model.generation_config.eos_token_id)
        likelihoods = answers.likelihoods or [{}] * len(items)
        per_layer, cached_BL = _tokens_per_layer(answers.trace), answers.trace.cached_tokens.T.tolist()
        return [
            Prediction(
                id=example.id,
                text=answers.texts[row],
                answer=self.run_setup.task.decide(answers.texts[row], likelihoods[row], example),
                reference=example.reference,
                audio_tokens=audio[row],
                audio_tokens_per_layer=per_layer[row],
                cached_tokens_per_layer=tuple(cached_BL[row]),
                text_tokens=prompt[row] - audio[row],
                new_tokens=lengths[row],
                seconds=example.seconds,
                cost=cost,
                meta=example.meta,
                likelihoods=likelihoods[row],
                remarks=example.remarks,
            )
            for row, (example, _) in enumerate(items)
        ]

    def _respond(self, examples: Sequence[Example], inputs: Any, audio_BT: Tensor) -> Answers:
        """What the task asks for: the model's own words, the likelihoods of given options, or both."""
        adapter, method, task = self.run_setup.adapter, self.run_setup.method, self.run_setup.task
        options = [task.wordings(example) for example in examples]
        scored = score_options(adapter, method, inputs, audio_BT, options) if any(options) else None
        if scored is not None and not task.generates:
            return scored
        answers = answer(adapter, method, self.run_setup.generation, inputs, audio_BT)
        return answers if scored is None else replace(answers, likelihoods=scored.likelihoods)


def _tokens_per_layer(trace: MergeTrace) -> list[tuple[int, ...]]:
    """For each row the audio tokens entering each layer, then those leaving the last."""
    entering_B, left_BL = trace.entering_audio_tokens.tolist(), trace.audio_tokens.T.tolist()
    return [(entering, *left) for entering, left in zip(entering_B, left_BL, strict=True)]


def _answer_lengths(ids: Tensor, eos: int | list[int] | None) -> list[int]:
    """Generated tokens of each row of ids (B, new): up to and including its first end-of-sequence token."""
    ends = torch.tensor([] if eos is None else eos, device=ids.device, dtype=ids.dtype).flatten()
    running = torch.isin(ids, ends).cumsum(1) == 0
    return torch.clamp(running.sum(1) + 1, max=ids.shape[1]).tolist()


def _first_line(error: BaseException) -> str:
    return str(error).split("\n")[0]
