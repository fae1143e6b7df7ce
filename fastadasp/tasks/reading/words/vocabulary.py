"""What the reader must know of a language, as one object for each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto


class Cue(Enum):
    """What a word or phrase does to the options near it."""

    negate = auto()
    """Denies what follows, up to the end of the clause."""
    reject = auto()
    """Calls the option wrong: the one before it, if it is said of that, else the one after it."""
    verdict = auto()
    """Calls the option right or the answer, on either side alike."""
    choose = auto()
    """Chooses the option that follows."""
    final = auto()
    """Announces the final answer."""
    conclude = auto()
    """Draws the conclusion; at the start of a clause only."""
    retract = auto()
    """Takes back what was said before, if another option is named afterwards."""
    former = auto()
    """Tells of an earlier or seeming answer, which is no answer."""
    because = auto()
    """Gives a reason: what follows explains and does not answer."""
    explain = auto()
    """Heads an explanation, up to the end."""
    concede = auto()
    """Begins a concession, up to the comma."""
    contrast = auto()
    """Ends what holds for the clause before."""
    uncertain = auto()
    """Says that the answer is not known, or asks."""
    possible = auto()
    """Makes the option only possible."""
    probable = auto()
    """Makes the option likelier than a possible one."""
    minor = auto()
    """Makes the option a lesser part of what is heard."""
    less = auto()
    """"less X than Y": denies the next option alone."""
    than = auto()
    """Begins what is compared with."""
    say = auto()
    """Reports what is said in the audio, or what the words mean."""
    condition = auto()
    """Begins a condition: what follows did not happen."""
    letter = auto()
    """A word before an option's letter."""
    options = auto()
    """Announces a list of options."""
    idiom = auto()
    """Looks like another cue, or holds a label's word, and is neither: "no doubt", "happy to help"."""
    yes = auto()
    no = auto()
    conjunction = auto()
    disjunction = auto()
    likewise = auto()
    """Says of the option after it what was said of the one before: "A is wrong, as is B"."""


@dataclass(frozen=True)
class Vocabulary:
    """The words of one language; all fields but `phrases` list words with spaces between them."""

    phrases: Mapping[Cue, str]
    """Phrases of each cue, divided by commas. Negations are written out: "is not" for "isn't"."""
    yes: str = ""
    """Answers to a question that can be answered with yes; of several words, joined by `_`."""
    no: str = ""
    copulas: str = ""
    """Words that may stand between an option and what is said of it: "A and B are clearly both wrong"."""
    verbs: str = ""
    """Those of them that make a sentence of an option: "A is ..."."""
    links: str = ""
    """Words that may stand between "so" and the option: "so it must be B"."""
    articles: str = ""
    subjects: str = ""
    """Words that begin a new main clause where no comma stands: "it isn't A it's B"."""
    first_person: str = ""
    self: str = ""
    """Words between the first person and what a model says of itself: "I would be happy"."""
    after_letter: str = ""
    """Words that can follow the letter A, but hardly the article."""
    starters: str = ""
    """Words after which a "no" at the start of a statement is an answer: "No there are two"."""
    labelled: str = ""
    """Nouns whose letter is a name of theirs, no option's: "gate B", "vitamin C"."""
    titles: str = ""
    little: str = ""
    """Words at the start of an option that an answer may leave out, articles apart: "by" of "by bus"."""
    numbers: str = ""
    """From zero on."""
    tens: str = ""
    """From ten on."""
    ordinals: str = ""
    """From the first on."""
    numbered: tuple[str, ...] = field(default=())
    """Nouns after an ordinal: "the second option"."""
    last: str = ""
