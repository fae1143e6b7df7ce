"""MELD: utterances of the series Friends (ER), `<root>/<part>_sent_emo.csv` and a folder of clips for each part."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastadasp.data.corpus import Labelled
from fastadasp.data.rows import Bad, LeftOut, Row
from fastadasp.files.tables import read_csv

FOLDERS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
"""Where the release's archives are unpacked to."""
COLUMNS = ("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID")


@dataclass(frozen=True)
class MELD(Labelled):
    """One part; clips may be the release's mp4 (read with torchcodec or PyAV) or other files with the same names.

    Labels: neutral, joy, sadness, anger, surprise, fear, disgust.
    """

    part: str = "test"
    """train, dev or test."""
    clips: str = ""
    """Folder of the clips below `root`; empty: the release's own."""

    def rows(self) -> Iterator[Row | LeftOut | Bad]:
        """All examples, with `label`, `sentiment`, `text`, `speaker` and `dialogue`."""
        table = self.find(f"{self.part}_sent_emo.csv", what="table of MELD")
        given = (
            [self.clips] if self.clips else [FOLDERS.get(self.part, self.part), f"{self.part}/{FOLDERS.get(self.part)}"]
        )
        folder = self.find(*given, what="folder of clips")
        files = {file.stem: file for file in sorted(folder.iterdir()) if not file.name.startswith("._")}
        for line, row in read_csv(table, COLUMNS):
            id = f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"
            if id not in files:
                yield Bad(f"{table.name}, line {line}", f"no file {folder / id}.mp4 (or .wav, .flac)")
                continue
            fields = {"sentiment": row["Sentiment"], "text": row["Utterance"], "speaker": row["Speaker"]}
            yield self.labelled(
                id, files[id], row["Emotion"].lower(), **fields, dialogue=row["Dialogue_ID"], language="en"
            )
