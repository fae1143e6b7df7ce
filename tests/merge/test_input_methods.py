"""Rivals before the decoder against loops over tokens, one row at a time; ragged batches, two clips, no audio."""

import math
import re
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from fastadasp.errors import ConfigError
from fastadasp.merge.affinity_pooling import AffinityPooling
from fastadasp.merge.cdpruner import CDPruner
from fastadasp.merge.divprune import DivPrune
from fastadasp.merge.samp import Samp
from fastadasp.merge.segment_topk import SegmentTopK
from fastadasp.merge.speech_prune import SpeechPrune
from fastadasp.merge.stride import Stride
from fastadasp.merge.visionzip import VisionZip
from fastadasp.merge.vispruner import VisPruner
from fastadasp.ops.adjacent import mean_similarity_groups
from fastadasp.ops.assignment import apply
from fastadasp.ops.diversity import determinantal_choice, farthest_choice
from tests.helpers.method_states import CHANNELS, Row, best, dot, input_state, rows_of

CASES = [(ratio, seed) for ratio in (0.1, 0.4, 0.7, 0.95) for seed in range(2)]


def left(row: Row) -> int:
    return len(row.audio) - row.gone


def determinantal(kernel: Tensor, count: int) -> list[int]:
    """Each pick is the one with the largest log-determinant, computed from scratch in double precision."""
    kernel, picks = kernel.double(), []
    for _ in range(min(count, len(kernel))):
        rest = [i for i in range(len(kernel)) if i not in picks]
        picks.append(max(rest, key=lambda i: (float(torch.logdet(kernel[[*picks, i]][:, [*picks, i]])), -i)))
    return sorted(picks)


def cosines(x: Tensor) -> Tensor:
    return torch.tensor([[dot(a, b) for b in x] for a in x])


@pytest.mark.parametrize("seed", range(6))
def test_determinantal_choice_maximises_the_determinant(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(3, 9, 12)
    kernel, candidates = x @ x.mT, torch.rand(3, 9) < 0.8
    counts = [0, 3, 5]
    chosen = determinantal_choice(kernel, candidates, counts)
    for row, count in enumerate(counts):
        columns = candidates[row].nonzero().flatten()
        expected = columns[determinantal(kernel[row][columns][:, columns], count)]
        assert chosen[row].nonzero().flatten().tolist() == expected.tolist()


def test_determinantal_choice_golden_vectors() -> None:
    similarity = torch.tensor([[1, 0.9, 0.1, 0.2], [0.9, 1, 0.1, 0.2], [0.1, 0.1, 1, 0.5], [0.2, 0.2, 0.5, 1]])
    relevance = torch.tensor([0.5, 0.6, 0.3, 0.4])
    relevant = relevance[:, None] * similarity * relevance
    everyone = torch.ones(1, 4, dtype=torch.bool)
    for kernel, count, expected in ((similarity, 2, [0, 2]), (relevant, 2, [1, 3]), (relevant, 3, [1, 2, 3])):
        assert determinantal_choice(kernel[None], everyone, [count])[0].nonzero().flatten().tolist() == expected


def test_determinantal_choice_golden_order() -> None:
    """Picks in turn: what a smaller count chooses, a larger one chooses first."""
    similarity = torch.tensor([[1, 0.9, 0.1, 0.2], [0.9, 1, 0.1, 0.2], [0.1, 0.1, 1, 0.5], [0.2, 0.2, 0.5, 1]])
    relevance = torch.tensor([0.5, 0.6, 0.3, 0.4])
    kernel = (relevance[:, None] * similarity * relevance)[None]
    picks: list[int] = []
    for count in (1, 2, 3):
        chosen = determinantal_choice(kernel, torch.ones(1, 4, dtype=torch.bool), [count])[0].nonzero().flatten()
        picks += [pick for pick in chosen.tolist() if pick not in picks]
        assert len(picks) == count
    assert picks == [1, 3, 2]


def test_determinantal_choice_outlasts_the_rank_of_its_kernel() -> None:
    """The released loop divides by a vanished gain there; here what adds nothing is taken in order."""
    x = torch.tensor([[1.0, 0], [1, 0], [0, 1], [1, 1], [0, 1]])
    kernel, everyone = (x @ x.T)[None], torch.ones(1, 5, dtype=torch.bool)
    assert determinantal_choice(kernel, everyone, [4])[0].tolist() == [True, True, True, True, False]
    assert determinantal_choice(kernel, everyone, [9])[0].all()


def test_divprunes_golden_vector() -> None:
    angle = torch.tensor([0.0, 10, 80, 90, 180]).deg2rad()
    x = torch.stack([angle.cos(), angle.sin()], -1)
    chosen = farthest_choice((1 - x @ x.T)[None], torch.ones(1, 5, dtype=torch.bool), [3])
    assert chosen[0].tolist() == [True, False, False, True, True]


@pytest.mark.parametrize(("ratio", "seed"), CASES)
def test_divprune_adds_the_farthest(ratio: float, seed: int) -> None:
    state = input_state(ratio, seed)
    assignment = DivPrune(ratio=ratio).assign(state)
    for row in rows_of(state):
        distance = 1 - cosines(row.of(state.hidden_BTD))
        kept: list[int] = []
        for _ in range(left(row)):
            others = kept or row.audio
            nearest = {
                t: min((float(distance[t, o]) for o in others if o != t), default=math.inf)
                for t in row.audio
                if t not in kept
            }
            kept.append(max(nearest, key=lambda t: (nearest[t], -t)))
        assert row.kept_audio(assignment) == sorted(kept)


@pytest.mark.parametrize("relevance", ["none", "attention"])
@pytest.mark.parametrize(("ratio", "seed"), CASES[4:])
def test_cdpruner_is_a_determinantal_choice_among_a_rows_audio(ratio: float, seed: int, relevance: str) -> None:
    state = input_state(ratio, seed)
    assignment = CDPruner(ratio=ratio, relevance=relevance).assign(state)
    for row in rows_of(state):
        kernel = cosines(row.of(state.hidden_BTD)[row.audio]) if row.audio else torch.zeros(0, 0)
        kernel.fill_diagonal_(1)
        own = row.of(state.encoder.own_BT("max"))[row.audio] if relevance == "attention" else torch.ones(len(row.audio))
        # As many as the kernel has rank: what comes after adds nothing, see above.
        if left(row) <= CHANNELS:
            picks = determinantal(own[:, None] * kernel * own, left(row))
            assert row.kept_audio(assignment) == [row.audio[i] for i in picks]
        assert len(row.kept_audio(assignment)) == left(row)


def clusters(row: Row, threshold: float) -> list[list[int]]:
    """The released scan: token by token, by its mean cosine with the open cluster. If more than `row.gone` tokens join,
    the others of them open clusters of their own."""
    hidden = row.of(row.state.hidden_BTD)
    open_cluster: list[int] = []
    joins: dict[int, float] = {}
    for token in row.audio:
        mean = sum(dot(hidden[token], hidden[t]) for t in open_cluster) / max(1, len(open_cluster))
        if open_cluster and open_cluster[-1] == token - 1 and mean >= threshold:
            joins[token] = mean
            open_cluster.append(token)
        else:
            open_cluster = [token]
    groups: list[list[int]] = []
    allowed = best(list(joins), row.gone, joins)
    for token in row.audio:
        if token in allowed:
            groups[-1].append(token)
        else:
            groups.append([token])
    return groups


@pytest.mark.parametrize("threshold", [-1.0, 0.5, 0.85, 0.95, 1.0])
@pytest.mark.parametrize(("ratio", "seed"), CASES[4:])
def test_samp_merges_then_prunes(ratio: float, seed: int, threshold: float) -> None:
    state = input_state(ratio, seed)
    assignment = Samp(ratio=ratio, threshold=threshold).assign(state)
    merged = apply(state.hidden_BTD, assignment)
    for row in rows_of(state):
        groups = clusters(row, threshold)
        hidden = row.of(state.hidden_BTD)
        weight, own = row.of(state.encoder.received_BT("max")), row.of(state.encoder.own_BT("mean"))
        values = [sum(weight[t] * hidden[t] for t in group) / sum(weight[t] for t in group) for group in groups]
        relevance = torch.tensor([sum(float(own[t]) for t in group) / len(group) for group in groups])
        picks = list(range(len(groups)))
        if len(groups) > left(row):
            picks = determinantal(relevance[:, None] * cosines(torch.stack(values)) * relevance, left(row))
        text = [[t] for t in range(len(hidden)) if t not in row.audio]
        expected = sorted([*text, *(groups[i] for i in picks)])
        assert row.groups(assignment) == expected
        for i in picks:
            column = merged.shape[1] - len(expected) + expected.index(groups[i])
            torch.testing.assert_close(merged[row.index, column], values[i], rtol=1e-4, atol=1e-5)


def test_samp_removes_what_was_asked_for_however_monotonous_the_audio() -> None:
    state = input_state(0.3, rows=[(3, 50, 4), (2, 9, 3), (1, 3), (4, 20, 2, 11, 5)])
    state.hidden_BTD[:] = torch.ones(CHANNELS)
    state = replace(state, n_remove=(15, 0, 1, 30))
    assignment = Samp(threshold=0.85).assign(state)
    assert assignment.lengths == tuple(int(slots.max()) + 1 for slots in assignment.slot) == (42, 14, 3, 12)


def test_samps_golden_clusters() -> None:
    angle = torch.tensor([0.0, 20, 40, 45, 95, 100]).deg2rad()
    x = torch.stack([angle.cos(), angle.sin()], -1)
    starts = mean_similarity_groups((x @ x.T)[None], torch.ones(1, 6, dtype=torch.bool), 0.85)
    assert starts[0].tolist() == [True, False, False, False, True, False]


@pytest.mark.parametrize(("ratio", "seed"), CASES)
def test_visionzip_keeps_dominant_tokens_and_sums_up_the_others(ratio: float, seed: int) -> None:
    state = input_state(ratio, seed)
    assignment = VisionZip(ratio=ratio, contextual=0.1).assign(state)
    merged = apply(state.hidden_BTD, assignment)
    for row in rows_of(state):
        received, keys = row.of(state.encoder.received_BT("mean")), row.of(state.encoder.keys_BTd)
        few = min(max(int(0.1 * len(row.audio)), 1), left(row))
        dominant = best(row.audio, left(row) - few, received.tolist())
        rest = [t for t in row.audio if t not in dominant]
        targets = rest[:: max(1, len(rest) // max(1, few))][:few]
        members: dict[int, list[int]] = {target: [] for target in targets}
        for token in rest:
            near = [target for target in targets if row.run(target) == row.run(token)]
            if token not in targets and near:
                members[max(near, key=lambda t: (dot(keys[t], keys[token]), -t))].append(token)
        hidden = row.of(state.hidden_BTD)
        groups = {target: sorted([target, *tokens]) for target, tokens in members.items()}
        groups |= {t: [t] for t in range(len(hidden)) if t not in rest}
        expected = sorted(groups.values())
        assert row.groups(assignment) == expected
        for target, tokens in members.items():
            if tokens:
                mean = (hidden[target] + sum(hidden[t] for t in tokens) / len(tokens)) / 2
                column = merged.shape[1] - len(expected) + expected.index(groups[target])
                torch.testing.assert_close(merged[row.index, column], mean, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("important", [0.5, 0.0])
@pytest.mark.parametrize(("ratio", "seed"), CASES)
def test_vispruner_thins_out_what_attention_leaves(ratio: float, seed: int, important: float) -> None:
    state = input_state(ratio, seed)
    assignment = VisPruner(ratio=ratio, important=important).assign(state)
    for row in rows_of(state):
        received, hidden = row.of(state.encoder.received_BT("max")), row.of(state.hidden_BTD)
        first = best(row.audio, round(important * left(row)), received.tolist())
        rest = [t for t in row.audio if t not in first]
        while len(rest) > left(row) - len(first):
            even, odd = rest[0::2], rest[1::2]
            nearest = {t: max(dot(hidden[t], hidden[o]) for o in odd) for t in even}
            even.sort(key=lambda t: (-nearest[t], rest.index(t)))
            rest = even[min(4, len(rest) - left(row) + len(first), len(even)) :] + odd
        assert row.kept_audio(assignment) == sorted(first + rest)


def test_vispruner_may_leave_none_but_important_tokens() -> None:
    state = replace(input_state(0.5, rows=[(1, 2, 3), (2, 9, 1), (1, 4, 1)]), n_remove=(1, 4, 4))
    assignment = VisPruner(ratio=0.5, important=0.9).assign(state)
    row, received = rows_of(state)[0], state.encoder.received_BT("max")
    assert row.kept_audio(assignment) == best(row.audio, 1, row.of(received).tolist())
    assert assignment.lengths == (5, 8, 2)
    for part in rows_of(state)[1:]:
        assert len(part.kept_audio(assignment)) == left(part)


@pytest.mark.parametrize("segments", [1, 4, 10])
@pytest.mark.parametrize(("ratio", "seed"), CASES)
def test_segment_topk_takes_some_from_everywhere(ratio: float, seed: int, segments: int) -> None:
    state = input_state(ratio, seed)
    assignment = SegmentTopK(ratio=ratio, segments=segments).assign(state)
    for row in rows_of(state):
        received, n = row.of(state.encoder.received_BT("mean")).tolist(), len(row.audio)
        parts: list[list[int]] = [[] for _ in range(segments)]
        for place, token in enumerate(row.audio):
            parts[place * segments // n].append(token)
        kept = [t for part in parts for t in best(part, left(row) // segments, received)]
        kept += best([t for t in row.audio if t not in kept], left(row) - len(kept), received)
        assert row.kept_audio(assignment) == sorted(kept)


@pytest.mark.parametrize("stride", [2, 3, 4, 5])
def test_stride_keeps_every_kth_token_where_that_is_the_budget(stride: int) -> None:
    state = input_state(1 - 1 / stride)
    assignment = Stride(ratio=1 - 1 / stride).assign(state)
    for row in rows_of(state):
        assert row.kept_audio(assignment) == row.audio[::stride]


def test_stride_between_two_strides_is_even_spacing() -> None:
    state = input_state(0.3, rows=[(0, 10)])
    assert rows_of(state)[0].kept_audio(Stride(ratio=0.3).assign(state)) == [int(i * 10 / 7) for i in range(7)]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Samp(threshold=1.5), "merge.threshold must lie in [-1, 1], got 1.5"),
        (lambda: AffinityPooling(threshold=1.0), "merge.threshold must lie in [-1, 1) or be null, got 1.0"),
        (lambda: AffinityPooling(window=0), "merge.window must be a whole number from 1 up, got 0"),
        (lambda: AffinityPooling(affinity="all"), "merge.affinity must be one of any, mean; got 'all'"),
        (lambda: CDPruner(relevance="text"), "merge.relevance must be one of none, attention; got 'text'"),
        (lambda: VisionZip(contextual=1.0), "merge.contextual must lie in [0, 1), got 1.0"),
        (lambda: VisPruner(important=-0.1), "merge.important must lie in [0, 1), got -0.1"),
        (lambda: SegmentTopK(segments=0), "merge.segments must be a whole number from 1 up, got 0"),
        (lambda: SpeechPrune(frame=0), "merge.frame must be a whole number from 1 up, got 0"),
    ],
)
def test_settings_out_of_range_name_their_key(build: object, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        build()  # type: ignore[operator]
