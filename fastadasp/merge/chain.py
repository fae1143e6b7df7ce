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
    """Input reduction, then merging inside the decoder, then eviction from the caches; each may be missing.

    `Chain(input=Samp(ratio=0.3), cache=H2O(ratio=0.5))`. Each stage has its own ratio, of what the one before it left;
    `ratio`, `layer_ratio`, `flops_reduction` and `tokens_kept` of the chain must stay unset. One stage may leave its
    ratio to a target instead: `flops_reduction`, what the whole chain saves, or `tokens_kept`, what this stage leaves.
    """

    input: Any = None
    """A method of site `input`, or None."""
    decoder: Any = None
    """A method of site `decoder`, or None."""
    cache: Any = None
    """A method of site `cache`, or None."""

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
        """Those given."""
        return tuple(stage for _, stage in self._given())

    @property
    def has_target(self) -> bool:
        """Whether a stage's ratio is still to be found."""
        return any(stage.has_target for stage in self.stages())

    @property
    def stage_with_target(self) -> MergeMethod:
        """The stage that has a target, if any."""
        return next((stage for stage in self.stages() if stage.has_target), self)

    def with_ratio(self, ratio: float) -> "Chain":
        """With `ratio` in the stage that has a target."""
        stage = self.stage_with_target
        settled: dict[str, Any] = {stage.site.name: stage.with_ratio(ratio)}
        return replace(self, **settled)

    def at_depth(self, layers: int) -> "Chain":
        """With the layers of all stages settled."""
        return replace(self, **{site.name: stage.at_depth(layers) for site, stage in self._given()})

    def at_layer(self, layer: int) -> "Chain":
        """Merging from `layer` on inside the decoder; where caches are shortened stays."""
        return replace(self, layer=layer, decoder=self.decoder and self.decoder.at_layer(layer))

    def _given(self) -> Iterator[tuple[Site, Any]]:
        stages = {Site.input: self.input, Site.decoder: self.decoder, Site.cache: self.cache}
        return ((site, stage) for site, stage in stages.items() if stage is not None)
