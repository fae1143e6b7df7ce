"""SpeechPrune against loops over tokens, one row at a time, and against the paper's quotas."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from fastadasp.merge.speech_prune import SpeechPrune, frame_quotas
from tests.helpers.method_states import GROUPS, HEAD_DIM, HEADS, Row, best, dot, input_state, rows_of

CASES = [(0.4, 0), (0.4, 1), (0.7, 0), (0.7, 1)]


def left(row: Row) -> int:
    return len(row.audio) - row.gone


def speech_prune(row: Row, frame: int, window: int) -> list[int]:
    state, audio, n = row.state, row.audio, len(row.audio)
    hidden = row.of(state.hidden_BTD)
    relevance = {t: sum(dot(hidden[t], hidden[q]) for q in row.question) / len(row.question) for t in audio}
    count = max(left(row), min(n, window))
    if count < n:
        frames = [audio[start : start + frame] for start in range(0, n, frame)]
        share = torch.tensor([sum(relevance[t] for t in part) for part in frames], dtype=torch.float64).softmax(0)
        kept = [
            t
            for part, p in zip(frames, share.tolist(), strict=True)
            for t in best(part, math.floor(count * p), relevance)
        ]
        audio = sorted(kept + best([t for t in audio if t not in kept], count - len(kept), relevance))

    def sign(x: Tensor) -> Tensor:
        return torch.where(x >= 0, 1.0, -1.0)

    query_weight, key_weight = state.decoder.projections()
    query = sign(hidden[audio]) @ sign(query_weight).T
    key = sign(hidden[audio]) @ sign(key_weight).T
    received = torch.zeros(len(audio), dtype=torch.float64)
    for head in range(HEADS):
        q, shared = query[:, head * HEAD_DIM : (head + 1) * HEAD_DIM], head // (HEADS // GROUPS)
        k = key[:, shared * HEAD_DIM : (shared + 1) * HEAD_DIM]
        received += (q @ k.T / math.sqrt(HEAD_DIM)).double().softmax(1).sum(0)
    # Signs make many equal scores, up to rounding.
    return best(audio, left(row), {t: round(score, 4) for t, score in zip(audio, received.tolist(), strict=True)})


@pytest.mark.parametrize(("frame", "window"), [(5, 750), (5, 12), (4, 0)])
@pytest.mark.parametrize(("ratio", "seed"), CASES)
def test_speech_prune_keeps_relevant_frames_then_what_is_attended_to(
    ratio: float, seed: int, frame: int, window: int
) -> None:
    state = input_state(ratio, seed)
    assignment = SpeechPrune(ratio=ratio, frame=frame, window=window).assign(state)
    for row in rows_of(state):
        assert row.kept_audio(assignment) == (speech_prune(row, frame, window) if row.audio else [])


def test_speech_prunes_golden_quotas() -> None:
    relevance = torch.tensor([[1.0, 2, 0]])
    frame = torch.tensor([[0, 1, 2]])
    quotas = frame_quotas(relevance, torch.ones(1, 3, dtype=torch.bool), frame, 3, [30])
    assert quotas.tolist() == [[7, 19, 2]]


def test_speech_prune_needs_a_question_after_the_audio() -> None:
    state = input_state(0.5, rows=[(3, 9, 2), (4, 8)])
    with pytest.raises(ValueError, match="row 1 of the batch has no text after its audio"):
        SpeechPrune(ratio=0.5, window=2).assign(state)


def test_speech_prune_asks_for_a_question_only_where_it_needs_one() -> None:
    state = input_state(0.5, rows=[(4, 8), (3, 30, 4)])
    assignment = SpeechPrune(ratio=0.4, window=15).assign(replace(state, n_remove=(3, 20)))
    alone = input_state(0.5, rows=[(4, 8)])
    short = rows_of(state)[0]
    alone = replace(alone, decoder=state.decoder, n_remove=(3,), hidden_BTD=short.of(state.hidden_BTD)[None])
    expected = rows_of(alone)[0].kept_audio(SpeechPrune(ratio=0.4, window=15).assign(alone))
    assert short.kept_audio(assignment) == expected
    assert len(expected) == 5
