"""Speaker verification as a question about one recording: does it hold one speaker or several?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastadasp.tasks.classification import Classification


@dataclass(frozen=True)
class SV(Classification):
    """WavLLM's form of speaker verification: two utterances in one recording, answered with yes or no."""

    instruction: str = "Is there only one speaker in the audio?"

    name = "sv"
    own_labels: ClassVar[Mapping[str, Sequence[str]]] = {
        "yes": ["only one speaker", "one speaker", "same speaker"],
        "no": ["two speakers", "more than one speaker", "different speakers"],
    }
