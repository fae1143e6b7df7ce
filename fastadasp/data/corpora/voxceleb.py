"""VoxCeleb1 pairs: two utterances, of one speaker or of two (SV), `<root>/veri_test.txt` and `wav/<speaker>/...`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastadasp.data.corpus import Corpus
from fastadasp.data.rows import Bad, Row
from fastadasp.data.sources import Joined
from fastadasp.files.text import read_lines, shown


@dataclass(frozen=True)
class VoxCelebPairs(Corpus):
    """A list of trials `<1 or 0> <file> <file>`: veri_test.txt, veri_test2.txt, list_test_hard2.txt, ..."""

    trials: str = "veri_test.txt"
    """The list, below `root`."""
    clips: str = "wav"
    """Folder below `root` from which the list counts its paths."""
    join: bool = True
    """Put both utterances into one recording, as WavLLM's speaker verification does; false: two recordings in a prompt,
    for models that take several."""
    gap: float = 0.0
    """Seconds of silence between the two of a joined recording."""

    def rows(self) -> Iterator[Row | Bad]:
        """All examples, with `label` (yes: one speaker, no: two), `speaker` (the first) and `speakers`.

        The ids count the trials.
        """
        listing = self.find(self.trials, what="list of trials")
        folder = self.find(self.clips, what="folder of recordings")
        for number, line in read_lines(listing):
            words = line.split()
            if not words:
                continue
            if len(words) != 3 or words[0] not in ("0", "1"):
                yield Bad(f"{listing.name}, line {number}", f"must be 0 or 1 and two files, got {shown(line)}")
                continue
            files = (folder / words[1], folder / words[2])
            label = "yes" if words[0] == "1" else "no"
            speakers = [Path(word).parts[0] for word in words[1:]]
            audio = Joined(files, self.gap) if self.join else files
            yield Row(
                f"{listing.stem}-{number:05}",
                audio,
                {"label": label, "speaker": speakers[0], "speakers": speakers, "language": "en"},
            )
