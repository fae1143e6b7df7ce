"""LibriSpeech: read English books (ASR), `<root>/LibriSpeech/<part>/<speaker>/<chapter>/*.flac` and `*.trans.txt`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastadasp.data.corpus import Corpus
from fastadasp.data.rows import CorpusError, Row
from fastadasp.files.text import short


@dataclass(frozen=True)
class LibriSpeech(Corpus):
    """One subset, as torchaudio reads it."""

    part: str = "test-clean"
    """Subset: test-clean, test-other, dev-clean, dev-other, train-clean-100, train-clean-360, train-other-500."""

    def rows(self) -> Iterator[Row]:
        """All examples, with `text` (upper case, without punctuation), `speaker` and `chapter`."""
        inside = self.base.parent if self.base.name == "LibriSpeech" else self.base
        try:
            from torchaudio.datasets import LIBRISPEECH  # it imports torch

            corpus = LIBRISPEECH(inside, url=self.part)
            for index in range(len(corpus)):
                path, _, text, speaker, chapter, _ = corpus.get_metadata(index)
                fields = {"text": text, "speaker": str(speaker), "chapter": str(chapter), "language": "en"}
                yield Row(Path(path).stem, inside / "LibriSpeech" / path, fields)
        except ImportError as error:
            raise CorpusError(f"torchaudio reads LibriSpeech and cannot be imported ({short(error)})") from error
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise CorpusError(
                f"{self.part} cannot be read below {short(inside)} ({short(error)}); data.root must hold "
                "LibriSpeech/<part>/<speaker>/<chapter>, and data.part must be a subset such as test-clean"
            ) from error
