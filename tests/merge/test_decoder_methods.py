"""Rivals inside the decoder against loops over tokens, one row at a time; ragged batches, several clips, no audio."""

import pytest
import torch

from fastadasp.errors import ConfigError
from fastadasp.merge.a_tome import ATome
from fastadasp.merge.dart import Dart
from fastadasp.merge.fastv import FastV
from fastadasp.merge.frame import Frame
from fastadasp.merge.tome import Tome
from fastadasp.ops.adjacent import disjoint_pairs
from fastadasp.ops.assignment import apply
from fastadasp.reduction.method import MergeMethod
from tests.helpers.method_states import GROUPS, HEADS, Row, Scores, best, dot, joined, layer_state, rows_of

CASES = [(ratio, seed) for ratio in (0.1, 0.33, 0.5) for seed in range(4)]
STEEP = [(0.8, 0), (0.97, 1)]


def candidates(row: Row) -> list[int]:
    return [t for t in row.audio if t + 1 in row.audio]


def key_cosine(row: Row) -> dict[int, float]:
    keys = row.heads(row.state.keys_BGTd).transpose(0, 1).flatten(1)
    return {t: dot(keys[t], keys[t + 1]) for t in candidates(row)}


def best_first(pairs: list[int], scores: Scores, most: int | None) -> list[int]:
    taken: list[int] = []
    for pair in sorted(pairs, key=lambda t: (-scores[t], t)):
        if len(taken) != most and not {pair - 1, pair, pair + 1} & set(taken):
            taken.append(pair)
    return taken


@pytest.mark.parametrize(("ratio", "seed"), CASES)
def test_a_tome_takes_the_best_pairs_that_do_not_touch(ratio: float, seed: int) -> None:
    state = layer_state(ratio, seed)
    assignment = ATome(ratio=ratio).assign(state)
    for row in rows_of(state):
        pairs = best_first(candidates(row), key_cosine(row), row.gone)
        if len(pairs) == row.gone:  # else see test_matching
            assert row.groups(assignment) == joined(row, pairs)


@pytest.mark.parametrize("ratio", [0.0, 0.2])
def test_a_tomes_threshold_decides_and_the_ratio_caps_it(ratio: float) -> None:
    state = layer_state(ratio)
    method = ATome(ratio=ratio, threshold=0.1)
    assignment = method.assign(state)
    assert method.adaptive
    for row in rows_of(state):
        similar = [t for t in candidates(row) if key_cosine(row)[t] > 0.1]
        most = row.gone if ratio else None
        assert row.groups(assignment) == joined(row, best_first(similar, key_cosine(row), most))


def test_a_tome_spends_the_budget_that_the_released_scan_loses() -> None:
    """Golden vectors: of three chosen pairs the released `atome` fuses the two that follow none; here three go."""
    similarity, pair = torch.tensor([[0.9, 0.1, 0.95, 0.92, 0.3, -1.0]]), torch.tensor([[True] * 5 + [False]])
    order = [index for index, taken in enumerate(disjoint_pairs(similarity, pair)[0].tolist()) if taken]
    assert order == [0, 2, 4]
    state = layer_state(0.5, rows=[(0, 6)])
    hidden = torch.arange(1.0, 7).view(1, 6, 1)
    for chosen, expected in (([0, 2], [1.5, 3.5, 5, 6]), ([0, 2, 4], [1.5, 3.5, 5.5])):
        pairs = torch.zeros(1, 6, dtype=torch.bool)
        pairs[0, chosen] = True
        assert apply(hidden, state.fuse_pairs(pairs)).flatten().tolist() == expected


def test_disjoint_pairs_equal_the_greedy_loop_also_with_ties() -> None:
    torch.manual_seed(0)
    for case in range(200):
        length = 1 + case % 25
        score = torch.randint(0, 5, (2, length)).float() if case % 2 else torch.randn(2, length)
        pair = torch.rand(2, length) < 0.85
        pair[:, -1] = False
        taken = disjoint_pairs(score, pair)
        for row in range(2):
            pairs = pair[row].nonzero().flatten().tolist()
            assert taken[row].nonzero().flatten().tolist() == sorted(best_first(pairs, score[row].tolist(), None))


@pytest.mark.parametrize(("ratio", "seed"), CASES)
def test_tome_is_bipartite_matching_with_sizes(ratio: float, seed: int) -> None:
    state = layer_state(ratio, seed)
    assignment = Tome(ratio=ratio).assign(state)
    merged = apply(state.hidden_BTD, assignment)
    for row in rows_of(state):
        key = row.heads(state.keys_BGTd).mean(0)
        matches, scores = {}, {}
        for token in row.audio[0::2]:
            cosine = {odd: dot(key[token], key[odd]) for odd in row.audio[1::2] if row.run(odd) == row.run(token)}
            if cosine:
                matches[token] = best(list(cosine), 1, cosine)[0]
                scores[token] = cosine[matches[token]]
        fused = best(list(matches), min(row.gone, len(row.audio) // 2), scores)
        groups = {token: [token] for token in range(len(key)) if token not in fused}
        for token in fused:
            groups[matches[token]].append(token)
        expected = sorted(map(sorted, groups.values()))
        assert row.groups(assignment) == expected
        hidden, size = row.of(state.hidden_BTD), row.of(state.size_BT)
        for position, group in enumerate(expected):
            mean = sum(size[t] * hidden[t] for t in group) / sum(size[t] for t in group)
            torch.testing.assert_close(merged[row.index, merged.shape[1] - len(expected) + position], mean)


@pytest.mark.parametrize("method", [ATome, Tome])
def test_methods_that_fuse_two_by_two_refuse_more_than_half_at_once(method: type[MergeMethod]) -> None:
    assert method(ratio=0.8, schedule="constant").ratio == 0.8
    with pytest.raises(ConfigError, match=r"merge.ratio must not exceed 0.5 for .*, got 0.6"):
        method(ratio=0.6)
    with pytest.raises(ConfigError, match=r"merge.layer_ratio must not exceed 0.5"):
        method(layer_ratio=0.6, schedule="decay")


@pytest.mark.parametrize("queries", ["last", "all"])
@pytest.mark.parametrize(("ratio", "seed"), [*CASES[::4], *STEEP])
def test_fastv_keeps_what_is_attended_to(ratio: float, seed: int, queries: str) -> None:
    state = layer_state(ratio, seed)
    assignment = FastV(ratio=ratio, queries=queries).assign(state)
    for row in rows_of(state):
        query, key = row.heads(state.queries_BHTd), row.heads(state.keys_BGTd).repeat_interleave(HEADS // GROUPS, 0)
        tokens = query.shape[1]
        seen = torch.zeros(tokens)
        for q in range(tokens) if queries == "all" else [tokens - 1]:
            for head in range(HEADS):
                seen[: q + 1] += (key[head, : q + 1] @ query[head, q] * state.scaling).softmax(0)
        assert row.kept_audio(assignment) == best(row.audio, len(row.audio) - row.gone, seen.tolist())


@pytest.mark.parametrize(("ratio", "seed"), [*CASES[::4], *STEEP])
def test_frame_keeps_evenly_spaced_tokens(ratio: float, seed: int) -> None:
    state = layer_state(ratio, seed)
    assignment = Frame(ratio=ratio).assign(state)
    for row in rows_of(state):
        n, kept = len(row.audio), len(row.audio) - row.gone
        assert row.kept_audio(assignment) == [row.audio[int(i * n / kept)] for i in range(kept)]


def test_frames_golden_vector() -> None:
    state = layer_state(0.6, rows=[(0, 10)])
    assert rows_of(state)[0].kept_audio(Frame(ratio=0.6).assign(state)) == [0, 2, 5, 7]


def dart(row: Row, audio_pivots: int, text_pivots: int) -> list[int]:
    """As in the port that the notes describe, with pivots in order and every left-over token given to one."""
    norm = row.heads(row.state.keys_BGTd).abs().sum((0, 2))
    token = row.state.decoder.final_norm(row.of(row.state.hidden_BTD))
    left = len(row.audio) - row.gone
    audio = sorted(row.audio, key=lambda t: (-float(norm[t]), t))[: min(audio_pivots, left)]
    pivots = audio + sorted(row.question, key=lambda t: (-float(norm[t]), t))[:text_pivots]
    kept = list(audio)
    for number, pivot in enumerate(pivots):
        share = (left - len(audio)) // len(pivots) + (number < (left - len(audio)) % len(pivots))
        rest = [t for t in row.audio if t not in kept]
        kept += best(rest, share, {t: -dot(token[t], token[pivot]) for t in rest})
    return sorted(kept)


@pytest.mark.parametrize(("audio_pivots", "text_pivots"), [(4, 4), (2, 0)])
@pytest.mark.parametrize(("ratio", "seed"), [*CASES[::3], *STEEP])
def test_dart_keeps_what_is_least_like_its_pivots(ratio: float, seed: int, audio_pivots: int, text_pivots: int) -> None:
    state = layer_state(ratio, seed)
    assignment = Dart(ratio=ratio, audio_pivots=audio_pivots, text_pivots=text_pivots).assign(state)
    for row in rows_of(state):
        assert row.kept_audio(assignment) == (dart(row, audio_pivots, text_pivots) if row.audio else [])
