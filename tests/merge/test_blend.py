"""Blend against FastAdaSP where it must be the same, and against loops over tokens where it must not."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from fastadasp import merging
from fastadasp.errors import ConfigError
from fastadasp.merge.blend import Blend
from fastadasp.merge.fastadasp import FastAdaSP
from fastadasp.ops.assignment import Assignment, apply
from fastadasp.ops.attention import attention_rows
from tests.helpers.method_states import Row, Scores, dot, joined, layer_state, rows_of
from tests.helpers.tiny_decoders import Prompt, left_padded, prompt, tiny_decoder

CASES = [(ratio, seed) for ratio in (0.1, 0.33, 0.5, 0.8) for seed in range(3)]


def pairs_of(row: Row) -> list[int]:
    return [t for t in row.audio if t + 1 in row.audio]


def order(row: Row, scores: Scores, longest: int) -> list[int]:
    """Pairs in the order in which they are fused: those that touch no better one and stay short, then the others."""
    sizes = row.of(row.state.size_BT).tolist()
    ranked = sorted(pairs_of(row), key=lambda t: (-scores[t], t))
    first: list[int] = []
    for pair in ranked:
        if sizes[pair] + sizes[pair + 1] <= longest and not {pair - 1, pair + 1} & set(first):
            first.append(pair)
    return first + [pair for pair in ranked if pair not in first]


@pytest.mark.parametrize(("ratio", "seed"), CASES)
def test_it_is_fastadasp_where_told_so(ratio: float, seed: int) -> None:
    state = layer_state(ratio, seed)
    same = Blend(ratio=ratio, similarity="keys", weights="received", longest=0).assign(state)
    wanted = FastAdaSP(ratio=ratio).assign(state)
    torch.testing.assert_close(same.slot, wanted.slot)
    torch.testing.assert_close(apply(state.hidden_BTD, same), apply(state.hidden_BTD, wanted))


@pytest.mark.parametrize("similarity", ["keys", "unrotated_keys", "values", "hidden"])
@pytest.mark.parametrize(("ratio", "seed"), CASES)
def test_pairs_that_stay_short_go_first(ratio: float, seed: int, similarity: str) -> None:
    state = layer_state(ratio, seed)
    assignment = Blend(ratio=ratio, similarity=similarity, longest=4).assign(state)
    heads = {
        "keys": state.keys_BGTd,
        "unrotated_keys": state.unrotated_keys_BGTd,
        "values": state.values_BGTd,
        "hidden": state.hidden_BTD[:, None],
    }[similarity]
    for row in rows_of(state):
        vectors = row.heads(heads).transpose(0, 1).flatten(1)
        cosines = {t: dot(vectors[t], vectors[t + 1]) for t in pairs_of(row)}
        count = min(row.gone, len(cosines))
        assert row.groups(assignment) == joined(row, order(row, cosines, 4)[:count])


@pytest.mark.parametrize("weights", ["received", "per_query", "question", "size", "plain"])
def test_each_token_weighs_what_was_asked_for(weights: str) -> None:
    state = layer_state(0.5)
    assignment = Blend(ratio=0.5, weights=weights).assign(state)
    fused_BTD = apply(state.hidden_BTD, assignment)
    rows_BHTT = attention_rows(state.queries_BHTd, state.keys_BGTd, 0, state.real_BT, state.scaling)
    fusions = 0
    for row in rows_of(state):
        tokens = state.layout.tokens[row.index]
        matrix = rows_BHTT[row.index][:, row.columns, row.columns].sum(0)
        weight = {
            "received": matrix.sum(0),
            "per_query": matrix.sum(0) / torch.arange(tokens, 0, -1),
            "question": matrix[row.question].sum(0) if row.question else matrix.sum(0),
            "size": row.of(state.size_BT),
            "plain": torch.ones(tokens),
        }[weights]
        groups = row.groups(assignment)
        output = fused_BTD[row.index, fused_BTD.shape[1] - len(groups) :]
        for group, token in zip(groups, output, strict=True):
            fusions += len(group) > 1
            share = weight[group] / weight[group].sum()
            torch.testing.assert_close(token, share @ row.of(state.hidden_BTD)[group], rtol=1e-4, atol=1e-5)
    assert fusions > 10


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"longest": 1}, "at least 2"),
        ({"longest": -1}, "from 0 up"),
        ({"similarity": "ears"}, "unrotated_keys"),
        ({"threshold": 1.0}, r"merge.threshold must lie in \[-1, 1\) or be null, got 1.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Blend(**setting)


def ahead(row: Row, scores: Scores, threshold: float, due: int, most: int) -> list[int]:
    """Pairs in the order of their scores: those that are due, then more while they exceed the threshold and may go."""
    ranked = order(row, scores, 0)
    chosen = ranked[: min(due, most)]
    for pair in ranked[len(chosen) : most]:
        if scores[pair] > threshold:
            chosen.append(pair)
    return chosen


@pytest.mark.parametrize("threshold", [-1.0, -0.2, 0.3, 0.99])
@pytest.mark.parametrize("more", [-2, 0, 3, 100])
@pytest.mark.parametrize(("ratio", "seed"), CASES[:6])
def test_pairs_above_the_threshold_go_ahead_of_the_schedule(
    ratio: float, seed: int, more: int, threshold: float
) -> None:
    state = layer_state(ratio, seed)
    state = replace(state, affordable=tuple(max(0, due + more) for due in state.n_remove))
    method = Blend(ratio=ratio, threshold=threshold)
    assert method.adaptive
    assignment = method.assign(state)
    for row in rows_of(state):
        vectors = row.heads(state.values_BGTd).transpose(0, 1).flatten(1)
        cosines = {t: dot(vectors[t], vectors[t + 1]) for t in pairs_of(row)}
        chosen = ahead(row, cosines, threshold, row.gone, state.affordable[row.index])
        assert row.groups(assignment) == joined(row, chosen)


PROMPTS = [prompt(5, 60, 7), prompt(3, 40, 9, seed=1), prompt(4, 13, 3, 20, 6, seed=2), prompt(8, seed=3)]


@torch.no_grad()
def audio_left(method: Blend, prompts: list[Prompt]) -> Tensor:
    """(L, B): after each layer."""
    ids, real, audio = left_padded(prompts)
    with merging(model := tiny_decoder(), method, audio) as trace:
        model(ids, attention_mask=real)
    return trace.audio_tokens


@pytest.mark.parametrize("schedule", ["constant", "decay"])
@pytest.mark.parametrize("amount", [{"ratio": 0.5}, {"layer_ratio": 0.1}, {"flops_reduction": 0.3}])
def test_what_goes_early_is_saved_late(amount: dict[str, float], schedule: str) -> None:
    settings = {"layer": 1, "schedule": schedule, **amount}
    plain = audio_left(Blend(**settings), PROMPTS)
    never, some, all_pairs = (audio_left(Blend(threshold=t, **settings), PROMPTS) for t in (0.999, 0.0, -1.0))
    assert torch.equal(never, plain)
    for early in (some, all_pairs):
        assert (early[1, :3] < plain[1, :3]).all()
        assert (early[-2, :3] > plain[-2, :3]).all()
        read = early[:-1].sum(0) - plain[:-1].sum(0)  # by the layers after each
        assert ((read >= 0) & (read < len(plain))).all()
    assert (some[1] >= all_pairs[1]).all()
    alone = torch.cat([audio_left(Blend(threshold=0.0, **settings), [row]) for row in PROMPTS], 1)
    assert torch.equal(some, alone)


def test_without_a_ratio_the_threshold_alone_decides() -> None:
    left = audio_left(Blend(threshold=0.0, layer=1), PROMPTS)
    everything = audio_left(Blend(threshold=-1.0, layer=1), PROMPTS)
    assert everything[-1].tolist() == [1, 1, 2, 0]  # one for each clip
    assert (left[-1, :3] > everything[-1, :3]).all()
    assert (left[-1, :3] < left[0, :3]).all()


@pytest.mark.parametrize(("ratio", "seed"), CASES)
def test_with_keep_norm_a_fused_token_has_the_mean_norm_of_its_tokens_and_its_direction_stays(
    ratio: float, seed: int
) -> None:
    state = layer_state(ratio, seed)
    plain = Blend(ratio=ratio, weights="size")
    mean, kept = plain.assign(state), replace(plain, keep_norm=True).assign(state)
    torch.testing.assert_close(kept.slot, mean.slot)
    mean_BSD, kept_BSD = apply(state.hidden_BTD, mean), apply(state.hidden_BTD, kept)
    for b, slots in enumerate(kept.slot.tolist()):
        shift = mean.width - mean.lengths[b]
        for slot in range(mean.lengths[b]):
            members = [t for t, other in enumerate(slots) if other == slot]
            if len(members) == 1:
                assert torch.equal(kept_BSD[b, slot + shift], state.hidden_BTD[b, members[0]])
                continue
            sizes = [float(state.size_BT[b, t]) for t in members]
            norms = [float(state.hidden_BTD[b, t].double().norm()) for t in members]
            wanted = sum(size * norm for size, norm in zip(sizes, norms, strict=True)) / sum(sizes)
            fused, direction = kept_BSD[b, slot + shift].double(), mean_BSD[b, slot + shift].double()
            assert float(fused.norm()) == pytest.approx(wanted, rel=1e-5)
            assert float(torch.cosine_similarity(fused, direction, 0)) == pytest.approx(1, abs=1e-6)


def test_vectors_that_cancel_stay_zero_with_keep_norm() -> None:
    hidden_BTD = torch.tensor([[[1.0, 0.0], [-1.0, 0.0], [2.0, 1.0]]])
    both = Assignment(torch.tensor([[0, 0, 1]]), torch.ones(1, 3))
    assert torch.equal(apply(hidden_BTD, both.with_norm_of(hidden_BTD)), torch.tensor([[[0.0, 0.0], [2.0, 1.0]]]))


def test_keep_norm_is_refused_beside_earlier_caches() -> None:
    with pytest.raises(ConfigError, match="keep_norm"):
        Blend(ratio=0.5, keep_norm=True, earlier_caches=True)
