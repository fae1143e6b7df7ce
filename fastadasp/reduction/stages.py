"""Which methods act where in a decoder of known depth, and how much each removes. Host arithmetic only."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from fastadasp.errors import ConfigError
from fastadasp.ops.layout import Layout
from fastadasp.reduction.cache_method import CacheMethod
from fastadasp.reduction.input_method import removed_tokens
from fastadasp.reduction.method import MergeMethod, Schedule, Site
from fastadasp.reduction.schedule import Plan
from fastadasp.reduction.target import Flops, Prompt, solve_ratio


@dataclass(frozen=True)
class Stages:
    """One method, or one for each site: first the input is reduced, then tokens inside the decoder, then the caches."""

    method: MergeMethod
    """The method that these stages make up."""
    layers: int
    """Number of decoder layers."""
    input: MergeMethod | None
    decoder: MergeMethod | None
    cache: CacheMethod | None
    plan: Plan | None
    """The schedule of `decoder`."""

    @classmethod
    def of(cls, method: MergeMethod, layers: int) -> "Stages":
        """The stages of `method`. Raises ConfigError where two stages want the same site, or a layer does not exist."""
        method = method.at_depth(layers)
        sites: dict[Site, MergeMethod] = {}
        for stage in method.stages():
            if stage.site in sites:
                raise ConfigError(
                    f"{type(sites[stage.site]).__name__} and {type(stage).__name__} both act at site "
                    f"{stage.site.name}; compose methods of different sites"
                )
            if stage.site is Site.cache and stage.layer == method.layer + 1 == layers:
                continue  # eviction after merging at the last layer: no cache is left for it
            if stage.layer >= layers and stage.site is not Site.input:
                raise ConfigError(
                    f"merge.layer must lie in [0, {layers - 1}], got {stage.layer}: the model has {layers} layers"
                )
            sites[stage.site] = stage
        decoder, cache = sites.get(Site.decoder), sites.get(Site.cache)
        if cache is not None and not isinstance(cache, CacheMethod):
            raise ConfigError(f"{type(cache).__name__} acts at site cache, so it must be a CacheMethod")
        if decoder is not None and decoder.earlier_caches and cache is not None:
            raise ConfigError(
                f"merge.earlier_caches=true cannot be combined with {type(cache).__name__}: a cache from which each "
                "head has evicted its own tokens cannot follow a later decision about all of them"
            )
        if cache is not None and any(stage.proportional for stage in sites.values()):
            raise ConfigError(
                f"merge.proportional=true cannot be combined with {type(cache).__name__}: each head evicts its own "
                "tokens, and attention would have to know other sizes in every head; set one of them off"
            )
        plan = None if decoder is None else Plan.of(decoder, layers)
        return cls(method, layers, sites.get(Site.input), decoder, cache, plan)

    @property
    def proportional(self) -> bool:
        """Whether attention to a token is to grow with its size."""
        return any(stage is not None and stage.proportional for stage in (self.input, self.decoder))

    @cached_property
    def patched(self) -> range:
        """The layers whose forward pass differs from the model's own, from the first that anything happens at."""
        first = self.layers
        if self.input is not None and self._has_work(self.input):
            first = 0
        if self.cache is not None and self._has_work(self.cache):
            first = min(first, self.cache.layer)
        acting = [layer for layer in range(self.layers) if self.asks(layer)]
        if acting and self.decoder is not None and self.decoder.earlier_caches:
            first = 0
        return range(min([first, *acting]), self.layers)

    def asks(self, layer: int) -> bool:
        """Whether the decoder's method has anything to do at `layer`."""
        if self.decoder is None or self.plan is None:
            return False
        scheduled = layer == self.decoder.layer or self.decoder.schedule is not Schedule.once
        undecided = self.decoder.adaptive or self.method.has_target
        return self.plan.ratios[layer] > 0 or (undecided and scheduled and layer >= self.decoder.layer)

    def _has_work(self, stage: MergeMethod) -> bool:
        return bool(stage.given_ratio) or stage.adaptive or self.method.has_target

    def for_rows(self, layout: Layout, flops: Flops) -> "RowStages":
        """These stages for each prompt of a batch: a ratio that follows from a target depends on the prompt.

        flops: of a prompt, from its L + 1 token counts. Raises ConfigError for a target out of reach.
        """
        if not self.method.has_target:
            return RowStages((self,) * len(layout.tokens))

        rows = []
        for row, (audio, tokens) in enumerate(zip(layout.audio, layout.tokens, strict=True)):
            try:
                rows.append(_solved(self.method, self.layers, (audio, tokens - audio), flops) if audio else self)
            except ConfigError as error:
                raise type(error)(
                    f"row {row} of the batch, with {audio} audio and {tokens - audio} other tokens: {error}; or give "
                    "all prompts one merge.ratio, as fastadasp.reduction.target.solve_ratio finds it for many together"
                ) from error
        return RowStages(tuple(rows))


@dataclass(frozen=True)
class RowStages:
    """How much goes from each row of a batch."""

    rows: Sequence[Stages]
    """The stages of each row, which differ in their ratios alone."""

    def n_remove_at_input(self, audio: tuple[int, ...]) -> tuple[int, ...] | None:
        """Audio tokens to remove from each row before layer 0; None if the method is not to be asked."""
        removed = tuple(
            removed_tokens(count, _given_ratio(row.input)) for row, count in zip(self.rows, audio, strict=True)
        )
        method = self.rows[0].input
        asked = method is not None and any(audio) and (any(removed) or method.adaptive)
        return removed if asked else None

    def n_remove(self, layer: int, entered: Sequence[tuple[int, ...]]) -> tuple[int, ...] | None:
        """Audio tokens that the decoder's method is to remove from each row at `layer`; None if it is not to be asked.

        entered: audio tokens that entered each layer up to this one.
        """
        method, prompt, current = self.rows[0].decoder, entered[0], entered[-1]
        if method is None or not any(current) or not any(row.asks(layer) for row in self.rows):
            return None
        removed = tuple(
            row.plan.n_remove(layer, before, now) if row.plan is not None else 0
            for row, before, now in zip(self.rows, prompt, current, strict=True)
        )
        return removed if any(removed) or method.adaptive else None

    def affordable(self, layer: int, entered: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
        """Audio tokens that an adaptive method may remove from each row at `layer`, ahead of the schedule too; all if
        nothing says how many.

        entered: as for `n_remove`.
        """
        if self.rows[0].decoder is None or not self.rows[0].decoder.adaptive:
            return ()
        return tuple(
            row.plan.affordable(layer, counts)
            if row.plan and row.decoder and row.decoder.amount is not None
            else counts[-1]
            for row, counts in zip(self.rows, zip(*entered, strict=True), strict=True)
        )

    def evictions(self, layer: int, layout: Layout) -> tuple[int, ...]:
        """Tokens to remove from each row's cache at `layer`."""
        method = self.rows[0].cache
        if method is None:
            return ()
        return tuple(
            row.cache.eviction(tokens, layer, row.layers) if row.cache is not None else 0
            for row, tokens in zip(self.rows, method.removable_tokens(layout), strict=True)
        )


def _solved(method: MergeMethod, layers: int, prompt: Prompt, flops: Flops) -> Stages:
    """The stages of `method` with the ratio that meets its target in `prompt`; solved once for all batches in which
    such a prompt comes, if method and `flops` can be compared."""
    try:
        hash((method, flops))
    except TypeError:  # a user's method with a list among its settings
        return _solve(method, layers, prompt, flops)
    return _solve_once(method, layers, prompt, flops)


def _solve(method: MergeMethod, layers: int, prompt: Prompt, flops: Flops) -> Stages:
    return Stages.of(solve_ratio(method, [prompt], layers, flops), layers)


_solve_once = lru_cache(maxsize=4096)(_solve)


def _given_ratio(method: MergeMethod | None) -> float:
    return 0.0 if method is None else method.given_ratio
