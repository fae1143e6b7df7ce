"""How fast requests may leave: limits of requests and tokens a minute, and pauses that a server asks for."""

import asyncio
from dataclasses import dataclass, field

_MINUTE = 60.0


@dataclass
class Pace:
    """Spreads requests evenly, so that no minute has more of them, or of their tokens, than is allowed.

    Each request moves the time at which the next one may leave by its share of a minute (the generic cell rate
    algorithm, ITU-T I.371, without a burst).
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    _next: float = field(default=0.0, init=False)

    async def turn(self, tokens: float) -> None:
        """Wait until a request of about so many tokens, prompt and answer, may leave."""
        now = asyncio.get_running_loop().time()
        leaves = max(now, self._next)
        self._next = leaves + max(
            _MINUTE / self.requests_per_minute if self.requests_per_minute else 0.0, self._share(tokens)
        )
        while leaves > now:
            await asyncio.sleep(leaves - now)
            now = asyncio.get_running_loop().time()

    def correct(self, tokens: float, expected: float) -> None:
        """Take into account how many tokens a request really had."""
        self._next += self._share(tokens) - self._share(expected)

    def pause(self, seconds: float) -> None:
        """Let no request leave for so long; those that wait for their turn already are not held up."""
        self._next = max(self._next, asyncio.get_running_loop().time() + seconds)

    def _share(self, tokens: float) -> float:
        return _MINUTE * tokens / self.tokens_per_minute if self.tokens_per_minute else 0.0
