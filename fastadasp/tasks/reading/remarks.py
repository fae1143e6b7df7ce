"""What models say after what was asked for."""

import re

_REMARKS = (
    r"i hope (?:this|that|it) (?:helps|is helpful)",
    r"hope (?:this|that) helps",
    r"(?:please )?let me know if\b",
    r"feel free to\b",
    r"if you (?:need|have|want|would like|'d like)\b",
    r"is there anything (?:else|more)\b",
    r"would you like\b",
    r"do you (?:need|want)\b",
    r"happy to help",
    r"please note\b",
    r"\(?note:",
    r"[(\[]?end of (?:the )?(?:transcript|transcription|translation|audio|recording|clip)\b",
    r"thank you[.!]*\s*\Z",
    r"ich hoffe, das hilft",
    r"lass(?:en sie)? (?:es )?mich wissen",
    r"(?:falls|wenn) (?:du|sie) (?:noch|weitere|mehr)\b",
    r"kann ich (?:dir|ihnen) (?:noch|sonst)",
    r"espero que (?:esto )?(?:te |le )?(?:ayude|sirva)",
    r"si (?:necesitas|necesita|tienes) (?:más|algo)",
    r"avísame si",
    r"¿(?:necesitas|hay) algo más",
    r"j'espère que",
    r"n'hésitez pas",
    r"希望(?:这|对)",
    r"如果(?:您|你)(?:还|需要|有)",
    r"(?:detected |source )?language: ",
    r"\(?(?:translation|translator's|transcription|transcriber's) note:",
    r"请告诉我",
    r"如有",
    r"还有(?:什么|其他)",
)
REMARK = re.compile("|".join(_REMARKS), re.IGNORECASE)
"""How a closing sentence or paragraph begins."""
