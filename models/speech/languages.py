"""The languages that engines know, where they cannot be asked without loading them, and what is said when one is missing."""

from collections.abc import Iterable

from media.errors import InputError
from media.languages import base_language, public_tags, script_of

WHISPER = (
    "en", "zh", "de", "es", "ru", "ko", "fr", "ja", "pt", "tr", "pl", "ca", "nl", "ar", "sv", "it", "id", "hi",
    "fi", "vi", "he", "uk", "el", "ms", "cs", "ro", "da", "hu", "ta", "no", "th", "ur", "hr", "bg", "lt", "la",
    "mi", "ml", "cy", "sk", "te", "fa", "lv", "bn", "sr", "az", "sl", "kn", "et", "mk", "br", "eu", "is", "hy",
    "ne", "mn", "bs", "kk", "sq", "sw", "gl", "mr", "pa", "si", "km", "sn", "yo", "so", "af", "oc", "ka", "be",
    "tg", "sd", "gu", "am", "yi", "lo", "uz", "fo", "ht", "ps", "tk", "nn", "mt", "sa", "lb", "my", "bo", "tl",
    "mg", "as", "tt", "haw", "ln", "ha", "ba", "jw", "su", "yue",
)  # fmt: skip
"""whisper's own codes, in its own order: a model of 99 languages lacks the last. (Not imported: that would take torch.)"""


def not_known(engine: str, verb: str, tag: str, known: Iterable[str], remedy: str = "") -> InputError:
    """The refusal of a language. It names those that there are, without their regions."""
    names = sorted({_plain(one) for one in public_tags(known)})
    return InputError(f"{engine} does not {verb} '{tag}'{remedy}; it has {', '.join(names)}.")


def _plain(tag: str) -> str:
    language, script = str(base_language(tag)), script_of(tag)
    return language if script == script_of(language) else f"{language}-{script}"
