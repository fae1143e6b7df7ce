"""Check, convert or describe a corpus or a manifest: `fastadasp data check librispeech root=/corpora`.

`check` reads every line, and with --listen every second of audio; `convert` writes a manifest; `describe` counts.
NAME is an option of `data=` (`fastadasp ls corpora`), followed by its settings, or the path of a manifest.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from fastadasp.config.messages import readable_errors, suggest
from fastadasp.config.paths import options
from fastadasp.errors import ConfigError

if TYPE_CHECKING:
    from fastadasp.data.corpus import Corpus
    from fastadasp.data.manifest import Record


def main(arguments: Sequence[str]) -> None:
    """Run one of the three."""
    parser = argparse.ArgumentParser(prog="fastadasp data", description="Check, convert or describe speech data.")
    parser.add_argument("action", choices=("check", "convert", "describe"))
    parser.add_argument("name", help="an option of data= such as librispeech, or the path of a manifest")
    parser.add_argument("settings", nargs="*", help="settings of the corpus, such as root=/corpora part=test-other")
    parser.add_argument("--out", type=Path, help="the manifest that `convert` writes")
    parser.add_argument("--skip-bad", action="store_true", help="`convert`: leave out what cannot be used")
    parser.add_argument("--task", help="`check`: read it as this task does, such as asr, its fields included")
    parser.add_argument("--listen", action="store_true", help="`check`: read all audio, not only the headers")
    given = parser.parse_intermixed_args(arguments)
    with readable_errors():
        if given.action == "convert":
            _convert(given.name, given.settings, given.out, given.skip_bad)
        else:
            _look(given.name, given.settings, given)


def _corpus(name: str, settings: Sequence[str]) -> "Corpus":
    """The corpus of an option of `data=`; ConfigError where there is none of that name."""
    from fastadasp.config.build import build
    from fastadasp.config.compose import compose

    known = options("data")
    if name not in known:
        raise ConfigError(f"{name} is neither a manifest nor a corpus; {_layout_of(name) or suggest(name, known)}")
    corpus: Corpus = build(compose(f"data={name}", *map(of_data, settings)).data, "data")
    return corpus


def _layout_of(name: str) -> str:
    """Which option of `data=` reads a folder of this layout, as advice; empty where that is not known."""
    from fastadasp.files.text import home

    folder = home(Path(name))
    signs = {
        "wav.scp": "kaldi", "dataset_dict.json": "huggingface", "state.json": "huggingface", "*.parquet": "huggingface",
        "data/*.parquet": "huggingface", "metadata.csv": "audiofolder", "metadata.jsonl": "audiofolder",
        "*.tar": "webdataset", "LibriSpeech": "librispeech", "Foundation/*.json": "air_bench", "mmau*.json": "mmau",
        "question/mmsu.jsonl": "mmsu", "veri_test.txt": "voxceleb", "*_sent_emo.csv": "meld", "AudioWAV": "crema_d",
    }  # fmt: skip
    option = next((option for sign, option in signs.items() if folder.is_dir() and any(folder.glob(sign))), None)
    return f"for this folder, try `{option} root={name}`" if option else ""


def of_data(setting: str) -> str:
    """A setting of a corpus as an override of a run: `part=test`, or `+rename.sentence=text` for a new key."""
    return f"+data.{setting[1:]}" if setting.startswith("+") else f"data.{setting}"


def _convert(name: str, settings: Sequence[str], out: Path | None, skip_bad: bool) -> None:
    if out is None:
        raise ConfigError("--out must be given: the manifest to write, such as --out test.jsonl")
    done = _corpus(name, settings).convert(out, skip_bad)
    print(f"{out}: {done.told()}")
    for problem in done.problems[:20]:
        print(f"  left out as bad: {problem}", file=sys.stderr)


def _look(name: str, settings: Sequence[str], given: argparse.Namespace) -> None:
    from fastadasp.data.describe import described
    from fastadasp.data.manifest import read_manifest
    from fastadasp.files.text import home

    file = home(Path(name))
    with TemporaryDirectory() as folder:
        told = ""
        if not file.is_file():
            file = Path(folder, "manifest.jsonl")
            told = f"\n{_corpus(name, settings).convert(file).told()}"
        elif settings:
            raise ConfigError(f"{name} is a manifest, which takes no settings; got {' '.join(settings)}")
        records = read_manifest(file, {})
        if given.task:
            _read_as(given.task, file)
        if given.listen:
            _listen(file, records)
        if given.action == "describe":
            print(described(records) + told)
        else:
            print(f"{name}: {len(records)} examples, no problem{told}")


def _read_as(task: str, manifest: Path) -> None:
    """Read a manifest as a task does; the task's ManifestError lists every line that lacks what the task needs."""
    from fastadasp.config.build import build
    from fastadasp.config.compose import compose

    if task not in options("task"):
        raise ConfigError(f"--task {task}: there is no such task; {suggest(task, options('task'))}")
    node = compose(f"task={task}").task
    node.manifest = str(manifest)
    build(node, "task").checked_examples()


def _listen(manifest: Path, records: "Sequence[Record]") -> None:
    """Read all audio; ManifestError with every file that cannot be read."""
    from fastadasp.data.audio import SAMPLE_RATE, AudioError
    from fastadasp.data.audio_options import AudioOptions
    from fastadasp.data.listen import listen
    from fastadasp.data.manifest import ManifestError

    problems = []
    for record in records:
        for source in record.audio:
            try:
                own = record.fields.get("audio_options")
                reading = AudioOptions() if own is None else AudioOptions().updated(own)
                listen(source, float("inf"), SAMPLE_RATE, reading)
            except (AudioError, ConfigError) as error:
                problems.append(f"line {record.where.rpartition(':')[2]}: {error}")
    if problems:
        raise ManifestError.listing(manifest, problems)
