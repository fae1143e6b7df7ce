"""Spanish."""

from fastadasp.tasks.reading.words.vocabulary import Cue, Vocabulary

SPANISH = Vocabulary(
    phrases={
        Cue.negate: """
            no es, ni, nunca, jamás, sin, tampoco, en lugar de, en vez de, nada de, ningún, ninguna, ninguno, apenas""",
        Cue.reject: """
            incorrecto, incorrecta, incorrectas, incorrectos, falso, falsa, descartado, descartada, descartar,
            descarto, errónea, equivocada""",
        Cue.verdict: """
            respuesta, respuesta correcta, correcto, correcta, opción correcta, verdadero, verdadera, solución,
            emoción""",
        Cue.choose: "elijo, escojo, selecciono, me quedo con",
        Cue.final: "respuesta final, conclusión :",
        Cue.conclude: "por lo tanto, por tanto, así que, entonces",
        Cue.retract: "espera, perdón, mejor dicho, en realidad, corrección, quiero decir, digo, me equivoqué",
        Cue.former: "al principio, inicialmente, pensé",
        Cue.because: "porque, ya que, puesto que, debido a, pues",
        Cue.explain: "explicación :, razón :, nota :, justificación :",
        Cue.concede: "aunque, a pesar de, mientras que, pese a",
        Cue.contrast: "pero, sino, sino que, sin embargo",
        Cue.uncertain: "no estoy seguro, no estoy segura, no sé, no está claro, difícil de decir",
        Cue.possible: "quizás, quizá, tal vez, podría, puede ser, posiblemente, o bien",
        Cue.probable: "creo que, probablemente, seguramente, principalmente, más bien",
        Cue.minor: "un poco, un poco de, algo de",
        Cue.less: "menos",
        Cue.say: "dice, dijo, menciona, pregunta, las palabras",
        Cue.condition: "si, como si",
        Cue.letter: "opción, letra, alternativa, inciso, opciones",
        Cue.options: "opciones :, las opciones son",
        Cue.idiom: "sin duda, no solo, no sólo, no solamente, con gusto, encantado de",
        Cue.yes: "sí",
        Cue.conjunction: "y, e",
        Cue.likewise: "igual que, al igual que, lo mismo que",
        Cue.disjunction: "o, u",
    },
    yes="sí",
    no="no",
    copulas="""
        es son era eran sería queda quedan está están la el lo las los una un no también claramente opción respuesta""",
    verbs="es son era puede está",
    links="la el lo son es",
    articles="el la los las un una unos unas",
    subjects="ella él ellos yo",
    first_person="yo",
    self="estoy soy",
    after_letter="es o y porque no sino ni queda quedan está sería",
    labelled="puerta sala grupo vitamina",
    little="en de del al con por para su sus porque",
    numbers="cero uno dos tres cuatro cinco seis siete ocho nueve diez",
    ordinals="primera segunda tercera cuarta quinta sexta",
    numbered=("opción", "respuesta", "alternativa"),
    last="última",
)
