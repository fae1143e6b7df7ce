"""Write a checkpoint as a plain Qwen2-Audio folder: `python -m experiments.training.tiny.export --data DIR OUT`."""

import argparse
from pathlib import Path

import torch
from transformers import Qwen2AudioForConditionalGeneration

from experiments.training.tiny.network import DecoderSize, make_network, untie_head
from experiments.training.tiny.vocabulary import load_processor

PREFIX = "network."


def load_checkpoint(data: Path, run: str) -> Qwen2AudioForConditionalGeneration:
    """The network of a run's last checkpoint."""
    state = torch.load(data / run / "last.ckpt", map_location="cpu", weights_only=False)["state_dict"]
    network = make_network(DecoderSize(), load_processor(data / "model").tokenizer, None)
    network.load_state_dict({key.removeprefix(PREFIX): value for key, value in state.items()})
    return network


def export(network: Qwen2AudioForConditionalGeneration, folder: Path) -> None:
    """Save the network in bfloat16; its head becomes a copy of the embedding, as the class has it."""
    untie_head(network)
    network.to(torch.bfloat16).save_pretrained(folder)


@torch.no_grad()
def mix(network: Qwen2AudioForConditionalGeneration, folder: Path, share: float) -> None:
    """Move the network's weights by `share` of the way to those of an exported folder, where its training began.

    Averages of weights on one path of training forget less than its end (Wortsman et al. 2022, arXiv 2203.05482).
    """
    before = Qwen2AudioForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).state_dict()
    for key, value in network.state_dict().items():
        value.lerp_(before[key], share)


def main() -> None:
    """Export the last checkpoint with its processor."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("outputs/tiny"), help="training's working folder")
    parser.add_argument("--run", default="run")
    parser.add_argument("--mix", type=Path, help="exported folder whose weights are mixed in")
    parser.add_argument("--share", type=float, default=0.35, help="how much of them")
    args = parser.parse_args()
    network = load_checkpoint(args.data, args.run)
    if args.mix is not None:
        untie_head(network)  # or what head and embedding share would be moved twice
        mix(network, args.mix, args.share)
    export(network, args.out)
    load_processor(args.data / "model").save_pretrained(args.out)


if __name__ == "__main__":
    main()
