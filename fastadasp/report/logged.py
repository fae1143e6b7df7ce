"""What W&B gets of a run beside its numbers: predictions with audio and merge maps, tokens per layer, pictures."""

import logging
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastadasp.api.loading import SpeechModel
from fastadasp.data.audio import SAMPLE_RATE
from fastadasp.data.listen import listen
from fastadasp.errors import InputError
from fastadasp.evaluation.session import Session
from fastadasp.models.shared import SharedAdapter
from fastadasp.models.speechlm import SpeechLM
from fastadasp.report.pictures.charts import Bars, Chart, Line
from fastadasp.report.pictures.merge_map import LONGEST_S, drawn, merge_map
from fastadasp.report.pictures.printed import drawn as drawn_chart
from fastadasp.report.pictures.style import plain_looks
from fastadasp.report.pictures.time import PARTS
from fastadasp.tasks.base import Example, Prediction

if TYPE_CHECKING:
    from PIL.Image import Image

    from fastadasp.report.pictures.canvas import Drawing

log = logging.getLogger(__name__)

COLUMNS = ("id", "audio", "reference", "answer", "text", "error", "seconds", "audio_tokens", "tokens_left", "merge_map")
"""Of the table of predictions."""


def media(
    session: Session, metrics: Mapping[str, Any], cost: Mapping[str, float], predictions: Sequence[Prediction]
) -> dict[str, Any]:
    """W&B's tables and images of one run, by the names of its panels."""
    import wandb

    layers = metrics["layers"]
    found: dict[str, Any] = {"predictions": _predictions(session, predictions)}
    if layers:
        rows = [
            [number, layer["tokens"], layer["kv_bytes"], layer["flops_prefill"]] for number, layer in enumerate(layers)
        ]
        table = wandb.Table(columns=["layer", "tokens", "kv_bytes", "flops_prefill"], data=rows)
        found["layers"] = table
        found["tokens_per_layer"] = wandb.plot.line(table, "layer", "tokens", title="Prompt tokens entering each layer")
    for name, picture in pictures(metrics, cost).items():
        found[f"pictures/{name}"] = wandb.Image(_picture(drawn_chart(picture)), caption=picture.title)
    return found


def pictures(metrics: Mapping[str, Any], cost: Mapping[str, float]) -> dict[str, Chart | Bars]:
    """The pictures of a single run: tokens and cache over its layers, and where the time of a batch goes."""
    name, title = metrics["merge"], f"{metrics['task']}, {metrics['model']}, {metrics['merge']}"
    found: dict[str, Chart | Bars] = {}
    for key, label, unit in (("tokens", "prompt tokens entering the layer", 1), ("kv_bytes", "cache, KiB", 1024)):
        heights = [layer[key] / unit for layer in metrics["layers"]]
        told = [f"layer {number}: {height:.1f}" for number, height in enumerate(heights)]
        line = Line(name, "run", plain_looks([name])[name], list(range(len(heights))), heights, told, chosen=True)
        if heights:
            found[f"{key}_per_layer"] = Chart(f"{title}: {label}", "decoder layer", label, [line])
    if "prefill_s" in cost:
        merge = cost.get("merge_s", 0.0)
        steps = cost.get("decode_step_s", 0.0)
        parts = zip((*PARTS[:2], "one step of decoding"), ([cost["prefill_s"] - merge], [merge], [steps]), strict=True)
        found["time"] = Bars(f"{title}: where the time of a batch goes", "seconds", [name], tuple(parts))
    return found


def _predictions(session: Session, predictions: Sequence[Prediction]) -> Any:
    """The table of the first predictions, each with its audio; a clip that cannot be read has none."""
    import wandb

    wanted = session.setup.logged
    table = wandb.Table(columns=list(COLUMNS))
    for number, example in enumerate(session.setup.examples[: wanted.clips]):
        one = predictions[number]
        map_file = _merge_map(session, example, number) if number < wanted.maps and one.error is None else None
        left = one.audio_tokens_per_layer[-1] if one.audio_tokens_per_layer else None
        table.add_data(
            *(one.id, _audio(example), one.reference, one.answer, one.text, one.error, one.seconds),
            *(one.audio_tokens, left, None if map_file is None else wandb.Image(str(map_file))),
        )
    return table


def _audio(example: Example) -> Any:
    import wandb

    try:
        samples = listen(example.audio[0], LONGEST_S, SAMPLE_RATE, example.reading).samples
    except InputError as error:
        log.warning("%s has no audio in the table of predictions: %s", example.id, error)
        return None
    return wandb.Audio(samples, sample_rate=SAMPLE_RATE, caption=example.instruction)


def _merge_map(session: Session, example: Example, number: int) -> Path | None:
    """The picture in the run's folder, drawn now if the model is in memory; None where neither is there."""
    file = session.store.folder / "maps" / f"{number}.png"
    adapter = session.setup.adapter
    adapter = adapter.inner if isinstance(adapter, SharedAdapter) else adapter
    if file.is_file() or not isinstance(adapter, SpeechLM) or not adapter.loaded:
        return file if file.is_file() else None
    try:
        clip = merge_map(SpeechModel(adapter), example, [(session.setup.task.name, session.setup.method)], example.id)
    except InputError as error:
        log.warning("no merge map of %s: %s", example.id, error)
        return None
    file.parent.mkdir(exist_ok=True)
    drawn(clip, clip.found[0]).savefig(file, dpi=100)
    return file


def _picture(drawing: "Drawing") -> "Image":
    """The pixels, since W&B takes matplotlib's own figures but none of a subclass."""
    from PIL.Image import open as read_image

    return read_image(BytesIO(drawing.png()))
