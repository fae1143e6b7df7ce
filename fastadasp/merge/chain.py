"""A chain of methods, at most one for each site."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastadasp.errors import ConfigError
from fastadasp.reduction.amount import KINDS
from fastadasp.reduction.composite import Composite
from fastadasp.reduction.method import MergeMethod, Site


@dataclass(frozen=True)
class Chain(Composite):
    """Reduce at the input, then merge inside the decoder, then evict from the caches; each stage may be missing.

    Example: `Chain(input=Samp(ratio=0.3), cache=H2O(ratio=0.5))`. Each stage has its own ratio, a share of the tokens
    that the stage before it has left; `ratio`, `layer_ratio`, `flops_reduction` and `tokens_kept` of the chain itself
    must stay unset. In the place of its ratio, one stage may have a target: `flops_reduction` for the whole chain, or
    `tokens_kept` after this stage.
    """

    input: Any = None
    """A method that acts before the decoder (site `input`), or None."""
    decoder: Any = None
    """A method that acts inside the decoder (site `decoder`), or None."""
    cache: Any = None
    """A method that acts on the key-value cache (site `cache`), or None."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.amount is not None:
            raise ConfigError(
                f"{self.amount} means nothing for merge=chain; give it to a stage, such as "
                f"{self.amount.at('merge.decoder')}"
            )
        for site, stage in self._given():
            if isinstance(stage, Mapping):  # conf/merge/chain.yaml with no method chosen for this site
                if any(map(stage.get, KINDS)):
                    raise ConfigError(
                        f"merge.{site.name} has a ratio but no method; choose one with merge@merge.{site.name}"
                    )
                object.__setattr__(self, site.name, None)
            elif not isinstance(stage, MergeMethod) or isinstance(stage, Composite):
                raise ConfigError(f"merge.{site.name} must be one method that acts by itself, or null; got {stage!r}")
            elif stage.site is not site:
                raise ConfigError(
                    f"merge.{site.name} is {type(stage).__name__}, which acts at site {stage.site.name}; choose it "
                    f"with merge@merge.{stage.site.name}, and another for merge.{site.name}"
                )
        if len(targets := [stage for stage in self.stages() if stage.has_target]) > 1:
            wanted = (one.amount.at(f"merge.{one.site.name}") for one in targets if one.amount is not None)
            raise ConfigError(f"{' and '.join(wanted)}: one ratio of a chain can be solved; give the others' ratios")

    def stages(self) -> tuple[MergeMethod, ...]:
        """The stages that are given, in the order input, decoder, cache."""
        return tuple(stage for _, stage in self._given())

    @property
    def has_target(self) -> bool:
        """Whether one stage has a target, from which its ratio is still to be solved."""
        return any(stage.has_target for stage in self.stages())

    @property
    def stage_with_target(self) -> MergeMethod:
        """The stage that has a target, or None."""
        return next((stage for stage in self.stages() if stage.has_target), self)

    def with_ratio(self, ratio: float) -> "Chain":
        """This chain with `ratio` in the stage that has a target."""
        stage = self.stage_with_target
        settled: dict[str, Any] = {stage.site.name: stage.with_ratio(ratio)}
        return replace(self, **settled)

    def at_depth(self, layers: int) -> "Chain":
        """This chain with a number for the layer of each stage, for a decoder of a known depth."""
        return replace(self, **{site.name: stage.at_depth(layers) for site, stage in self._given()})

    def at_layer(self, layer: int) -> "Chain":
        """This chain with merging inside the decoder from `layer` on; the layers whose caches are shortened stay the
        same."""
        return replace(self, layer=layer, decoder=self.decoder and self.decoder.at_layer(layer))

    def _given(self) -> Iterator[tuple[Site, Any]]:
        stages = {Site.input: self.input, Site.decoder: self.decoder, Site.cache: self.cache}
        return ((site, stage) for site, stage in stages.items() if stage is not None)
