"""How far does attention move when neighbours are replaced by their mean, and does the bound of docs/theory.md hold?

`python -m experiments.tools.perturbation --out experiments/results/own_method/perturbation.json` reads bundled prompts
of recognition with full tokens and takes queries, keys and values of each layer, after the rotation. The segments are
those of `merge=blend_input`. For each text token after the audio as query, each head and each layer, the keys and
values of each segment are replaced by their means, with the log of the segment's size added to its score and without
it. Noted are the change of the head's output, the two sides of the identity, the bound, and how the change falls when
all deviations inside segments shrink by a half. Beside them stands the loss of the reference under `merge=blend_input`
at the same ratio.

H heads, Q queries, T tokens of a prompt, K tokens that are left (text included), d channels of a head.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

import fastadasp
from fastadasp.decoding.options import score
from fastadasp.engine.decoder import find_decoder
from fastadasp.files.json_text import parse
from fastadasp.merge.blend_input import BlendInput
from fastadasp.ops.segments import best_segments, scatter_of_segments
from fastadasp.tasks.asr import ASR

SHRUNK = (1.0, 0.5, 0.25, 0.125)
"""Factors on all deviations inside segments."""
RATIOS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


@dataclass(frozen=True)
class Change:
    """What replacing the segments of one layer does, each (H, Q)."""

    output: Tensor
    """The norm of the head's output before."""
    error: Tensor
    """The norm of the change, with the log of the size added to the scores."""
    unbiased: Tensor
    """The same without that."""
    identity: Tensor
    """How far the two sides of the identity are apart."""
    bound: Tensor
    lost: Tensor
    """The share of attention on segments inside which scores vary with a standard deviation above 1."""


def change(query_HQd: Tensor, key_HTd: Tensor, value_HTd: Tensor, segment_T: Tensor, visible_QT: Tensor) -> Change:
    """All in float64. segment_T: int64, the segment of each token, from 0. visible_QT: bool, equal inside a segment."""
    share_TK = one_hot(segment_T).to(query_HQd.dtype)
    size_K = share_TK.sum(0)
    mean_TK = share_TK / size_K
    scale = query_HQd.shape[-1] ** -0.5
    seen_QK = visible_QT.to(query_HQd.dtype) @ share_TK > 0
    score_HQT = (query_HQd @ key_HTd.mT * scale).masked_fill(~visible_QT, -torch.inf)
    fused_HQK = (query_HQd @ (mean_TK.T @ key_HTd).mT * scale).masked_fill(~seen_QK, -torch.inf)
    value_HKd = mean_TK.T @ value_HTd

    weight_HQT = score_HQT.softmax(-1)
    output_HQd = weight_HQT @ value_HTd
    biased_HQd = (fused_HQK + size_K.log()).softmax(-1) @ value_HKd
    unbiased_HQd = fused_HQK.softmax(-1) @ value_HKd

    deviation_HQT = (score_HQT - fused_HQK[..., segment_T]).masked_fill(~visible_QT, 0.0)
    apart_HTd = value_HTd - value_HKd[:, segment_T]
    gain_HQT = deviation_HQT.exp()
    gain_HQK = gain_HQT @ mean_TK
    mixed_HQKd = torch.einsum("hqt,tk,htd->hqkd", gain_HQT, mean_TK, apart_HTd)
    mass_HQK = weight_HQT @ share_TK
    far_HQKd = value_HKd[:, None] - biased_HQd[:, :, None]
    right_HQd = (
        mass_HQK[..., None] * (mixed_HQKd / gain_HQK[..., None] + (1 - 1 / gain_HQK)[..., None] * far_HQKd)
    ).sum(2)

    spread_HQK = (deviation_HQT.square() @ mean_TK).sqrt()
    highest_HQK = torch.stack(
        [deviation_HQT[..., segment_T == place].amax(-1) for place in range(len(size_K))], -1
    ).clamp_min(0)
    value_spread_HK = (apart_HTd.square().sum(-1) @ mean_TK).sqrt()
    first, second = _growth(highest_HQK)
    bound_HQ = (
        mass_HQK
        * (first * spread_HQK * value_spread_HK[:, None] + 0.5 * second * spread_HQK.square() * far_HQKd.norm(dim=-1))
    ).sum(-1)
    return Change(
        output_HQd.norm(dim=-1),
        (output_HQd - biased_HQd).norm(dim=-1),
        (output_HQd - unbiased_HQd).norm(dim=-1),
        (output_HQd - biased_HQd - right_HQd).norm(dim=-1),
        bound_HQ,
        (mass_HQK * (spread_HQK > 1)).sum(-1),
    )


def _growth(x: Tensor) -> tuple[Tensor, Tensor]:
    """(e^x - 1) / x and 2 (e^x - 1 - x) / x^2 for x of 0 and above, 1 at 0."""
    safe = x.clamp_min(1e-4)
    return torch.where(x < 1e-4, 1 + x / 2, safe.expm1() / safe), torch.where(
        x < 1e-4, 1 + x / 3, 2 * (safe.expm1() - safe) / safe.square()
    )


def shrunk(x_HTd: Tensor, segment_T: Tensor, factor: float) -> Tensor:
    """Deviations from the mean of each segment times `factor`."""
    share_TK = one_hot(segment_T).to(x_HTd.dtype)
    mean_HTd = ((share_TK / share_TK.sum(0)).T @ x_HTd)[:, segment_T]
    return mean_HTd + factor * (x_HTd - mean_HTd)


def recorded(model: Any, inputs: Any) -> tuple[Tensor, list[tuple[Tensor, Tensor, Tensor]]]:
    """The decoder's input (T, D) of one prompt, and of each layer queries, keys and values (H, T, d), in float64."""
    layers: list[tuple[Tensor, Tensor, Tensor]] = []
    decoder = find_decoder(model)
    name = decoder.config._attn_implementation
    kind = ALL_ATTENTION_FUNCTIONS[name]

    def attend(module: Any, query: Tensor, key: Tensor, value: Tensor, *args: Any, **kwargs: Any) -> Any:
        if hasattr(module, "layer_idx") and module.layer_idx is not None and query.shape[-2] == len(entering[0][0]):
            layers.append((query[0].double(), key[0].double(), value[0].double()))
        return kind(module, query, key, value, *args, **kwargs)

    entering: list[Tensor] = []
    hook = decoder.layers[0].register_forward_pre_hook(lambda _, args: entering.append(args[0]))
    ALL_ATTENTION_FUNCTIONS[name] = attend
    try:
        model(**inputs)
    finally:
        del ALL_ATTENTION_FUNCTIONS[name]
        hook.remove()
    return entering[0][0], layers


def segments(hidden_TD: Tensor, audio_T: Tensor, ratio: float) -> Tensor:
    """(T,) int64: the segment of each token as `merge=blend_input` divides the audio; each text token is one."""
    x_ND = hidden_TD[audio_T].float()[None]
    audio = x_ND.shape[1]
    kept = audio - int(audio * ratio)
    run = torch.ones(1, audio, dtype=torch.int64)
    cost = scatter_of_segments(normalize(x_ND, dim=2), x_ND.norm(dim=2), run, [max(8, -(-audio // kept))])
    last_T = torch.ones_like(audio_T)
    last_T[audio_T] = best_segments(cost, [audio], [kept])[0]
    return last_T.cumsum(0) - last_T.long()


@torch.inference_mode()
def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=8, help="bundled clips of recognition (default: 8)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = fastadasp.load("tiny")
    found: dict[float, list[dict[str, Tensor]]] = {ratio: [] for ratio in RATIOS}
    orders: list[Tensor] = []
    losses: dict[float, list[float]] = {ratio: [] for ratio in (0.0, *RATIOS)}
    tokens = 0
    for audio, text in _clips(given.clips):
        inputs = model.inputs([audio], ASR.instruction)
        mask = model.audio_mask(inputs)
        answer = torch.cat([model.adapter.answer_ids(text), torch.tensor([model.processor.tokenizer.eos_token_id])])
        tokens += len(answer)
        for ratio in losses:
            done = score(model.transformers_model, inputs, BlendInput(ratio=ratio), mask, [[answer]])
            losses[ratio].append(-sum(done.likelihoods[0][0]))
        hidden_TD, layers = recorded(model.transformers_model, inputs)
        after = int(mask[0].nonzero()[-1]) + 1
        visible_QT = torch.ones(len(hidden_TD), len(hidden_TD), dtype=torch.bool).tril()[after:]
        for ratio in RATIOS:
            segment_T = segments(hidden_TD, mask[0], ratio)
            by_layer = [change(q[:, after:], k, v, segment_T, visible_QT) for q, k, v in layers]
            names = vars(by_layer[0])
            found[ratio].append({name: torch.stack([getattr(one, name) for one in by_layer]) for name in names})
            if ratio == 0.5:
                orders.append(_orders(layers, after, segment_T, visible_QT))
    fell = torch.cat(orders, 1)
    result = {
        "clips": given.clips,
        "full_tokens_loss": sum(losses[0.0]) / tokens,
        "ratios": [_summary(ratio, found[ratio], sum(losses[ratio]) / tokens) for ratio in RATIOS],
        "shrunk": {str(by): float((fell[place] / fell[0]).median()) for place, by in enumerate(SHRUNK)},
        "layers_at_half": _layers(found[0.5]),
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def _orders(layers: list[tuple[Tensor, Tensor, Tensor]], after: int, segment_T: Tensor, visible_QT: Tensor) -> Tensor:
    """(factors, places): the change when deviations inside segments are shrunk by each of SHRUNK."""
    errors = []
    for by in SHRUNK:
        near = [(q[:, after:], shrunk(k, segment_T, by), shrunk(v, segment_T, by)) for q, k, v in layers]
        errors.append(torch.cat([change(*one, segment_T, visible_QT).error.flatten() for one in near]))
    return torch.stack(errors)


def _clips(number: int) -> Iterator[tuple[Path, str]]:
    folder = Path(fastadasp.__file__).parent / "assets" / "benchmark" / "asr"
    for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()[:number]:
        record = parse(line)
        yield folder / record["audio"], record["text"]


def _summary(ratio: float, clips: list[dict[str, Tensor]], loss: float) -> dict[str, float]:
    """Sums over heads, layers, queries and clips."""
    flat = {name: torch.cat([clip[name].flatten() for clip in clips]) for name in clips[0]}
    moved = flat["error"] > 1e-9
    return {
        "ratio": ratio,
        "places": len(flat["error"]),
        "relative_error": float((flat["error"] / flat["output"]).mean()),
        "relative_error_without_size": float((flat["unbiased"] / flat["output"]).mean()),
        "identity_off_by": float((flat["identity"] / flat["output"]).max()),
        "bound_broken": int((flat["error"] > flat["bound"] * (1 + 1e-9) + 1e-12).sum()),
        "bound_by_error_median": float((flat["bound"] / flat["error"])[moved].median()),
        "bound_error_rank_correlation": _ranks(flat["bound"][moved], flat["error"][moved]),
        "attention_on_segments_that_scores_split": float(flat["lost"].mean()),
        "loss": loss,
    }


def _ranks(one: Tensor, other: Tensor) -> float:
    """Spearman's correlation."""
    ranks = torch.stack([x.argsort().argsort().double() for x in (one, other)])
    return float(torch.corrcoef(ranks)[0, 1])


def _layers(clips: list[dict[str, Tensor]]) -> list[dict[str, float]]:
    count = clips[0]["error"].shape[0]
    mean = {
        name: [torch.cat([clip[name][layer].flatten() for clip in clips]) for layer in range(count)]
        for name in ("error", "unbiased", "output", "lost")
    }
    return [
        {
            "relative_error": float((mean["error"][layer] / mean["output"][layer]).mean()),
            "relative_error_without_size": float((mean["unbiased"][layer] / mean["output"][layer]).mean()),
            "attention_on_segments_that_scores_split": float(mean["lost"][layer].mean()),
        }
        for layer in range(count)
    ]


if __name__ == "__main__":
    main()
