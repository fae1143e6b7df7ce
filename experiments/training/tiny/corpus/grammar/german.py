"""German morphology: as much of it as the translation grammar needs."""

from dataclasses import dataclass

NOMINATIVE, ACCUSATIVE, DATIVE = "nad"
ARTICLES = {
    "n": {"m": "der", "f": "die", "n": "das", "p": "die"},
    "a": {"m": "den", "f": "die", "n": "das", "p": "die"},
    "d": {"m": "dem", "f": "der", "n": "dem", "p": "den"},
}
EIN_ENDINGS = {
    "n": {"m": "", "f": "e", "n": "", "p": "e"},
    "a": {"m": "en", "f": "e", "n": "", "p": "e"},
    "d": {"m": "em", "f": "er", "n": "em", "p": "en"},
}
DIES_ENDINGS = {
    "n": {"m": "er", "f": "e", "n": "es", "p": "e"},
    "a": {"m": "en", "f": "e", "n": "es", "p": "e"},
    "d": {"m": "em", "f": "er", "n": "em", "p": "en"},
}
PRONOUNS = {
    "ich": ("ich", "mich", "mir"),
    "du": ("du", "dich", "dir"),
    "er": ("er", "ihn", "ihm"),
    "sie": ("sie", "sie", "ihr"),
    "wir": ("wir", "uns", "uns"),
    "sie.p": ("sie", "sie", "ihnen"),
}
CONTRACTIONS = {
    "in dem ": "im ",
    "an dem ": "am ",
    "zu dem ": "zum ",
    "zu der ": "zur ",
    "von dem ": "vom ",
    "bei dem ": "beim ",
    "in das ": "ins ",
    "an das ": "ans ",
}


@dataclass(frozen=True)
class Noun:
    """A German noun; `weak` ones take -n or -en in every case but the nominative singular."""

    singular: str
    gender: str
    plural: str
    weak: bool = False

    def form(self, case: str, number: str) -> str:
        if number == "p":
            return self.plural + ("n" if case == "d" and self.plural[-1] not in "ns" else "")
        return self.plural if self.weak and case != "n" else self.singular


def adjective_ending(kind: str, case: str, gender: str) -> str:
    """Ending of an attributive adjective.

    kind: `weak` after der and dieser, `mixed` after ein and mein, `strong` after a number or nothing.
    """
    if kind == "strong":
        return DIES_ENDINGS[case][gender]
    if case == "d" or gender == "p" or (case == "a" and gender == "m"):
        return "en"
    if kind == "weak":
        return "e"
    return {"m": "er", "f": "e", "n": "es"}[gender]


def determiner(word: str, case: str, gender: str) -> tuple[str, str]:
    """The inflected determiner and the kind of adjective declension after it."""
    if word == "der":
        return ARTICLES[case][gender], "weak"
    if word in ("dies", "jed", "welch"):
        return word + DIES_ENDINGS[case][gender], "weak"
    if word == "unser" or word in ("ein", "kein", "mein", "dein", "sein", "ihr"):
        return word + EIN_ENDINGS[case][gender], "mixed"
    return word, "strong"


@dataclass(frozen=True)
class Verb:
    """A German verb by its principal parts."""

    infinitive: str
    third: str
    """Third person singular, without a separable prefix."""
    participle: str
    auxiliary: str = "haben"
    prefix: str = ""
    preterite: str = ""
    """Where it is usual in speech (war, hatte, wollte ...); else the perfect is used."""

    @property
    def bare(self) -> str:
        return self.infinitive.removeprefix(self.prefix)

    def present(self, person: str) -> str:
        """Finite present, without the prefix. person: ich, du, er, wir (also for sie.p)."""
        if self.infinitive in IRREGULAR:
            return IRREGULAR[self.infinitive][person]
        if person == "wir":
            return self.bare
        if person == "er":
            return self.third
        if person == "du":
            stem = self.third[:-1]
            return self.third if stem[-1] in "sßzx" else stem + "st"
        if self.bare.endswith("eln"):
            return self.bare[:-3] + "le"
        return self.bare.removesuffix("n") if self.bare.endswith("en") else self.bare[:-1] + "e"

    def past(self, person: str) -> str:
        """Finite preterite of the verbs that have one here."""
        stem = self.preterite
        if person in ("ich", "er"):
            return stem
        if person == "du":
            return stem + ("st" if stem[-1] != "t" else "est")
        return stem + ("n" if stem.endswith("e") else "en")


IRREGULAR = {
    "sein": {"ich": "bin", "du": "bist", "er": "ist", "wir": "sind"},
    "haben": {"ich": "habe", "du": "hast", "er": "hat", "wir": "haben"},
    "werden": {"ich": "werde", "du": "wirst", "er": "wird", "wir": "werden"},
    "können": {"ich": "kann", "du": "kannst", "er": "kann", "wir": "können"},
    "müssen": {"ich": "muss", "du": "musst", "er": "muss", "wir": "müssen"},
    "sollen": {"ich": "soll", "du": "sollst", "er": "soll", "wir": "sollen"},
    "wollen": {"ich": "will", "du": "willst", "er": "will", "wir": "wollen"},
    "dürfen": {"ich": "darf", "du": "darfst", "er": "darf", "wir": "dürfen"},
    "mögen": {"ich": "mag", "du": "magst", "er": "mag", "wir": "mögen"},
    "möchten": {"ich": "möchte", "du": "möchtest", "er": "möchte", "wir": "möchten"},
    "wissen": {"ich": "weiß", "du": "weißt", "er": "weiß", "wir": "wissen"},
    "tun": {"ich": "tue", "du": "tust", "er": "tut", "wir": "tun"},
}


def contract(text: str) -> str:
    """`in dem Garten` as `im Garten`."""
    for full, short in CONTRACTIONS.items():
        text = text.replace(f" {full}", f" {short}")
        if text.startswith(full):
            text = short + text[len(full) :]
    return text


def capitalised(text: str) -> str:
    return text[0].upper() + text[1:]
