"""Reading models' answers: which option a choice task's answer gives, and the transcript or translation inside one.

An answer to a choice task is read in these steps (`reader.py`); a transcript is unwrapped in `transcripts.py`.

1. `cleaning.py`    Tags, reasoning blocks, Markdown and LaTeX go; an answer that is marked as such is the answer.
2. `tokens.py`      Words, numbers, signs and line ends; "isn't" is "is" and "not".
3. `spans.py`       Options are found by label, letter (`letters.py`), text or place in the list (`options.py`), and
                    steering words by the vocabularies in `words/`. Longer spans win ("no emotion").
4. `statements.py`  A letter and its own text are one; a list of all options is an echo of the prompt and goes; options
                    that stand together are one group; sentences end, clauses break.
5. `scan.py`        Each statement is read from left to right: negation and its scope, announcements ("the answer is"),
                    hedges, reasons, concessions (`force.py`), and what is said of an option after it (`predicates.py`).
6. `discourse.py`   Questions get their replies, headings their answers; quoted speech answers nothing.
7. `decide.py`      What was taken back goes; of the rest the weightiest counts; if that names one option alone, and
                    nothing denies it afterwards, this is the answer. Else there is none.
8. `content.py`     Where no option was named at all, some of its words may name it: "Paris" for "Paris, France".
"""
