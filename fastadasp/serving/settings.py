"""What a server is told about token reduction: which method, how much, and which of them it can serve."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from omegaconf import OmegaConf

from fastadasp.config.build import build
from fastadasp.config.compose import compose
from fastadasp.config.messages import suggest
from fastadasp.config.paths import options
from fastadasp.errors import ConfigError
from fastadasp.reduction.input_method import InputMethod
from fastadasp.reduction.method import MergeMethod, Positions, check_share

KEYS = ("merge", "ratio", "merge_options")
"""The settings of this package among those of a server's processor."""
ENVIRONMENT = "FASTADASP_SERVING"
"""The environment variable that may hold the settings as a JSON object, where a server's arguments hold none."""
EXAMPLE = '{"merge": "blend_input", "ratio": 0.5}'


@dataclass(frozen=True)
class Served:
    """The method of a server, and the ratio of requests that name none."""

    method: InputMethod
    """Its own `ratio` is that of requests that name none."""

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Served":
        """Read the settings of a server.

        settings: `merge`, the name of a method as in conf/merge; `ratio`, the share of each clip's audio tokens that is
        removed, in [0, 1); `merge_options`, a mapping of the method's own settings. Raises ConfigError, which names the
        setting, for a method that does not act before the decoder or that cannot be served.
        """
        name = settings.get("merge")
        known = options("merge")
        if not isinstance(name, str) or name not in known:
            given = "is missing" if name is None else f"is {name!r}, which is no method"
            hint = suggest(str(name), known) if name is not None else f"settings look like {EXAMPLE}"
            raise ConfigError(f"`merge` {given}; {hint}")
        own = settings.get("merge_options") or {}
        if not isinstance(own, Mapping):
            raise ConfigError(f"`merge_options` must be a mapping of the method's settings, got {own!r:.80}")
        ratio = checked_ratio(settings.get("ratio", 0.0))
        known_settings = cast(dict[str, Any], OmegaConf.to_container(compose(f"merge={name}").merge, resolve=True))
        node = OmegaConf.create({**known_settings, "proportional": False, **own, "ratio": ratio})
        return cls(served_method(build(node, "merge"), name))

    def ratio(self, request: Mapping[str, Any]) -> float:
        """The ratio for a request with these settings; ConfigError where it asks for more than another ratio."""
        if (other := request.get("merge")) not in (None, "none"):
            raise ConfigError(
                f"a request asks for `merge`={other!r}, but the method of a server is fixed when the server starts; "
                'a request may give another `ratio`, or `merge`="none" for all of its tokens'
            )
        if request.get("merge_options"):
            raise ConfigError("a request gives `merge_options`, which are fixed when the server starts; leave them out")
        if other == "none":
            return 0.0
        return checked_ratio(request.get("ratio", self.method.ratio))

    @property
    def original(self) -> bool:
        """Whether tokens keep the positions that they have without reduction."""
        return self.method.positions is Positions.original


def checked_ratio(value: object) -> float:
    """`value` as a ratio; ConfigError unless it lies in [0, 1)."""
    check_share("ratio", value, "it is the share of each clip's audio tokens that is removed")
    return float(value)  # type: ignore[arg-type]


def served_method(method: MergeMethod, name: str) -> InputMethod:
    """`method` itself; ConfigError, which says why, where servers cannot run it."""
    reason = None
    if not isinstance(method, InputMethod):
        reason = (
            f"it acts at the site `{method.site.name}`: a server stores the keys and values of every layer in pages of "
            "one length, so only methods that act before the decoder (site `input`) can be served"
        )
    elif method.adaptive:
        reason = "its threshold decides how many tokens go, and a server must know the length of a prompt beforehand"
    elif method.proportional:
        reason = "proportional attention adds a bias to the scores, which paged attention does not take"
    elif method.layer_ratio is not None or method.has_target:
        reason = "a server takes `ratio` alone: other amounts depend on all prompts of a run"
    if reason is not None or not isinstance(method, InputMethod):
        raise ConfigError(f"merge={name} cannot be served: {reason}")
    return method


def split(given: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings of this package and all others."""
    given = given or {}
    return {key: value for key, value in given.items() if key in KEYS}, {
        key: value for key, value in given.items() if key not in KEYS
    }


def from_environment() -> dict[str, Any]:
    """The settings in the environment variable; none where it is not set, ConfigError where it is no JSON object."""
    text = os.environ.get(ENVIRONMENT, "").strip()
    if not text:
        return {}
    try:
        settings = json.loads(text)
    except ValueError as error:
        raise ConfigError(
            f"the environment variable {ENVIRONMENT} is no JSON object ({error}); it looks like {EXAMPLE}"
        ) from error
    unknown = sorted(set(settings) - set(KEYS)) if isinstance(settings, dict) else [text[:80]]
    if unknown:
        raise ConfigError(
            f"the environment variable {ENVIRONMENT} holds {', '.join(unknown)}; allowed are {', '.join(KEYS)}, "
            f"for example {EXAMPLE}"
        )
    return dict(settings)
