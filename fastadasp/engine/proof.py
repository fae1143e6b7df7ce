"""How the layers of a decoder can be cut in two: found by a short random prompt, and shown by numbers to be right.

What is shown of a layer, by its own `forward` and whatever stands in that method's place:

1. its two halves, one after the other, give what the layer gives;
2. after attention each token goes its own way: the second half on some of the tokens gives what the layer gives there;
3. the layer minds masks and positions that are handed to the layer: on some of the tokens alone, with their own
   positions, the layer gives what the whole prompt gives there when the other tokens are masked;
4. the layer reads on: the last of these tokens, read after the others are cached, gets what it gets together with them.

So no family is trusted by its name. A layer of a known class that computes otherwise, by inheritance, by remote code or
by a replaced `forward`, is either run as that layer is, or refused with the reason.

B rows, T tokens, K of them kept, D hidden channels.
"""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from fastadasp.engine.decoder import AttentionTap
from fastadasp.engine.facts import MARKER, TOLERANCE, Call, has_weights, is_explained, is_quantised, short, window_of
from fastadasp.engine.fewer import KEPT, Fewer, of_whole_prompt
from fastadasp.engine.halves import Halves, Layer, first_half, leading, second_half

COARSE = 0.5
"""The greatest difference for some of the tokens in quantised layers, where the rounding of activations may depend on
all tokens of a call."""
Proof = Halves | str
"""How a layer is cut in two, or the reason why the layer cannot be cut."""


def prove(layer: Layer, forward: Any, call: Call, output: Any) -> Proof:
    """How `layer`, which gave `output` at this call, is cut in two, or why the layer cannot be."""
    try:
        return _Proof(layer, forward, call, leading(output)).result()
    except Exception as error:  # as above
        return f"running it in two halves ends in an error ({short(error)})"


class _Proof:
    """The proof for one layer."""

    def __init__(self, layer: Layer, forward: Any, call: Call, whole_BTD: Tensor) -> None:
        self.layer, self.forward, self.call, self.whole_BTD = layer, forward, call, whole_BTD
        self.coarse = is_quantised(layer)
        self.before: list[tuple[str, Tensor]] = []
        """Modules that ended before attention began, and what they gave."""
        self.after: list[tuple[str, Tensor]] = []
        """Modules that were called after attention, and what they were given."""

    def result(self) -> Proof:
        """How the layer is cut, or why not."""
        if self.call.hidden_BTD.ndim != 3:
            return f"its hidden states are {tuple(self.call.hidden_BTD.shape)}, not one vector for each token"
        found = self._watch()
        if isinstance(found, str):
            return found
        self.name, self.tap, returned = found
        self.window = window_of(self.layer, self.tap.attention, self.tap.told)
        explained = is_explained(self.tap, self.window)
        halves = Halves(
            attention=self.name,
            entry=None,
            skipped=(),
            returns=len(returned) if isinstance(returned, tuple | list) else None,
            windowed=self.window,
            rotated=False,
            head_dim=self.tap.query_BHTd.shape[-1],
            tells_kernel=MARKER in self.tap.told,
            plain=self.tap.shape.plain and explained,
            explained=explained,
            projection=self._projection(),
        )
        cut = self._cut(halves)
        if isinstance(cut, str):
            return cut
        reasons = []
        for numbered, masked in ((False, False), (True, False), (False, True), (True, True)):
            fewer = Fewer(self.forward, self.call, self.tap.attention, self.window, self._agree, numbered, masked)
            reason = fewer.refused()
            if reason is None:
                return replace(cut, rotated=fewer.is_rotated(), numbered=numbered, masked=masked)
            reasons.append(reason)
        return reasons[0]

    def _watch(self) -> tuple[str, AttentionTap, Any] | str:
        """Which module attends, what it was told and returned; what ran before and after it is noted."""
        taps, returned = dict[str, AttentionTap](), dict[str, Any]()
        modules = dict(self.layer.named_modules())
        with ExitStack() as undo:
            for name, module in modules.items():
                if hasattr(getattr(module, "config", None), "_attn_implementation") and "config" in vars(module):
                    taps[name] = undo.enter_context(AttentionTap(module))

            def done() -> bool:
                return any(tap.query_BHTd is not None for tap in taps.values())

            def given(name: str, args: Any, kwargs: Any) -> None:
                tensors = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
                if done() and tensors:
                    self.after.append((name, tensors[0]))

            def gave(name: str, output: Any) -> None:
                returned[name] = output
                if not done() and isinstance(output, Tensor):
                    self.before.append((name, output))

            for name, module in modules.items():
                if name:
                    started = module.register_forward_pre_hook(
                        lambda _, args, kwargs, name=name: given(name, args, kwargs), with_kwargs=True
                    )
                    ended = module.register_forward_hook(lambda _, args, output, name=name: gave(name, output))
                    undo.callback(started.remove)
                    undo.callback(ended.remove)
            self.forward(self.call.hidden_BTD, **self.call.with_fresh_cache())
        called = [name for name, tap in taps.items() if tap.query_BHTd is not None and name in returned]
        if len(called) != 1:
            return (
                f"{len(called) or 'none'} of its modules call{'s' if len(called) < 2 else ''} transformers' attention "
                "interface (ALL_ATTENTION_FUNCTIONS) where there must be one, which caches keys and values"
            )
        if taps[called[0]].calls > 1:
            times = taps[called[0]].calls
            return f"its {called[0]} calls the attention kernel {times} times, and methods read a single call"
        return called[0], taps[called[0]], returned[called[0]]

    def _projection(self) -> str | None:
        """The only module within attention that is given what all heads have found."""
        channels = self.tap.query_BHTd.shape[1] * self.tap.value_BGTd.shape[-1]
        inside = [(name, x) for name, x in self.after if name.startswith(f"{self.name}.")]
        weighted = {name for name, module in self.layer.named_modules() if has_weights(module)}
        given = {name for name, x in inside if x.shape[-1] == channels and name in weighted}
        outer = {name for name in given if not any(name.startswith(f"{other}.") for other in given)}
        return outer.pop() if len(outer) == 1 else None

    def _cut(self, halves: Halves) -> Proof:
        """The cut at the first module that is given the residual stream after attention, else behind attention."""
        hidden_BTD = self.call.hidden_BTD
        inside = f"{halves.attention}."
        entries = [name for name, x in self.after if x.shape == hidden_BTD.shape and not name.startswith(inside)]
        alike = [name for name, x in self.before if "." not in name and x.shape == hidden_BTD.shape]
        skipped = tuple(name for name in dict.fromkeys(alike) if not inside.startswith(f"{name}."))
        for entry in dict.fromkeys(entries[:8]):
            for left_out in dict.fromkeys((skipped, ())):
                sequential = replace(halves, entry=entry, skipped=left_out)
                if self._halves_agree(sequential):
                    return sequential
        if self._halves_agree(halves):
            return halves
        return (
            "what it does after attention is not done token by token, or depends on more than attention's output"
            f"{of_whole_prompt(self.call)}"
        )

    def _halves_agree(self, halves: Halves) -> bool:
        """Points 1 and 2 of what is shown."""
        try:
            inputs = self.call.with_fresh_cache()
            state = first_half(self.layer, self.forward, halves, self.call.hidden_BTD, inputs)
            both = leading(second_half(self.layer, self.forward, halves, state, inputs))
            if not self._agree(both, self.whole_BTD, self.call.hidden_BTD, every=True):
                return False
            kept = torch.tensor(KEPT, device=both.device)
            some = leading(
                second_half(self.layer, self.forward, halves, state.moved(lambda x: x[:, kept.to(x.device)]), inputs)
            )
            return self._agree(some, self.whole_BTD[:, kept], self.call.hidden_BTD[:, kept])
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, StopIteration):
            return False  # a cut at this module is none: the next is tried

    def _agree(self, found: Tensor, right: Tensor, before: Tensor, *, every: bool = False, slack: float = 1.0) -> bool:
        """Whether two results of the layer are equal but for rounding, by what the layer adds to each token."""
        if found.shape != right.shape:
            return False
        found, right, before = found.double(), right.double(), before.to(right.device).double()
        added = (right - before).norm(dim=-1) if right.shape == before.shape else right.norm(dim=-1)
        rounding = torch.finfo(self.whole_BTD.dtype).eps * right.norm(dim=-1)
        error = (found - right).norm(dim=-1)
        tolerance = TOLERANCE.get(self.whole_BTD.dtype, 1e-1) * slack
        tolerance = tolerance if every or not self.coarse else max(tolerance, COARSE)
        bound = tolerance * added + 8 * rounding
        equal = error <= bound
        return bool(equal.all() if every else equal.double().median() == 1) and bool(torch.isfinite(found).all())
