"""How much is to be removed, said in one of four ways."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastadasp.errors import ConfigError


@dataclass(frozen=True)
class Amount:
    """How much a method is to remove. Example: `merge.ratio=0.3` is `Amount("ratio", 0.3)`."""

    kind: str
    """A key of KINDS."""
    value: float

    def at(self, node: str) -> str:
        """The setting as it stands on a command line: `merge.decoder.ratio=0.3` at the node `merge.decoder`."""
        return f"{node}.{self.kind}={self.value}"

    def __str__(self) -> str:
        return self.at("merge")

    @property
    def is_target(self) -> bool:
        """Whether the ratio must be solved from this amount, and therefore depends on the prompt."""
        return self.kind in ("flops_reduction", "tokens_kept")

    def described(self, ratio: float) -> str:
        """The amount in words. ratio: the solved ratio, where the amount is a target."""
        if self.kind == "layer_ratio":
            return f"{self.value:.2%} of what is left at each merging layer"
        if self.kind == "flops_reduction":
            return f"{ratio:.1%}, to save {self.value:.1%} of the FLOPs"
        if self.kind == "tokens_kept":
            return f"to keep {self.value:.1%}" if self.value < 1 else f"to keep {self.value:g} tokens"
        return f"{self.value:.1%}"


KINDS = {
    "ratio": "the overall share removed",
    "layer_ratio": "the share removed at each merging layer of what is left there",
    "flops_reduction": "the share of the prefill's FLOPs to save",
    "tokens_kept": "the tokens to keep",
}
"""The keys of `merge` that say how much goes, with their meaning; a run sets one of them at most."""


def amount(settings: Mapping[str, object]) -> Amount | None:
    """The one amount among the settings of a `merge` node; None where all are unset or 0.

    A `layer_ratio`, `flops_reduction` or `tokens_kept` of 0 is an amount, a `ratio` of 0 is none. Raises ConfigError
    where more than one is given.
    """
    values = {kind: settings.get(kind) for kind in KINDS}
    given = [
        Amount(kind, value)
        for kind, value in values.items()
        if isinstance(value, int | float) and (value or kind != "ratio")
    ]
    if len(given) > 1:
        choices = ", ".join(f"{meaning} ({kind})" for kind, meaning in KINDS.items())
        raise ConfigError(f"{' and '.join(map(str, given))} exclude each other: give one of {choices}")
    return given[0] if given else None
