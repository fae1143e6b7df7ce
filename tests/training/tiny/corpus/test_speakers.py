"""The population of speakers and who is held out."""

from experiments.training.tiny.corpus.speakers import HELD_OUT, population, voices_for


def test_names_are_given_once() -> None:
    names = [voice.name for voice in population()]
    assert len(names) == len(set(names))


def test_no_training_voice_is_a_held_out_one() -> None:
    training = {voice.name for voice in voices_for("train", ("hibari", "flite", "piper", "espeak", "kokoro"))}
    assert not training & {name for names in HELD_OUT.values() for name in names}
    assert {voice.name for voice in voices_for("test", ("hibari", "flite", "kokoro"))} == set(HELD_OUT["test"])


def test_no_later_training_voice_is_near_a_held_out_one() -> None:
    """Within half a semitone and within 2 % of the formants one might take them for the same speaker."""
    apart = [voice for split in ("dev", "test") for voice in voices_for(split) if voice.engine == "hibari"]
    later = [
        voice
        for voice in voices_for("train")
        if voice.engine == "hibari" and int(voice.name.removeprefix("hibari-")) >= 60
    ]
    assert len(apart) == 6
    assert len(later) > 200
    semitone = 2 ** (1 / 12)
    for voice in later:
        for other in apart:
            pitches = sorted((voice.pitch, other.pitch))
            tracts = sorted((voice.tract, other.tract))
            assert pitches[1] / pitches[0] > semitone**0.5 or tracts[1] / tracts[0] > 1.02
