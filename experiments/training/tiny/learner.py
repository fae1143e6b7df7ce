"""The training step: answers by cross-entropy, and CTC on the audio positions.  B rows, T tokens, D channels."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from transformers import Qwen2AudioForConditionalGeneration

from experiments.training.tiny.batches import IGNORED, Batch
from experiments.training.tiny.late import LateTokens
from experiments.training.tiny.network import autocast
from experiments.training.tiny.optimizers import make_optimizers, set_learning_rates, warm_hold_decay

CTC_BLANK = 0
"""The padding token `<|endoftext|>`, which no transcript holds."""


@dataclass(frozen=True)
class Recipe:
    """How the decoder is trained."""

    minutes: float
    """Training time of the whole schedule, over all restarts."""
    decay: float = 0.35
    """The schedule's last share, in which the learning rates fall to zero."""
    warm_steps: int = 60
    muon_lr: float = 0.003
    adamw_lr: float = 0.002
    weight_decay: float = 0.05
    read_weight: float = 0.5
    ctc_weight: float = 0.5
    ctc_layer: int = 6
    """The layer after which the audio positions spell the transcript."""


class Learner(pl.LightningModule):
    """Trains projector and decoder of a network whose audio tower is frozen and cached."""

    def __init__(self, network: Qwen2AudioForConditionalGeneration, recipe: Recipe) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network = network
        self.network.model.audio_tower.requires_grad_(False)
        self.recipe = recipe
        self.late = LateTokens()
        self.late.enter(network.model.language_model.layers[recipe.ctc_layer])
        self.seconds = 0.0
        self._clock = time.monotonic()
        self._step_seconds = 0.0

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        recipe = self.recipe
        return make_optimizers(self.network, recipe.muon_lr, recipe.adamw_lr, recipe.weight_decay)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["seconds"], checkpoint["late_length"] = self.seconds, self.late.length

    def on_load_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        self.seconds = checkpoint["seconds"]
        self.late.length = checkpoint.get("late_length", self.late.length)  # earlier checkpoints lack it

    def on_train_start(self) -> None:
        self._clock = time.monotonic()

    def losses(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """(cross-entropy of the answers, that of the text before them, CTC of the audio positions after layer
        `ctc_layer`), each a mean."""
        model, decoder = self.network.model, self.network.model.language_model
        audio_BT = batch.ids_BT == self.network.config.audio_token_id
        embeds_BTD = decoder.embed_tokens(batch.ids_BT)
        heard = model.multi_modal_projector(batch.features_ND.to(embeds_BTD.dtype)).to(embeds_BTD.dtype)
        embeds_BTD = embeds_BTD.masked_scatter(audio_BT[..., None], heard)
        self.late.set(self.network, batch.late_BT)
        outputs = decoder(
            inputs_embeds=embeds_BTD, position_ids=batch.positions_BT, use_cache=False, output_hidden_states=True
        )
        before_BTD = outputs.last_hidden_state[:, :-1]
        each, right, rows = self._foretold(before_BTD, batch.labels_BT[:, 1:])
        self._log_kinds(each.detach(), right, rows, batch.kinds)
        read = self._foretold(before_BTD, batch.read_BT[:, 1:])[0].mean()
        inner_BTD = outputs.hidden_states[self.recipe.ctc_layer]
        self.late.measure(inner_BTD[audio_BT])
        return each.mean(), read, self._ctc(inner_BTD, audio_BT, batch.transcripts)

    def _foretold(self, before_BTD: Tensor, ids_BT: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """For each id that is not IGNORED, from the state just before it: cross-entropy, whether it is the likeliest
        one, and its row."""
        counts_BT = ids_BT != IGNORED
        ids = ids_BT[counts_BT]
        logits = self.network.lm_head(before_BTD[counts_BT]).float()
        right = logits.detach().argmax(-1) == ids
        return nn.functional.cross_entropy(logits, ids, reduction="none"), right, counts_BT.nonzero()[:, 0]

    def _log_kinds(self, losses: Tensor, right: Tensor, rows: Tensor, kinds: list[str]) -> None:
        """Log the epoch's mean loss and share of right tokens for each kind of lesson."""
        if self._trainer is None:
            return
        for kind in sorted(set(kinds)):
            mine = torch.tensor([other == kind for other in kinds])[rows]
            means = {f"loss_{kind}": losses[mine].mean(), f"right_{kind}": right[mine].float().mean()}
            self.log_dict(means, on_step=False, on_epoch=True, batch_size=int(mine.sum()))

    def _ctc(self, inner_BTD: Tensor, audio_BT: Tensor, transcripts: list[list[int]]) -> Tensor:
        """CTC loss per transcript token, with the decoder's own final norm and head as the classifier."""
        rows = [i for i, transcript in enumerate(transcripts) if transcript]
        if not rows:
            return inner_BTD.new_zeros(())
        lengths = audio_BT[rows].sum(1)
        order = audio_BT[rows].long().argsort(dim=1, descending=True, stable=True)[:, : int(lengths.max())]
        heard_BND = inner_BTD[rows].gather(1, order[..., None].expand(-1, -1, inner_BTD.shape[-1]))
        logits = self.network.lm_head(self.network.model.language_model.norm(heard_BND))
        return nn.functional.ctc_loss(
            logits.float().log_softmax(-1).transpose(0, 1),
            torch.tensor([token for i in rows for token in transcripts[i]]),
            lengths,
            torch.tensor([len(transcripts[i]) for i in rows]),
            blank=CTC_BLANK,
            zero_infinity=True,
        )

    def training_step(self, batch: Batch, index: int) -> None:
        recipe, optimizers = self.recipe, cast(list[LightningOptimizer], self.optimizers())
        done = self.seconds / 60 / recipe.minutes
        factor = warm_hold_decay(self.global_step // len(optimizers), done, recipe.warm_steps, recipe.decay)
        set_learning_rates([wrapped.optimizer for wrapped in optimizers], factor)
        with autocast():
            answers, read, ctc = self.losses(batch)
        self.manual_backward(answers + recipe.read_weight * read + recipe.ctc_weight * ctc)
        nn.utils.clip_grad_norm_([p for p in self.network.parameters() if p.grad is not None], 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self._count_time()
        losses = {"answers": answers.detach(), "read": read.detach(), "ctc": ctc.detach()}
        self.log_dict({**losses, "minutes": self.seconds / 60}, prog_bar=True)
        self.log("tokens_per_s", self.trainer.world_size * batch.ids_BT.numel() / self._step_seconds, prog_bar=True)

    def _count_time(self) -> None:
        """Add the time since the last step; ends the training when the schedule's time is over."""
        now = time.monotonic()
        self._step_seconds, self._clock = now - self._clock, now
        # Every process must use the same learning rate and stop at the same step: the first one's clock counts.
        self.seconds = self.trainer.strategy.broadcast(self.seconds + self._step_seconds)
        if self.seconds >= self.recipe.minutes * 60:
            self.trainer.should_stop = True
