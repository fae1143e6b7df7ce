"""Where something stands in a statement: at its start, alone in it, after certain words."""

from collections.abc import Collection, Iterator, Sequence

from fastadasp.tasks.reading.lexicon import ARTICLES, FIRST_PERSON, LINKS, SELF
from fastadasp.tasks.reading.spans import LETTER, CueSpan
from fastadasp.tasks.reading.statements import Group, Statement
from fastadasp.tasks.reading.tokens import Token
from fastadasp.tasks.reading.words.vocabulary import Cue

_LINKING = frozenset({Cue.verdict, Cue.choose, Cue.letter, Cue.probable, Cue.final, Cue.conclude, Cue.negate})
_HEADINGS = frozenset({Cue.letter, Cue.possible, Cue.probable, Cue.idiom})
_BEFORE_CLAUSE = frozenset({Cue.conjunction, Cue.contrast, Cue.no, Cue.yes, Cue.retract, Cue.conclude, Cue.disjunction})


class Places:
    """Answers questions of place about one statement of an answer."""

    def __init__(self, tokens: Sequence[Token], statement: Statement) -> None:
        self.tokens, self.statement = tokens, statement

    def cues(self) -> Iterator[CueSpan]:
        """The statement's steering words."""
        return (item for item in self.statement.items if isinstance(item, CueSpan))

    def groups(self) -> Iterator[Group]:
        """The statement's options."""
        return (item for item in self.statement.items if isinstance(item, Group))

    def is_all(self, group: Group) -> bool:
        """Whether the statement holds nothing but these options, and words as before a letter: "Option B."."""
        rest = self.tokens[group.end : self.statement.end]
        return all(not token.is_word for token in rest) and self._starts_with(group)

    def leads(self, group: Group) -> bool:
        """Whether the statement begins with these options and no verb follows them: "B", "B, because ..."."""
        reasons = [cue.start for cue in self.cues() if cue.cue is Cue.because]
        ends = group.end == self.statement.end or not self.tokens[group.end].is_word or group.end in reasons
        return ends and self._starts_with(group)

    def _starts_with(self, group: Group) -> bool:
        return self._only(self.statement.start, group.start, ARTICLES, _HEADINGS)

    def is_linked(self, start: int, group: Group) -> bool:
        """Whether only linking words and announcements stand between a token and these options."""
        return self._only(start, group.start, LINKS, _LINKING)

    def _only(self, start: int, end: int, allowed: Collection[str], cues: Collection[Cue]) -> bool:
        covered = {at for cue in self.cues() if cue.cue in cues for at in range(cue.start, cue.end)}
        return all(
            at in covered or not self.tokens[at].is_word or self.tokens[at].text in allowed for at in range(start, end)
        )

    def is_of_the_model(self, group: Group) -> bool:
        """Whether a model says it of itself: "I would be happy to", "as an AI I do not feel sad"."""
        if self.tokens[group.start].text == "not":
            return False  # "I do not hear anyone else" is said of the speech
        at = group.start - 1
        while at >= self.statement.start and self.tokens[at].text in SELF:
            at -= 1
        return at >= self.statement.start and self.tokens[at].text in FIRST_PERSON

    def starts_clause(self, cue: CueSpan, place: int) -> bool:
        """Whether a cue, the item at `place`, stands at the start of a clause: a sign or a joining word before it."""
        before = self.statement.items[place - 1] if place else None
        if not self.tokens[cue.start].is_word:
            return True
        if isinstance(before, CueSpan) and before.end == cue.start:
            return before.cue in _BEFORE_CLAUSE
        if isinstance(before, CueSpan | Group):
            return before.end < cue.start and self._only_signs(before.end, cue.start)
        begin = self.statement.start if before is None else before.start
        return self._only_signs(begin, cue.start) or self._only_signs(begin + 1, cue.start)

    def between_options(self, cue: CueSpan) -> bool:
        """Whether a cue stands right between two options: "B no C"."""
        groups = list(self.groups())
        return cue.start in (group.end for group in groups) and cue.end in (group.start for group in groups)

    def _only_signs(self, start: int, end: int) -> bool:
        return all(not self.tokens[at].is_word for at in range(start, end))

    def stands_apart(self, cue: CueSpan) -> bool:
        """Whether a sign or the end follows a word: "Wrong, it is B"."""
        ends = cue.end >= self.statement.end or not self.tokens[cue.end].is_word
        return ends and self.tokens[cue.start].is_word

    def joins_options(self, cue: CueSpan) -> bool:
        """Whether an arrow leads from one option to another, which says neither."""
        return self.tokens[cue.start].text == "→" and cue.start in {group.end for group in self.groups()}

    def follows_letter(self, cue: CueSpan) -> bool:
        """Whether an option's letter stands right before a cue."""
        return any(group.end == cue.start and group.mentions[-1].level == LETTER for group in self.groups())

    def is_heading(self) -> bool:
        """Whether a line's end or a colon ends the statement."""
        return self.statement.ends_line or self.tokens[self.statement.end - 1].text == ":"
