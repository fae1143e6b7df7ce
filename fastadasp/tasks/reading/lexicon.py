"""The words that steer the reader, by what they do, in English, German, Spanish, French and Chinese.

Phrases of one cue are divided by commas. Contractions are written as the tokeniser splits them: "is not" for "isn't".
"""

from enum import Enum, auto
from functools import cache

from fastadasp.tasks.reading.tokens import tokenize


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
    """Looks like another cue and is none."""
    talk = auto()
    """Politeness that happens to hold a label's word."""
    yes = auto()
    no = auto()
    conjunction = auto()
    disjunction = auto()


_PHRASES = {
    Cue.negate: """
        not, never, no, neither, nor, none, without, cannot, hardly, barely, scarcely, rarely, seldom, nobody, nothing,
        far from, anything but, no longer, no sign of, no signs of, no trace of, no hint of, no evidence of,
        no indication of, lack of, lacks, lacking, lack, absence of, free of, free from, devoid of, rather than,
        instead of, as opposed to, other than, apart from, except, except for, excluding, unlike, refuse to, refuses to,
        refused to, fails to, failed to, declines to, avoids, stopped, non, doubt, doubts, opposite of, not any,
        nicht, kein, keine, keinen, keiner, keines, keinem, nie, niemals, weder, noch, ohne, kaum, statt, anstatt,
        keine spur von, keine anzeichen von, niemand, keinesfalls, keineswegs, anstelle von,
        no es, ni, nunca, jamás, sin, tampoco, en lugar de, en vez de, nada de, ningún, ninguna, ninguno, apenas,
        ne, n', pas, jamais, sans, aucun, aucune, plutôt que, au lieu de,
        不, 不是, 没, 没有, 并不, 并不是, 并没有, 并非, 非, 绝非, 绝不, 而非, 而不是, 既不, 也不, 毫无, 无, 不再, 从不, 未""",
    Cue.reject: """
        wrong, incorrect, false, untrue, ruled out, rule out, rules out, ruling out, be ruled out, eliminated, eliminate,
        eliminates, eliminating, excluded, exclude, excludes, dismissed, discarded, discard, rejected, reject, unlikely,
        less likely, impossible, implausible, irrelevant, absent, wrong answer, wrong answers, incorrect answer,
        incorrect answers, wrong option, wrong options, wrong choice, out of the question, a distractor, distractors, is out, are out, ✗,
        falsch, ausgeschlossen, scheidet aus, scheiden aus, ausschließen, unwahrscheinlich, trifft nicht zu,
        passt nicht, stimmt nicht, incorrecto, incorrecta, incorrectas, incorrectos, falso, falsa, descartado,
        descartada, descartar, descarto, errónea, equivocada, faux, fausse, incorrecte,
        错, 错误, 错的, 不对, 不正确, 排除, 不符合, 不可能""",
    Cue.verdict: """
        answer, answers are, correct, right, right one, correct one, correct answer, right answer, best answer,
        correct option, correct choice, right option, right choice, best option, best choice, best fit, best match,
        fits, fits best, best fits, matches, matches best, best, better, better fit, preferable, true, most likely, more likely, likelier, most plausible,
        remains, left, leaves, leaving, solution, label, emotion, suggests, suggest, suggesting, indicates, indicate,
        indicating, implies, points to, pointing to, ✓,
        antwort, lösung, richtig, korrekt, stimmt, trifft zu, passt, zutreffend, wahrscheinlicher, bleibt, übrig, emotion,
        respuesta, respuesta correcta, correcto, correcta, opción correcta, verdadero, verdadera, solución, emoción,
        réponse, bonne réponse, réponse correcte, correcte, juste, resposta, risposta,
        答案, 正确, 正确答案, 正确的, 对, 对的, 符合, 回答, 情绪, 更可能, 更有可能, 最可能, 最有可能""",
    Cue.choose: """
        choose, chose, chosen, pick, picked, select, selected, go with, going with, opt for, settle on, decide on,
        i say, i would say, i'd say, i would go for, i'd go for, wähle, nehme, entscheide mich für, elijo, escojo,
        selecciono, me quedo con, je choisis, 选, 选择, 应选, 应该选, 我选, 应为, 应该是""",
    Cue.final: """
        final answer, conclusion :, final choice, final decision, final verdict,
        endgültige antwort, respuesta final, réponse finale, 最终答案, 最后答案""",
    Cue.conclude: """
        so, therefore, thus, hence, consequently, in conclusion, to conclude, in summary, overall, as a result,
        this means, which means, by elimination, by process of elimination, →,
        daher, deshalb, folglich, somit, por lo tanto, por tanto, así que, entonces, donc, 所以, 因此, 因而, 综上, 综上所述""",
    Cue.retract: """
        wait, oh wait, no wait, hold on, actually, in fact, in reality, sorry, oops, my mistake, my bad, i mean, correction,
        scratch that, strike that, let me correct, i must correct, i correct, correct this, correct myself, i was wrong,
        that is wrong, that's wrong, this is wrong, that is incorrect, that is not right, on second thought,
        on second thoughts, on reflection, upon reflection, i take that back, let me reconsider, reconsider, let me think again,
        let me check again, think again, thinking again, listening again, on listening again, wait a minute, wait a second,
        let me rethink, rethink, or rather, make that, i changed my mind, changed my mind, i made a mistake, i made an error, i misspoke, i misheard, that was a mistake, after checking, hmm,
        moment, moment mal, warte, halt, nein warte, eigentlich, tatsächlich, korrektur, genauer gesagt, besser gesagt,
        ich meine, entschuldigung, espera, perdón, mejor dicho, en realidad, corrección, quiero decir, digo, me equivoqué,
        pardon, en fait, plutôt, 等等, 等一下, 不对不对, 更正, 其实, 实际上, 我错了, 抱歉, 更准确地说""",
    Cue.former: """
        first thought, i thought, i said, i had said, initially, initial impression, first impression, initial answer,
        initial thought, initial guess, first instinct, first reaction, at first, at first glance, at first sight, first answer, first guess,
        first choice, originally, was tempted, one might think, you might think, might think, one could think, previously,
        my earlier answer, zunächst, zuerst, anfangs, ich dachte, al principio, inicialmente, pensé, au début, 一开始, 起初,
        原本, 本来""",
    Cue.because: """
        because, since, as the, as she, as he, as it, as they, as there, as this, due to, given that, for the reason, thanks
        to, seeing that, considering, weil, da, denn, wegen, porque, ya que, puesto que, debido a, pues, parce que, car il,
        car elle, puisque, 因为, 由于, 理由是""",
    Cue.explain: """
        explanation :, reason :, reasoning :, rationale :, note :, justification :, analysis :, reasons :, evidence :,
        begründung :, erklärung :, anmerkung :, explicación :, razón :, nota :, justificación :, explication :,
        解释, 解析, 理由 ：, 理由 :, 分析 :, 说明 :""",
    Cue.concede: """
        although, though, even though, even if, while, whilst, whereas, despite, in spite of, regardless of, obwohl,
        obgleich, trotz, während, aunque, a pesar de, mientras que, pese a, bien que, malgré, 虽然, 尽管, 虽说, 即使""",
    Cue.contrast: """
        but, but rather, but instead, yet, however, nevertheless, nonetheless, still, aber, sondern, jedoch, doch, allerdings,
        pero, sino, sino que, sin embargo, mais, cependant, 而是, 但是, 但, 不过, 可是, 然而, 却""",
    Cue.uncertain: """
        not sure, unsure, not certain, uncertain, not clear, unclear, unknown, undetermined, cannot tell, can not tell,
        ca not tell, cannot determine, can not determine, ca not determine, cannot say, ca not say, can not say,
        cannot decide, ca not decide, could not decide, could not tell, unable to, hard to say, hard to tell,
        hard to decide, difficult to say, difficult to tell, difficult to determine, impossible to say, impossible to tell,
        impossible to determine, do not know, does not know, no idea, whether, not specified, not enough information, ambiguous,
        undecided, torn between, one or two, one or more, nicht sicher, unsicher, unklar, weiß nicht, schwer zu sagen, ob,
        no estoy seguro, no estoy segura, no sé, no está claro, difícil de decir, je ne sais pas, 不确定, 不清楚, 不知道,
        无法判断, 无法确定, 难以判断, 很难说, 是否, 还是""",
    Cue.possible: """
        might, may, maybe, perhaps, possibly, could, could be, might be, may be, potentially, conceivably, either,
        somewhere between, between, mix of, mixture of, combination of, vielleicht, möglicherweise, könnte, eventuell,
        entweder, quizás, quizá, tal vez, podría, puede ser, posiblemente, o bien, peut-être, soit, 可能, 也许, 或许, 大概是,
        要么""",
    Cue.probable: """
        i think, i believe, i suppose, probably, likely, most probably, very likely, presumably, i lean towards, lean towards, leaning towards, lean toward,
        i guess, i'd guess, guess, mostly, mainly, primarily, predominantly, chiefly, rather, wahrscheinlich, vermutlich,
        eher, hauptsächlich, überwiegend, probablemente, seguramente, principalmente, más bien, probablement, 很可能, 应该,
        大概, 主要""",
    Cue.minor: """
        hint of, a hint of, touch of, a touch of, trace of, a trace of, tinge of, a tinge of, bit of, a bit of, undertone of,
        undertones of, slightly, some, slight, a little, a bit, note of, a note of, traces of, hints of, etwas, ein wenig,
        leicht, un poco, un poco de, algo de, 有点, 有些, 略带, 一丝""",
    Cue.less: "less, not so much, not as, not as much, weniger, menos, moins",
    Cue.than: "than, als, 比",
    Cue.say: """
        say, says, said, saying, states, stated, mentions, mention, talks about, talking about, speaks of, speaks about,
        tells, told, claims, asks, asked, answers, answered, replies, replied, shouts, the words, words, the content, content,
        the word, the phrase, the sentence, text, the text, lyrics, the topic, transcript, refers to, describes, is about, sagt, sagte, erwähnt, fragt, die worte,
        dice, dijo, menciona, pregunta, las palabras, dit, 说 :, 说道, 提到, 说的是, 内容""",
    Cue.condition: "if, unless, as if, as though, even as if, wenn, falls, als ob, si, como si, 如果, 好像",
    Cue.letter: """
        option, choice, letter, alternative, answer choice, answer option, options, choices, statement, possibility, candidate,
        buchstabe, antwort, auswahl, möglichkeit, opción, letra, alternativa, inciso, opciones, lettre, proposition, 选项, 项""",
    Cue.options: """
        options are, the options are, choices are, the choices are, options :, choices :, one of, among, of the options,
        from the options, choose from, choose between, answer choices :, possible answers are, possible emotions are,
        candidates are, optionen :, die optionen sind, opciones :, las opciones son, 选项 :, 选项是, 选项有, 其中之一""",
    Cue.idiom: """
        no doubt, without doubt, without a doubt, without any doubt, no question, undoubtedly, doubtless, not only, not just,
        not merely, not simply, nothing but, none other than, no wonder, no problem, nothing else than, beyond doubt,
        kein zweifel, ohne zweifel, zweifellos, nicht nur, sin duda, no solo, no sólo, no solamente, sans doute, pas seulement,
        毫无疑问, 无疑, 不仅, 不仅仅, 不但, 不只, the second time, right now, right away, all right, so that, as well, as well as,
        right after, right before, so much, in question, question :, good question, left the, true that, even so, right answer to
        the question, a long time, first and foremost""",
    Cue.talk: """
        happy to help, happy to assist, happy to answer, glad to help, glad to assist, pleased to help, delighted to help,
        i am sorry, i'm sorry, i am afraid, i'm afraid, would be happy to, i'd be happy to, would be glad to, i'd be glad to,
        glad you asked, gerne, con gusto, encantado de, 很高兴为您, 很高兴为你, 很乐意, 对不起""",
    Cue.yes: "yes, yeah, yep, yup, ja, sí, oui, 是的",
    Cue.no: "nope, nah, nein, non",
    Cue.conjunction: "and, as well as, plus, both, &, +, und, sowie, y, e, et, 和, 与, 以及, 、",
    Cue.disjunction: "or, and/or, /, or possibly, or maybe, or perhaps, oder, o, u, ou, 或, 或者, 或是, 还是, ∨",
}

COPULAS = frozenset(
    """is are was were be been being am 's 're 'm 'd 'll 've would will can could should must might may do does did has have
    had ca wo seems seem sounds sound looks look appears appear feels feel clearly definitely certainly obviously surely
    also all both to the a an as of it that which this one option options choice choices answer answers emotion voice tone
    most very quite so simply just only rather really therefore probably likely likewise equally indeed not never neither
    no ist sind war waren wäre sei die der das eine ein nicht auch alle beide klar wohl antwort option es son era eran sería
    la el lo las los una un no también claramente opción respuesta est sont la le les pas aussi réponse
    是 的 都 也 这 个 项 选 显 然 为 就 才 最""".split()
)
"""Words that may stand between an option and what is said of it: "A and B are clearly both wrong"."""
ARTICLES = frozenset("a an the der die das den dem des ein eine einen einem einer el la los las un una unos unas le les".split())
SUBJECTS = frozenset("it he she they we i you this that there es er sie ich wir il elle on ella él ellos yo".split())
"""Words that begin a new main clause where no comma stands: "it isn't A it's B"."""
FIRST_PERSON = frozenset("i we ich wir yo je j' 我 我们".split())
SELF = frozenset(
    """am 'm 'd 'll 've are 're would will be been have was feel feels do not so very really quite too bin sind estoy soy suis
    ca can cannot always just also being truly 很 非常 也 不""".split()
)
"""Words between the first person and what a model says of itself: "I would be happy"."""
LABELLED = frozenset(
    """vitamin gate plan type grade hepatitis exit room platform terminal line section class model level group team part
    appendix building block size category row seat track channel unit figure table chapter route zone side point
    version vitamine gleis zimmer klasse gruppe puerta sala grupo vitamina salle quai groupe""".split()
)
"""Nouns whose letter is a name of theirs, no option's: "gate B", "vitamin C"."""
TITLES = frozenset("mr mrs ms dr prof st sr jr herr frau".split())
AFTER_LETTER = frozenset(
    """is are was were be because since as for and or nor but not rather so can cannot could should would must might may
    will seems seem looks fits fit matches says said states mentions describes refers does do has had if instead then than over
    too alone only again appears sounds makes best both i it he she they we ist oder und weil nicht sondern passt scheidet stimmt denn es o y
    porque no sino ni ou et est""".split()
)
"""Words that can follow the letter A, but hardly the article."""


@cache
def phrases() -> dict[tuple[str, ...], Cue]:
    """Each phrase as its tokens, with what it does; of a phrase that stands twice, the first entry counts."""
    found: dict[tuple[str, ...], Cue] = {}
    for cue, listed in _PHRASES.items():
        for phrase in listed.split(","):
            tokens = tuple(token.text for token in tokenize(" ".join(phrase.split())))
            if tokens:
                found.setdefault(tokens, cue)
    return found
