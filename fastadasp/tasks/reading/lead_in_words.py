"""The words of lead-ins, language by language; `lead_ins.py` says what makes a lead-in of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LeadInWords:
    """The words of one language by their part in a lead-in; each field is alternatives of a regular expression."""

    polite: str
    """What models say first: "sure", "I'd be happy to help"."""
    result: str
    """Nouns for what was asked for: "transcription"."""
    heard: str
    """Nouns for what was listened to: "audio clip"."""
    content: str
    """Nouns that mean what was asked for once something shows that it was heard or written down: "sentence"."""
    wording: str
    """Nouns that need no more than "is" to mean what was asked for: "content"."""
    spoken: str
    """Participles that say so: "spoken", "transcribed", "what was said"."""
    quality: str
    """Adjectives: "original"."""
    here: str
    """What points at what comes next: "here is", "as follows"."""
    speaker: str
    """Who is heard: "a woman"."""
    says: str
    """Verbs of saying in the present tense: "says", "is saying"."""
    said: str
    """The same in the past tense, in which stories are told: they announce nothing but a quotation."""
    be: str
    """Verbs between a noun and what it names: "is"."""
    complete: str
    """Phrases that announce by themselves: "I hear", "here you go"."""
    into: str
    """Phrases before a language which announce together with it: "translated into"."""
    quoting: str
    """Phrases that announce nothing but a quotation: "it says"."""
    link: str
    """Articles, prepositions and other words which any sentence has."""


ENGLISH = LeadInWords(
    polite=r"sure(?: thing)?|certainly|of course|okay|ok|absolutely|definitely|yes|alright|all right|got it|great|"
    r"no problem|i think|i believe|"
    r"i'?(?:d| would|'m| am|d) be (?:happy|glad) to help(?: you)?(?: with that| with this)?|"
    r"i'm (?:happy|glad) to help|i (?:can|will|'ll) (?:help(?: you)?(?: with that)?|do that)|"
    r"(?:thank you|thanks) for (?:sharing|providing|sending|uploading)",
    result=r"lyrics|captions?|subtitles?|transcriptions?|transcripts?|translations?|translated version|asr|"
    r"speech[- ]to[- ]text|transcribing|best guess",
    heard=r"audio(?: clip| file| recording| message| sample)?|speech(?: clip| recording)?|recording|"
    r"(?:voice |sound )?clip|sound file|utterance|voice(?: recording| message| note)?",
    content=r"words?|sentences?|quote|version|phrase|message|statement|line|passage|output|result",
    wording=r"contents?|wording|text",
    spoken=r"spoken|transcribed|translated|uttered|dictated|recogni[sz]ed|detected|captured|extracted|being said|"
    r"(?:is|was|were) said|what i heard?|what (?:he|she|they) (?:says?|is saying)|what is (?:being )?said|"
    r"what was (?:being )?said|what(?= (?:the|this|is|a)\b)",
    quality=r"original|full|exact|verbatim|word-for-word|word for word|complete|literal|direct|corresponding|correct|"
    r"final|accurate|written|cleaned|clean|raw|best|likely|most likely|given|provided|requested|english-language",
    here=r"here(?: is|'s| are)(?: an?| what)?|below (?:is|are)(?: an?)?|(?:is |are )?(?:given |shown )?below|"
    r"this is(?: an?)?|the following(?: is(?: an?)?)?|following|as follows|thus|like this|this",
    speaker=r"(?:an? |one )?(?:(?:male|female|first|second|main|young|old|older|elderly|native|child) )*(?:speaker|"
    r"person|man|woman|lady|gentleman|boy|girl|child|caller|narrator|voice|male|female|user)(?: speaking| talking)?|"
    r"someone",
    says=r"says|utters|tells us|is saying|states|is stating|reads|goes|contains|is heard saying|can be heard saying|"
    r"saying|say|has said|(?:say|saying) something like|announces|includes",
    said=r"is speaking|speaks|said|was saying|stated|read|spoke|announced|was|were",
    be=r"is|are|would be|will be|should be|can be (?:transcribed|translated|written)(?: as(?! follows)| to| into)?|"
    r"becomes|it is|it's|has been (?:transcribed|translated)(?: as(?! follows)| to| into)?|sounds like|reads|"
    r"transcribes?(?: to| as(?! follows)| into)?|"
    r"appears to be|seems to be|goes like|means|translates?(?: to| as| into)?|"
    r"is (?:transcribed|translated)(?: as(?! follows)| to| into)?|as",
    complete=r"what (?:is|was) (?:being )?said(?: in the (?:audio|recording|clip))?(?: is| was)?|"
    r"(?:let me|i'll|i will|i can) (?:transcribe|translate) (?:that|this|it|the audio)(?: for you)?|"
    r"i(?: have|'ve) (?:transcribed|translated)(?: it| this| the audio)?(?: for you)?|"
    r"(?:what )?i (?:can )?hear(?:d)?(?: is)?|here you (?:go|are)|here it is|"
    r"here(?: is|'s) (?:the|your) (?:result|output)|it sounds like|"
    r"(?:this|that|it|which) (?:means|translates?(?: to| as| into)?|is translated(?: to| as)|would be)",
    into=r"(?:translated? )?(?:in|into|to)|translated",
    quoting=r"says that|the answer is|(?<=[.!] )s?he says|it says|it is said|(?:we|you|one|i) (?:can )?hear|you said|"
    r"it goes",
    link=r"the|my|your|its|of|in|from|into|to|for|on|this|that you(?: just)?|you(?: asked for| requested| wanted)?|"
    r"who|there(?: is|'s)|have|provided|gave|sent|uploaded|shared|based on|according to|after|listening|i|i've|"
    r"listened|listen|file|above|exactly|features|captures|so|therefore|hence|please|find|can|could|be|found|will|"
    r"would|let me|let's|i'll|see|it (?:appears|seems)(?: that)?|(?:seems|appears) to|as requested|start|begins?|"
    r"that(?:'s| is)|how (?:you|to|one) (?:would )?say (?:it|this|that)|speaker's|speakers'|by|using|with",
)
GERMAN = LeadInWords(
    polite=r"(?:sehr )?gerne?|natürlich|sicher(?:lich)?|selbstverständlich|klar|okay|ok|ja|aber gerne|kein problem|"
    r"ich helfe (?:dir|ihnen)? ?gerne?",
    result=r"übersetzung|transkription|transkript|abschrift|mitschrift|niederschrift|verschriftlichung|transkribierung",
    heard=r"audio(?:datei|aufnahme|clip|s|inhalts?)?|(?:ton|sprach)?aufnahme|rede|aufzeichnung|sprachnachricht|"
    r"tonspur|clip|datei",
    content=r"satz(?:es)?|wörter|worte|äußerung|aussage|ergebnis|nachricht",
    wording=r"inhalt|(?:original)?text(?:es)?|wortlaut",
    spoken=r"gesprochene[nrs]?|transkribierte[nrs]?|übersetzt(?:e[nrs]?)?|gesagt(?:e[nrs]?| wird| wurde)|"
    r"zu hören(?: ist)?|"
    r"was ich höre|gehörte[nrs]?",
    quality=r"ursprüngliche[nrs]?|originale[nrs]?|vollständige[nrs]?|wörtliche[nrs]?|genaue[nrs]?|korrekte[nrs]?|"
    r"richtige[nrs]?|endgültige[nrs]?|gewünschte[nrs]?",
    here=r"hier(?: ist| sind| kommt)?|das ist|dies ist|im folgenden|folgt|folgende[nrs]?|wie folgt|folgendermaßen|so",
    speaker=r"(?:der|die|eine?) (?:(?:männliche|weibliche)r? )?(?:sprecher|sprecherin|person|mann|frau|stimme|junge|"
    r"mädchen|kind)",
    says=r"sagt|wird gesagt|spricht|lautet|heißt es|besagt|enthält|es heißt",
    said=r"sagte|wurde gesagt|hieß es|sprach",
    be=r"lautet|lauten|ist|sind|wäre|heißt|war",
    complete=r"ich höre|bitte ?(?:schön|sehr)|hier bitte",
    into=r"(?:übersetzt )?(?:auf|ins)|übersetzt",
    quoting=r"man hört|gesagt wird",
    link=r"die|der|das|den|dem|eine|einen|ein|meine|ihre|deine|des|dieser|dieses|diese|ins|in|auf|im|aus|von|vom|zu|"
    r"zur|ich|nach|basierend",
)
SPANISH = LeadInWords(
    polite=r"claro(?: que sí)?|por supuesto|sí|desde luego|vale|ok|con gusto|con mucho gusto|seguro|perfecto|"
    r"de acuerdo",
    result=r"traducción|transcripción|texto traducido|texto transcrito",
    heard=r"audio|grabación|discurso|clip|archivo(?: de audio)?|mensaje de voz",
    content=r"frase|oración|mensaje|palabras|resultado",
    wording=r"contenido|texto",
    spoken=r"hablad[oa]s?|dich[oa]s?|transcrit[oa]|traducid[oa]|pronunciad[oa]s?|"
    r"lo que (?:se )?(?:dice|oigo|escucho|escuché)|se (?:dice|escucha|oye)",
    quality=r"original|complet[oa]|literal|exact[oa]|correct[oa]|final",
    here=r"aquí (?:está|tienes?|va|le dejo|te dejo)|est[ae] es|a continuación|(?:el |la |lo )?siguiente|así|como sigue",
    speaker=r"(?:el|la|una?) (?:hablante|persona|hombre|mujer|voz|locutora?|orador|señora?|chic[oa]|niñ[oa])",
    says=r"dice|está diciendo|contiene|reza",
    said=r"dijo|decía",
    be=r"es|sería|dice|queda|son",
    complete=r"(?:lo que )?(?:oigo|escucho)|aquí tienes",
    into=r"(?:traducid[oa] )?(?:en|al)",
    quoting=r"se oye|se escucha",
    link=r"la|el|los|las|una?|mi|su|tu|del?|en|al|este|esta|lo|que|se|según|solicitad[oa]",
)
FRENCH = LeadInWords(
    polite=r"bien sûr|certainement|oui|d'accord|ok|avec plaisir|absolument|volontiers|très bien",
    result=r"traduction|transcription|texte traduit|texte transcrit|retranscription",
    heard=r"(?:fichier )?audio|enregistrement|discours|extrait(?: audio| sonore)?|message vocal|clip",
    content=r"phrase|message|mots|paroles?|résultat|énoncé",
    wording=r"contenu|texte",
    spoken=r"prononcée?s?|dite?s?|parlée?s?|transcrite?|traduite?|ce que j'entends|ce qui est dit|ce que dit|entendue?",
    quality=r"originale?|complète?|littérale?|exacte?|correcte?|finale?|intégrale?",
    here=r"voici|voilà|ci-dessous|(?:la |le |ce qui )?suivante?|comme suit|ainsi|suit",
    speaker=r"(?:le |la |l'|une? )(?:locuteur|locutrice|personne|homme|femme|voix|orateur|oratrice|monsieur|dame|"
    r"enfant)",
    says=r"dit|est en train de dire|contient",
    said=r"a dit|disait",
    be=r"est|serait|donne|sont|se lit|se traduit par",
    complete=r"j'entends|(?:ceci|cela|la phrase|le texte) se traduit par",
    into=r"(?:traduite? )?en",
    quoting=r"on entend",
    link=r"la|le|les|l'|une?|ma|mon|votre|sa|de|du|des|en|d'|cet|cette|ce|dans|est|que|demandée?",
)
ITALIAN_AND_PORTUGUESE = LeadInWords(
    polite=r"certo|certamente|claro|sì|sim|ok|com certeza|volentieri",
    result=r"traduzione|trascrizione|tradução|transcrição|testo tradotto|testo trascritto|texto traduzido|"
    r"texto transcrito",
    heard=r"audio|áudio|registrazione|gravação|discorso|discurso",
    content=r"frase|parole|palavras|messaggio|mensagem",
    wording=r"contenuto|conteúdo|testo|texto",
    spoken=r"parlat[oa]|dett[oa]|falad[oa]|dit[oa]",
    quality=r"originale?|complet[oa]|letterale|literal|corrett[oa]|corret[oa]|esatt[oa]|exat[oa]",
    here=r"ecco|aqui está|eis|segue|questa è|esta é|(?:la |a |o |il )?seguente|seguinte",
    speaker=r"(?:il|la|o|a|un|una|um|uma|l') ?(?:parlante|persona|pessoa|locutor|locutora|uomo|donna|homem|mulher|"
    r"voce|voz)",
    says=r"dice|diz|sta dicendo|está dizendo",
    said=r"ha detto|disse",
    be=r"è|é|sarebbe|seria",
    complete=r"sento|ouço|aqui vai",
    into=r"in|em",
    quoting=r"si sente|ouve-se",
    link=r"la|il|lo|l'|una?|a|o|uma?|del|della|dell'|di|in|do|da|de|em|per|para|nell'|no|na",
)
RUSSIAN = LeadInWords(
    polite=r"конечно|хорошо|да|ок",
    result=r"перевод|расшифровка|транскрипция|транскрипт|стенограмма",
    heard=r"аудио(?:записи|запись|файла)?|записи|запись|речи|речь",
    content=r"фраза|предложение|слова|сообщение",
    wording=r"текст|содержание",
    spoken=r"сказано|произнесено|звучит|говорится",
    quality=r"полн(?:ый|ая)|дословн(?:ый|ая)|точн(?:ый|ая)",
    here=r"вот|ниже|следующ(?:ий|ая)|это",
    speaker=r"говорящий|диктор|человек|женщина|мужчина|голос",
    says=r"говорит|звучит",
    said=r"сказала?",
    be=r"звучит так|таков",
    complete=r"я слышу",
    into=r"перевод на",
    quoting=r"слышно",
    link=r"на|в|из|языке?|этой|этого|русский|английский|немецкий|русском|английском|немецком",
)
CHINESE = LeadInWords(
    polite=r"好的|好|当然(?:可以)?|可以|没问题",
    result=r"原文|文本内容|文字内容|(?:录音|语音)?转文字|[英德法中日]译[英德法中日]|翻译|译文|识别|转录|转写|听写|誊写|文字稿|文稿|转录稿|字幕|逐字稿",
    heard=r"音频(?:文件|片段)?|语音|录音|讲话|话|片段",
    content=r"句子|话|句话|这句话|结果|文字",
    wording=r"内容|文本|文字|文字内容|意思",
    spoken=r"说的|所说|讲的|听到|说的话",
    quality=r"原始|对应|完整|准确|最终|具体|主要",
    here=r"以下(?:是|为)?|下面(?:是)?|这是|如下|是这样的|这里是",
    speaker=r"(?:一位|一个|这位|这个)?(?:说话人|说话者|讲话者|人|男士|女士|男人|女人|男子|女子|男性|女性|男声|女声|对方|讲者)",
    says=r"说的是|说道|在说|说|讲的是",
    said=r"说了",
    be=r"是|为|成",
    complete=r"我听到的(?:内容)?是",
    into=r"(?:翻译|译)?[成为](?=中文|[英德法日汉]|西班牙|普通话)",
    quoting=r"听到|[他她]说的(?:内容)?是",
    link=r"这段|该|此|这个|这句|这|上述|段|中|里|的|被|您|你|提供|要求|根据|请看|我",
)
JAPANESE = LeadInWords(
    polite=r"はい|もちろんです|承知しました|わかりました|了解しました",
    result=r"翻訳(?:結果|文)?|和訳|訳文?|書き起こし(?:結果)?|文字起こし(?:結果)?|転写|トランスクリプト|日本語訳|英訳",
    heard=r"音声(?:ファイル)?|録音|オーディオ|スピーチ",
    content=r"文|文章|言葉|発話",
    wording=r"内容|テキスト",
    spoken=r"話された|話している|発言",
    quality=r"完全な|正確な",
    here=r"以下(?:は|が|の通り|のとおり)?|次(?:の通り|のとおり)|こちらが|これは",
    speaker=r"話者|話し手|男性|女性|人",
    says=r"言っています|話しています|言っている",
    said=r"言いました|言った",
    be=r"です|は|であります|になります",
    complete=r"聞こえるのは",
    into=r"日本語(?=では|で)|英語(?=では|で)",
    quoting=r"聞こえます",
    link=r"の|を|が|に|で|この|その|した|通り|とおり|もの|と",
)
KOREAN = LeadInWords(
    polite=r"네|물론입니다|물론이죠|알겠습니다",
    result=r"번역(?:문|본)?|전사(?:문|본)?|받아쓰기|녹취록|대본",
    heard=r"음성|오디오|녹음",
    content=r"문장|말|결과",
    wording=r"내용|텍스트",
    spoken=r"말한|말하는",
    quality=r"전체|정확한|원본",
    here=r"다음은|아래는|다음과 같습니다|여기",
    speaker=r"화자|남자|여자|사람",
    says=r"말합니다|말하고 있습니다",
    said=r"말했습니다",
    be=r"입니다|있습니다",
    complete=r"들리는 내용은",
    into=r"한국어로|영어로",
    quoting=r"라고",
    link=r"은|는|이|가|을|를|의",
)
SPACED = (ENGLISH, GERMAN, SPANISH, FRENCH, ITALIAN_AND_PORTUGUESE, RUSSIAN)
"""Languages whose words end at a space or a sign."""
UNSPACED = (CHINESE, JAPANESE, KOREAN)
"""Languages whose words follow each other without a sign."""
