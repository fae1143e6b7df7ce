"""What becomes of a manifest: its fingerprint is taken, tasks read it, and what they read passes a run's folder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from fastadasp.config.fingerprint import contents
from fastadasp.errors import InputError
from fastadasp.evaluation.store import RunStore
from fastadasp.tasks.asr import ASR
from fastadasp.tasks.base import Example, Prediction, Task


def audio(folder: Path) -> None:
    """The two files that the manifests name."""
    for name in ("a.wav", "b.wav"):
        soundfile.write(folder / name, np.zeros(1600), 16_000)


def outcomes(content: bytes, folder: Path, tasks: Sequence[type[Task]] = (ASR,)) -> list[list[Example] | InputError]:
    """What each task makes of a manifest once its fingerprint is taken; what they read also passes a run's folder."""
    manifest = folder / "manifest.jsonl"
    manifest.write_bytes(content)
    contents({"task.manifest": str(manifest)})
    found: list[list[Example] | InputError] = []
    for task in tasks:
        try:
            found.append(list(task(manifest).examples()))
        except InputError as error:
            found.append(error)
    read = [examples for examples in found if isinstance(examples, list)]
    if read:
        _store(folder / "run", read[0])
    return found


def _store(folder: Path, examples: Sequence[Example]) -> None:
    folder.mkdir(exist_ok=True)
    done = [Prediction(item.id, "", "", item.reference, seconds=item.seconds, meta=item.meta) for item in examples]
    store = RunStore(folder)
    store.append(done)
    back = list(store.predictions().values())
    (folder / "predictions.jsonl").unlink()
    if back != done:
        raise AssertionError(f"the store gives back {back} for {done}")
