"""Every corpus, laid out as its makers ship it, becomes examples that its task reads and a model answers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastadasp.cli.data import of_data
from fastadasp.config.build import build
from fastadasp.config.paths import PACKAGE, options
from fastadasp.data.corpus import Corpus
from fastadasp.data.manifest import read_manifest
from fastadasp.data.sources import Cut, files_of
from tests.helpers.configs import composed
from tests.helpers.miniatures import MINIATURES, SAME_CLIPS, Miniature

LABELS = {
    "meld": "+task.labels={anger:[angry],sadness:[sad]}",
    "fleurs": "task.language=German",
}
"""What some corpora need besides."""


@pytest.fixture(params=sorted(MINIATURES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def small(name: str, tmp_path: Path) -> Miniature:
    return MINIATURES[name](tmp_path / "corpus")


def overrides(name: str, small: Miniature) -> list[str]:
    return [f"data={name}", f"data.root={small.root}", *map(of_data, small.settings)]


def corpus(name: str, small: Miniature) -> Corpus:
    built: Corpus = build(composed(*overrides(name, small)).data, "data")
    return built


def test_a_corpus_is_read_as_its_makers_mean_it(name: str, small: Miniature, tmp_path: Path) -> None:
    manifest = tmp_path / "elsewhere" / "manifest.jsonl"
    done = corpus(name, small).convert(manifest)
    assert (done.lines, dict(done.left_out)) == (len(small.expected), small.left_out)
    found = {record.id: record for record in read_manifest(manifest, {})}
    assert set(found) == set(small.expected)
    for id, expected in small.expected.items():
        record = found[id]
        for key, value in expected.items():
            if key == "audio":
                (cut,) = record.audio
                assert isinstance(cut, Cut)
                assert (str(cut.file.resolve()), cut.start, cut.seconds) == value
            elif key == "seconds":
                assert record.seconds == pytest.approx(value, abs=0.02 if name == "covost2" else 1e-6)
            else:
                assert record.fields[key] == value, (id, key)
        assert all(file.is_file() for source in record.audio for file in files_of(source))


@pytest.mark.slow
def test_a_run_answers_every_example_of_a_corpus(
    name: str, small: Miniature, evaluate: Callable[..., tuple[Path, float]]
) -> None:
    more = [LABELS[name]] if name in LABELS else []
    settings = [f"task={small.task}", *overrides(name, small), *small.run, *more, "merge.ratio=0.2", "merge.layer=1"]
    folder, _ = evaluate(*settings, "generation.max_new_tokens=2")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (metrics["examples"], metrics["failed"]) == (len(small.expected), 0)
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert {line["id"] for line in lines} == set(small.expected)
    assert all(line["audio_tokens"] > 0 for line in lines)


@pytest.mark.slow
def test_the_same_clips_get_the_same_answers_in_every_format(
    tmp_path: Path, evaluate: Callable[..., tuple[Path, float]]
) -> None:
    answers: list[list[Any]] = []
    for name in SAME_CLIPS:
        small = MINIATURES[name](tmp_path / name)
        folder, value = evaluate("task=asr", *overrides(name, small), "merge.ratio=0.3", "merge.layer=1")
        lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
        answers.append([[value, *((line["text"], line["audio_tokens"], line["reference"]) for line in lines)]])
    assert len(answers[0][0]) == 3
    assert all(one == answers[0] for one in answers)


def test_every_corpus_has_an_option_a_file_and_a_miniature_or_a_test_of_its_own() -> None:
    files = {file.stem for file in (PACKAGE / "data" / "corpora").glob("*.py")} - {"__init__"}
    own = {name for name in files if Path(__file__).with_name(f"test_{name}.py").is_file()}
    assert files == set(options("data")) == set(MINIATURES) | own
