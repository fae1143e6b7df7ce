"""Which methods act where in a decoder of known depth, and how much each removes. Host arithmetic only."""

from dataclasses import dataclass
from functools import partial

from fastadasp.errors import ConfigError
from fastadasp.merge.base import MergeMethod, Schedule, Site
from fastadasp.merge.cache import CacheMethod
from fastadasp.merge.layout import Layout
from fastadasp.merge.schedule import Plan


@dataclass(frozen=True)
class Stages:
    """One method, or one for each site: first the input is reduced, then tokens inside the decoder, then the caches."""

    layers: int
    """Of the decoder."""
    input: MergeMethod | None
    decoder: MergeMethod | None
    cache: CacheMethod | None
    plan: Plan | None
    """The schedule of `decoder`."""

    @classmethod
    def of(cls, method: MergeMethod, layers: int) -> "Stages":
        """What `method` is made of; ConfigError where two want the same site or a layer does not exist."""
        sites: dict[Site, MergeMethod] = {}
        for stage in method.stages():
            if stage.site in sites:
                raise ConfigError(
                    f"{type(sites[stage.site]).__name__} and {type(stage).__name__} both act at site "
                    f"{stage.site.name}; compose methods of different sites"
                )
            if stage.layer >= layers and stage.site is not Site.input:
                raise ConfigError(
                    f"merge.layer must lie in [0, {layers - 1}], got {stage.layer}: the model has {layers} layers"
                )
            sites[stage.site] = stage
        decoder, cache = sites.get(Site.decoder), sites.get(Site.cache)
        if cache is not None and not isinstance(cache, CacheMethod):
            raise ConfigError(f"{type(cache).__name__} acts at site cache, so it must be a CacheMethod")
        plan = None if decoder is None else Plan.of(decoder, layers)
        return cls(layers, sites.get(Site.input), decoder, cache, plan)

    @property
    def patched(self) -> range:
        """The layers whose forward pass differs from the model's own, from the first that anything happens at."""
        first = self.layers
        if self.input is not None and (self.input.share or self.input.adaptive):
            first = 0
        if self.cache is not None and self.cache.share:
            first = min(first, self.cache.layer)
        acting = [layer for layer in range(self.layers) if self._acts(layer)]
        return range(min([first, *acting]), self.layers)

    def removal(self, layer: int, prompt: tuple[int, ...], current: tuple[int, ...]) -> tuple[int, ...] | None:
        """Audio tokens that the decoder's method is to remove from each row at `layer`; None if it is not to be asked.

        prompt, current: audio tokens that entered layer 0 and this one.
        """
        if self.decoder is None or self.plan is None or not self._acts(layer) or not any(current):
            return None
        budget = tuple(map(partial(self.plan.removal, layer), prompt, current))
        return budget if any(budget) or self.decoder.adaptive else None

    def evictions(self, layer: int, layout: Layout) -> tuple[int, ...]:
        """Tokens to remove from each row's cache at `layer`."""
        return () if self.cache is None else self.cache.evictions(layout, layer, self.layers)

    def _acts(self, layer: int) -> bool:
        """Whether the decoder's method has anything to do at `layer`."""
        if self.decoder is None or self.plan is None:
            return False
        scheduled = layer == self.decoder.layer or self.decoder.schedule is not Schedule.once
        return self.plan.ratios[layer] > 0 or (self.decoder.adaptive and scheduled and layer >= self.decoder.layer)
