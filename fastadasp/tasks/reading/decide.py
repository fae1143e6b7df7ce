"""From what is said for and against each option to the one answer, or none."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fastadasp.tasks.reading.evidence import Evidence, Weight
from fastadasp.tasks.reading.options import Options


def decide(evidence: Sequence[Evidence], retractions: Mapping[int, bool], options: Options) -> str:
    """The key of the option that the answer gives; empty where it gives none, or several.

    retractions: the tokens at which earlier statements are taken back, and whether this holds even where no other
    option is named afterwards.

    1. What was taken back does not count. 2. Of what is said for options, only the weightiest counts. 3. An option that
    is merely possible, or a lesser part, gives way to one that is set against it. 4. If several are left, or if the one
    that is left is denied afterwards, the answer is not clear. 5. If nothing is said for any, and all but one are
    denied, that one is the answer.
    """
    evidence = _not_retracted(evidence, retractions)
    positive = [found for found in evidence if found.positive and found.weight > Weight.open]
    if not positive:
        return _last_one_left(evidence, options)
    top = max(_rank(found, options) for found in positive)
    chosen = _preferred([found for found in positive if _rank(found, options) == top])
    named = {found.option for found in chosen}
    if len(named) > 1:
        return ""
    (answer,) = named
    last = max(found.start for found in positive if found.option == answer)
    later = (found for found in evidence if not found.positive and found.option == answer and found.start > last)
    return "" if any(found.weight >= Weight.plain for found in later) else answer


def _rank(found: Evidence, options: Options) -> Weight:
    """Labels are properties of one speech: what is given as the answer and what is stated must agree."""
    if not options.lettered and found.weight in (Weight.plain, Weight.answer):
        return Weight.plain
    return found.weight


def _not_retracted(evidence: Sequence[Evidence], retractions: Mapping[int, bool]) -> list[Evidence]:
    """Evidence that no later word takes back."""
    left = list(evidence)
    for place, firm in sorted(retractions.items()):
        later = [found for found in evidence if found.start > place]
        if firm or any(found.positive and found.weight >= Weight.plain for found in later):
            left = [found if found.start > place else replace(found, weight=Weight.open) for found in left]
    return left


def _preferred(found: Sequence[Evidence]) -> Sequence[Evidence]:
    """Without lesser parts beside a greater one, and without possible ones where a likelier one is set against them."""
    greater = [one for one in found if not one.minor]
    found = greater or found
    likelier = [one for one in found if not one.possible]
    first_possible = min((one.start for one in found if one.possible), default=0)
    if any((one.contrasted or one.weight >= Weight.answer) and one.start > first_possible for one in likelier):
        return likelier
    return found


def _last_one_left(evidence: Sequence[Evidence], options: Options) -> str:
    """The option that alone is not denied, where nothing is said for any."""
    denied = {found.option for found in evidence if not found.positive and found.weight > Weight.open}
    left = [key for key in options.keys if key not in denied]
    return left[0] if len(left) == 1 else ""
