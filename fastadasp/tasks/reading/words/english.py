"""English."""

from fastadasp.tasks.reading.words.vocabulary import Cue, Vocabulary

ENGLISH = Vocabulary(
    phrases={
        Cue.negate: """
            nowhere near, nowhere close to, not, never, no, neither,
            nor, none, without, cannot, hardly, barely, scarcely, rarely, seldom, nobody,
            nothing, far from, anything but, no longer, no sign of, no signs of, no trace of, no hint of,
            no evidence of, no indication of, lack of, lacks, lacking, lack, absence of, free of, free from,
            devoid of, rather than, instead of, as opposed to, other than, apart from, except, except for,
            excluding, unlike, refuse to, refuses to, refused to, fails to, failed to, declines to, avoids, stopped,
            non, doubt, doubts, opposite of, not any, all but, all options but, all of them but, all except,
            all options except, everything but, everyone but, any but""",
        Cue.reject: """
            wrong, incorrect, false, untrue, ruled out, rule out, rules out, ruling out, be ruled out, eliminated,
            eliminate, eliminates, eliminating, excluded, exclude, excludes, dismissed, discarded, discard,
            rejected, reject, unlikely, less likely, impossible, implausible, irrelevant, absent, wrong answer,
            wrong answers, incorrect answer, incorrect answers, wrong option, wrong options, wrong choice,
            out of the question, a distractor, distractors, is out, are out, ✗""",
        Cue.verdict: """
            answer, answers are, correct, right, right one, correct one, correct answer, right answer, best answer,
            correct option, correct choice, right option, right choice, best option, best choice, best fit,
            best match, fits, fits best, best fits, matches, matches best, best, better, better fit, preferable,
            true, most likely, more likely, likelier, most plausible, remains, is left, are left, leaves, leaving,
            solution, label, emotion, suggests, suggest, suggesting, indicates, indicate, indicating, implies,
            points to, pointing to, ✓""",
        Cue.choose: """
            choose, chose, chosen, pick, picked, select, selected, go with, going with, opt for, settle on,
            decide on, decides on, decided on, settles on, settled on, opts for, opted for,
            i say, i would say, i'd say, i would go for, i'd go for""",
        Cue.final: "final answer, conclusion :, final choice, final decision, final verdict",
        Cue.conclude: """
            so, therefore, thus, hence, consequently, in conclusion, to conclude, in summary, overall, as a result,
            this means, which means, by elimination, by process of elimination, →""",
        Cue.retract: """
            wait, oh wait, no wait, hold on, actually, in fact, in reality, sorry, oops, my mistake, my bad, i mean,
            correction, scratch that, strike that, let me correct, i must correct, i correct, correct this,
            correct myself, i was wrong, that is wrong, that's wrong, this is wrong, that is incorrect,
            that is not right, on second thought, on second thoughts, on reflection, upon reflection,
            i take that back, let me reconsider, reconsider, let me think again, let me check again, think again,
            edit :, update :, thinking again, listening again, after listening again, on listening again,
            wait a minute, wait a second,
            let me rethink,
            rethink, or rather, make that, i changed my mind, changed my mind, i made a mistake, i made an error,
            i misspoke, i misheard, that was a mistake, after checking, hmm""",
        Cue.former: """
            first thought, first i, i first, i thought, i said, i had said, initially, initial impression,
            first impression, initial answer, initial thought, initial guess, first instinct, first reaction,
            at first, at first glance, at first sight, first answer, first guess, first choice, originally,
            was tempted, one might think, you might think, might think, one could think, previously,
            my earlier answer, wanted to, planned to, intended to, hoped to, was going to, were going to,
            thought about""",
        Cue.because: """
            because, since, as the, as she, as he, as it, as they, as there, as this, due to, given that,
            for the reason, thanks to, seeing that, considering""",
        Cue.explain: """
            explanation :, reason :, reasoning :, rationale :, note :, justification :, analysis :, reasons :,
            evidence :""",
        Cue.concede: """
            although, though, even though, even if, while, whilst, whereas, despite, in spite of, regardless of""",
        Cue.contrast: """
            but, but rather, but instead, yet, however, nevertheless, nonetheless, still, in the end, eventually""",
        Cue.uncertain: """
            not sure, unsure, not certain, uncertain, not clear, unclear, unknown, undetermined, cannot tell,
            can not tell, ca not tell, cannot determine, can not determine, ca not determine, cannot say,
            ca not say, can not say, cannot decide, ca not decide, could not decide, could not tell, unable to,
            hard to say, hard to tell, hard to decide, difficult to say, difficult to tell, difficult to determine,
            impossible to say, impossible to tell, impossible to determine, do not know, does not know, no idea,
            whether, not specified, not enough information, ambiguous, undecided, torn between, one or two,
            one or more""",
        Cue.possible: """
            might, may, maybe, perhaps, possibly, could, could be, might be, may be, potentially, conceivably,
            either, somewhere between, between, mix of, mixture of, combination of""",
        Cue.probable: """
            i think, i believe, i suppose, probably, likely, most probably, very likely, presumably, i lean towards,
            lean towards, leaning towards, lean toward, i guess, i'd guess, guess, mostly, mainly, primarily,
            predominantly, chiefly, rather""",
        Cue.minor: """
            hint of, a hint of, touch of, a touch of, trace of, a trace of, tinge of, a tinge of, bit of, a bit of,
            undertone of, undertones of, slightly, some, slight, a little, a bit, note of, a note of, traces of,
            hints of""",
        Cue.less: "less, not so much, not as, not as much",
        Cue.than: "than",
        Cue.say: """
            say, says, said, saying, states, stated, mentions, mention, talks about, talking about, speaks of,
            speaks about, tells, told, claims, asks, asked, answers, answered, replies, replied, shouts, the words,
            words, the content, content, the word, the phrase, the sentence, text, the text, lyrics, the topic,
            transcript, refers to, describes, is about""",
        Cue.condition: "if, unless, as if, as though, even as if",
        Cue.letter: """
            option, choice, letter, alternative, answer choice, answer option, options, choices, statement,
            possibility, candidate""",
        Cue.options: """
            options are, the options are, choices are, the choices are, options :, choices :, one of, among,
            of the options, from the options, choose from, choose between, answer choices :, possible answers are,
            possible emotions are, candidates are""",
        Cue.idiom: """
            if anything, no doubt, without doubt, without a doubt, without any doubt, no question, undoubtedly,
            doubtless,
            not only, not just, not merely, not simply, nothing but, none other than, no wonder, no problem,
            nothing else than, beyond doubt, the second time, right now, right away, all right, so that, as well,
            as well as, right after, right before, so much, hardly contain, barely contain, cannot contain,
            can not contain, hardly hide, barely hide, cannot hide, can not hide,
            in question, question :, good question, even so,
            a long time, first and foremost, happy to help, happy to assist, happy to answer, glad to help,
            glad to assist, pleased to help, delighted to help, i am sorry, i'm sorry, i am afraid, i'm afraid,
            would be happy to, i'd be happy to, would be glad to, i'd be glad to, glad you asked""",
        Cue.yes: "yes, yeah, yep, yup",
        Cue.no: "nope, nah",
        Cue.conjunction: "and, as well as, plus, both, &, +",
        Cue.likewise: "and so is, and so are, as is, as are, as does, just like, neither is, nor is, nor are",
        Cue.disjunction: "or, and/or, /, or possibly, or maybe, or perhaps",
    },
    yes="yes yeah yep yup",
    no="no nope nah",
    copulas="""
        is are was were be been being am 's 're 'm 'd 'll 've would will can could should must might may do does did has
        have had ca wo seems seem sounds sound looks look appears appear feels feel clearly definitely certainly
        obviously surely also all both to the a an as of it that which this one option options choice choices answer
        answers emotion voice tone most very quite so simply just only rather really therefore probably likely likewise
        equally indeed not never neither no""",
    verbs="""
        is are was were be 's 're seems seem sounds looks appears can could would must might may do does did has have ca
        wo will""",
    links="the a an is are was 's be must would should will can could it he she they i we this that in my our",
    articles="a an the",
    subjects="it he she they we i you this that there",
    first_person="i we",
    self="""
        am 'm 'd 'll 've are 're would will be been have was feel feels do not so very really quite too ca can cannot
        always just also being truly""",
    after_letter="""
        is are was were be because since as for and or nor but not rather so can cannot could should would must might
        may will seems seem looks fits fit matches says said states mentions describes refers does do has had if instead
        then than over too alone only again appears sounds makes best both i it he she they we""",
    starters="there it they he she this these those that both because since the i we",
    labelled="""
        vitamin gate plan type grade hepatitis exit room platform terminal line section class model level group team
        part appendix building block size category row seat track channel unit figure table chapter route zone side
        point version""",
    titles="mr mrs ms dr prof st sr jr",
    little="""
        in on at by to of for with from into as about his her their its my your our some one ones any no because since
        that if so he she it they we i 's""",
    numbers="""
        zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
        eighteen nineteen twenty""",
    tens="ten twenty thirty forty fifty sixty seventy eighty ninety hundred",
    ordinals="first second third fourth fifth sixth",
    numbered=("option", "choice", "one", "alternative", "statement", "item"),
    last="last",
)
