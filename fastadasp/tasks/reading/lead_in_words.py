"""The words of lead-ins, language by language; `lead_ins.py` puts them together."""

from dataclasses import dataclass

from fastadasp.tasks.reading.tokens import words

LANGUAGES = tuple(
    sorted(
        words(
            """
            english german spanish french italian portuguese chinese mandarin japanese korean russian arabic hindi
            dutch turkish polish swedish catalan welsh persian indonesian vietnamese thai englisch deutsch spanisch
            französisch chinesisch englische deutsche spanische französische chinesische inglés alemán español
            francés chino inglesa alemana española anglais allemand espagnol français chinois anglaise allemande
            espagnole française chinoise
            """
        )
    )
)
"""As lead-ins name them."""

OWN_NAMES = {
    "english": "englisch|inglés|anglais|英文|英语|英語",
    "german": "deutsch|德文|德语",
    "spanish": "español",
    "french": "français",
    "italian": "italiano",
    "portuguese": "português",
    "chinese": "中文|汉语|普通话|中国語",
    "japanese": "日本語|日文|日语",
    "korean": "한국어",
}
"""Languages as they call themselves and each other."""


@dataclass(frozen=True)
class Grammar:
    """The words of one language; each field is alternatives in the notation of regular expressions."""

    agreeing: str
    """Politeness before the lead-in: "Sure!"."""
    here: str
    """ "Here is"."""
    determiner: str
    quality: str
    """What stands before the noun, languages apart: "original"."""
    result: str
    """Nouns for what was asked for: "transcription"."""
    speech: str
    """Nouns for what was heard: "audio"."""
    content: str
    """Nouns that mean what was asked for only with a quality or with what was heard: "content"."""
    of: str
    """Prepositions and articles that join what was heard or a language to the noun."""
    be: str
    """Verbs before the transcript, where it was called a result or a content: "is", "reads"."""
    person: str
    """Who is heard: "the speaker"."""
    say: str
    """Verbs before the transcript, where it was called what is heard or said by somebody: "says"."""
    as_follows: str


ENGLISH = Grammar(
    agreeing=r"sure(?: thing)?|certainly|of course|okay|ok|absolutely|yes|alright|got it|i think|i believe|"
    r"in (?:the|this) (?:audio|recording|clip|speech)(?: clip| file)?",
    here=r"here(?: is|'s| are)(?: an?)?|below is(?: an?)?|this is(?: an?)?|the following is(?: an?)?",
    determiner=r"the|my|your|its",
    quality=r"original|full|exact|verbatim|word-for-word|complete|literal|direct|spoken|transcribed|translated|audio|speech|"
    r"corresponding|correct|following|final|accurate|written|text",
    result=r"(?:asr )?(?:transcriptions?|transcripts?|translations?)(?: (?:result|output|text))?|(?:translated|"
    r"transcribed) (?:text|speech)|asr output",
    speech=r"audio(?: clip| file| recording| message)?|(?:sentence|phrase|words?) (?:in the audio|spoken)|"
    r"speech(?: clip| recording)?|recording|(?:voice |sound )?clip|"
    r"voice(?: recording| message)?|utterance|spoken (?:text|words|sentence|language)",
    content=r"content|contents|text|words|sentence|phrase|utterance|speech|message",
    of=r"of|in|from|into|to|for|on|the|this|that|your|given|provided|you provided|you gave|speaker's?|what|was|is|"
    r"being said|said|spoken|text|sentence",
    be=r"is|are|was|would be|reads|goes|says|states|can be transcribed as|becomes",
    person=r"(?:the |a )?(?:(?:male|female|first|second) )?(?:speaker|person|man|woman|lady|gentleman|boy|girl|"
    r"child|caller|narrator|voice)"
    r"(?: speaking| talking)?",
    say=r"says|said|is saying|states|is|reads|goes|contains|is heard saying|can be heard saying",
    as_follows=r"as follows|the following(?: sentence| words| text)?|the (?:sentence|words|phrase|text)|likely|"
    r"probably",
)
GERMAN = Grammar(
    agreeing=r"gerne?|natürlich|sicher|klar|okay|ok|ja|in der (?:aufnahme|audiodatei)",
    here=r"hier(?: ist| sind| kommt)?|das ist|im folgenden",
    determiner=r"die|der|das|eine|ein|meine|ihre|deine",
    quality=r"ursprüngliche|originale|vollständige|wörtliche|gesprochene|genaue|korrekte|transkribierte|übersetzte|richtige|"
    r"gesprochener|vollständiger|übersetzter|transkribierter",
    result=r"übersetzung|transkription|transkript|abschrift|mitschrift|niederschrift",
    speech=r"audio|audiodatei|aufnahme|tonaufnahme|rede|sprachaufnahme",
    content=r"inhalt|text|satz|wortlaut",
    of=r"der|des|die|das|dieser|dieses|ins|in|auf|im|aus|von|zu|aufnahme|audiodatei|audios|rede|gesprochenen|textes|satzes",
    be=r"lautet|ist|wäre|heißt|lautet wie folgt",
    person=r"(?:der|die) (?:sprecher|sprecherin|person|mann|frau|stimme)",
    say=r"sagt|sagte|lautet|heißt",
    as_follows=r"wie folgt|folgendermaßen|so",
)
SPANISH = Grammar(
    agreeing=r"claro|por supuesto|sí|desde luego|vale|ok",
    here=r"aquí (?:está|tienes|va|tiene)|esta es|a continuación",
    determiner=r"la|el|una|un|mi|su|tu",
    quality=r"original|completa|completo|literal|exacta|exacto|correcta|correcto|siguiente",
    result=r"traducción|transcripción|texto traducido|texto transcrito",
    speech=r"audio|grabación|discurso",
    content=r"contenido|texto|frase|mensaje",
    of=r"del?|en|al|la|el|este|esta|audio|grabación|discurso|hablado|original|texto|frase",
    be=r"es|sería|dice|queda",
    person=r"(?:el|la) (?:hablante|persona|hombre|mujer|voz|locutor|locutora)",
    say=r"dice|dijo|es",
    as_follows=r"la siguiente|el siguiente|lo siguiente|así|como sigue",
)
FRENCH = Grammar(
    agreeing=r"bien sûr|certainement|oui|d'accord|ok",
    here=r"voici|voilà|ci-dessous",
    determiner=r"la|le|l'|une|un|ma|votre|sa",
    quality=r"originale?|complète?|littérale?|exacte?|correcte?",
    result=r"traduction|transcription|texte traduit|texte transcrit",
    speech=r"audio|enregistrement|discours",
    content=r"contenu|texte|phrase|message",
    of=r"de|du|des|en|la|le|l'|d'|cet|cette|ce|audio|enregistrement|discours|parole|texte|phrase",
    be=r"est|serait|dit|donne",
    person=r"(?:le|la|l') ?(?:locuteur|locutrice|personne|homme|femme|voix|orateur)",
    say=r"dit|a dit|est",
    as_follows=r"la suivante|le suivant|ainsi",
)
ITALIAN_AND_PORTUGUESE = Grammar(
    agreeing=r"certo|certamente|claro|sì|sim|ok",
    here=r"ecco|aqui está|eis|segue",
    determiner=r"la|il|l'|una|un|a|o|uma|um",
    quality=r"originale?|completa|completo|letterale|literal|corretta|correta",
    result=r"traduzione|trascrizione|tradução|transcrição",
    speech=r"audio|áudio|registrazione|gravação",
    content=r"contenuto|conteúdo|testo|texto|frase",
    of=r"del|della|dell'|di|in|do|da|de|em|para|o|a|audio|áudio|registrazione|gravação|testo|texto",
    be=r"è|é|sarebbe|seria",
    person=r"(?:il|la|o|a) (?:parlante|persona|pessoa|locutor|uomo|donna|homem|mulher|voce|voz)",
    say=r"dice|diz|è|é",
    as_follows=r"la seguente|a seguinte",
)


GRAMMARS = (ENGLISH, GERMAN, SPANISH, FRENCH, ITALIAN_AND_PORTUGUESE)
_IN_CHINESE = "中文|英文|英语|德文|德语|汉语|日文|日语|法语|西班牙语"
CHINESE = (
    r"(?:(?:好的|当然|可以|没问题)[\uff0c,。\uff01!]?\s*)?(?:以下是|这是|下面是)?(?:这段|该|此|这个|这句|这句话|上述)?"
    r"(?:音频|语音|录音|话|原文|句子|文本)?(?:中)?"
    rf"(?:的|被)?(?:{_IN_CHINESE}|原始|完整|文字)?(?:的)?"
    r"(?:翻译|译文|识别|转录|转写|听写|文本|内容|转录文本|转写文本|翻译结果|转录结果|转写结果|文字内容|原文)(?:结果|内容|文本)?"
    rf"(?:[成为](?:{_IN_CHINESE}))?(?:是|为|如下|是这样的)?"
)
CHINESE_SAYS = (
    r"(?:(?:这段|该)?(?:音频|语音|录音|话)|说话人|说话者|这个人|讲话者|(?:一位|一个)?(?:男士|女士|男人|女人))(?:中)?(?:的人)?"
    r"(?:说|说的是|说道|的内容是|在说)"
)
JAPANESE = (
    r"(?:はい、|もちろんです。)?(?:以下は|これは)?(?:音声|録音|この音声|この文)?(?:の)?(?:日本語|英語|中国語)?(?:の)?"
    r"(?:翻訳|訳|訳文|書き起こし|文字起こし|内容|転写)(?:結果|テキスト)?"
    r"(?:は(?:(?:次|以下)の(?:通り|とおり))(?:です)?|は|です)?"
)
KOREAN = (
    r"(?:네, )?(?:다음은 )?(?:음성의? |오디오의? )?(?:한국어 |영어 )?"
    r"(?:번역|전사|내용|받아쓰기)(?: ?(?:결과|내용))?(?:은|는|문|본)?(?:입니다)?"
    r"(?: 다음과 같습니다)?"
)
RUSSIAN = (
    r"(?:конечно[,.!] )?(?:вот )?(?:перевод|расшифровка|транскрипция|транскрипт|текст записи)"
    r"(?: на \w+ язык| речи| аудио)?"
)
REMARKS = (
    r"i hope (?:this|that|it) (?:helps|is helpful)",
    r"hope (?:this|that) helps",
    r"(?:please )?let me know if\b",
    r"feel free to\b",
    r"if you (?:need|have|want|would like)\b",
    r"is there anything else\b",
    r"would you like\b",
    r"do you (?:need|want)\b",
    r"happy to help",
    r"please note\b",
    r"\(?note:",
    r"ich hoffe, das hilft",
    r"lass(?:en sie)? (?:es )?mich wissen",
    r"(?:falls|wenn) (?:du|sie) (?:noch|weitere|mehr)\b",
    r"espero que (?:esto )?(?:te |le )?(?:ayude|sirva)",
    r"si (?:necesitas|necesita|tienes) (?:más|algo)",
    r"avísame si",
    r"j'espère que",
    r"n'hésitez pas",
    r"希望(?:这|对)",
    r"如果(?:您|你)(?:还|需要|有)",
    r"\(?(?:translation|translator's|transcription) note:",
    r"请告诉我",
    r"如有",
)
"""How models end, after what was asked for."""
