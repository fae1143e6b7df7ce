"""The data module: each epoch a new plan over the shards that exist by then."""

import random
from typing import Any

import lightning.pytorch as pl
from torch.utils.data import DataLoader, Dataset

from experiments.training.tiny.batches import Batch, Rows, collate
from experiments.training.tiny.curriculum import Curriculum
from experiments.training.tiny.items import Item
from experiments.training.tiny.prompts import Lesson


class Plan(Dataset[Batch]):
    """One epoch's batches, made when they are asked for."""

    def __init__(self, batches: list[list[tuple[Item, Lesson]]], rows: Rows, reach: int, seed: str) -> None:
        self.batches, self.rows, self.reach, self.seed = batches, rows, reach, seed

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Batch:
        rng = random.Random(f"{self.seed}/{index}")
        rows = [self.rows(item, lesson) for item, lesson in self.batches[index]]
        pad = self.rows.tokenizer.pad_token_id
        return collate(rows, self.rows.audio, pad, self.reach, rng)


class Lessons(pl.LightningDataModule):
    """Training batches; its state is how often each item has been seen, so that a restart goes on where it was."""

    def __init__(self, curriculum: Curriculum, rows: Rows, reach: int) -> None:
        super().__init__()
        self.curriculum, self.rows, self.reach = curriculum, rows, reach

    def train_dataloader(self) -> DataLoader[Batch]:
        trainer = self.trainer
        if trainer is None:
            raise RuntimeError("the data module plans for a trainer: pass it to Trainer.fit")
        # A shard may be completed while the processes look: all of them must plan with the same ones.
        self.curriculum.scan(trainer.strategy.broadcast(self.curriculum.available()))
        epoch, rank, ranks = trainer.current_epoch, trainer.global_rank, trainer.world_size
        batches = self.curriculum.plan(epoch, ranks)[rank::ranks]
        plan = Plan(batches, self.rows, self.reach, f"{self.curriculum.seed}/{epoch}/{rank}")
        return DataLoader(plan, batch_size=None, num_workers=0)

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self.curriculum.seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.curriculum.seen = state_dict["seen"]
