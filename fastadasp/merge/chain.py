"""Methods made of others, at most one for each site."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastadasp.errors import ConfigError
from fastadasp.merge.base import MergeMethod, Site


@dataclass(frozen=True)
class Composite(MergeMethod):
    """A method that acts through its stages alone."""

    @abstractmethod
    def stages(self) -> tuple[MergeMethod, ...]:
        """The methods that act."""

    def assign(self, state: Any) -> Any:
        """Never asked: its stages are."""
        raise TypeError(f"{type(self).__name__} decides nothing itself; ask its stages()")


@dataclass(frozen=True)
class Chain(Composite):
    """Input reduction, then merging inside the decoder, then eviction from the caches; each may be missing.

    `Chain(input=Samp(ratio=0.3), cache=H2O(ratio=0.5))`. Each stage has its own ratio, of what the one before it left;
    `ratio`, `layer_ratio`, `flops_reduction` and `tokens_kept` of the chain must stay unset; a stage takes one of the
    first two.
    """

    input: Any = None
    """A method of site `input`, or None."""
    decoder: Any = None
    """A method of site `decoder`, or None."""
    cache: Any = None
    """A method of site `cache`, or None."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.share or self.unsolved:
            raise ConfigError(
                f"{self.amounts()[0]} means nothing for merge=chain; give each stage its own ratio, such as "
                "merge.decoder.ratio"
            )
        for site, stage in self._given():
            if isinstance(stage, Mapping):  # conf/merge/chain.yaml with no method chosen for this site
                if stage.get("ratio") or stage.get("layer_ratio"):
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
            elif stage.unsolved:
                raise ConfigError(
                    f"{stage.amounts()[0].replace('merge', f'merge.{site.name}', 1)} cannot be solved inside a chain; "
                    f"give merge.{site.name}.ratio"
                )

    def stages(self) -> tuple[MergeMethod, ...]:
        """Those given."""
        return tuple(stage for _, stage in self._given())

    def _given(self) -> Iterator[tuple[Site, Any]]:
        stages = {Site.input: self.input, Site.decoder: self.decoder, Site.cache: self.cache}
        return ((site, stage) for site, stage in stages.items() if stage is not None)
