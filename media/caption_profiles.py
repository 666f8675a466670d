"""What readers of each language can read: how long a line may be, how fast it may come, in which direction it runs.

The figures are those of published style guides for subtitles (Netflix Timed Text Style Guides: general requirements,
and those for Chinese, Japanese and Korean). Captions say every word that is spoken, so Japanese has the speed of captions
(7 characters a second), not that of film subtitles, which are condensed (4).
"""

import math
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import langcodes

MIN_SECONDS = 5 / 6
"""A cue is shown at least so long: less cannot be read."""
MAX_SECONDS = 7.0
"""A cue is shown at most so long: more, and people read it twice."""
GAP_FRAMES = 2
"""Frames between two cues at least, so that the eye sees that the text has changed."""
DEFAULT_FPS = 25.0

Script = Literal["spaced", "chinese", "japanese", "korean"]

_CHINESE, _JAPANESE, _KOREAN = {"Hans", "Hant", "Hani"}, {"Jpan", "Hira", "Kana", "Hrkt"}, {"Kore", "Hang"}
_RIGHT_TO_LEFT = {"Arab", "Hebr", "Thaa", "Syrc", "Nkoo", "Adlm", "Rohg", "Samr"}

RLM, LRM, RLE, PDF = "\u200f", "\u200e", "\u202b", "\u202c"
_MARKS = "\u200e\u200f\u061c"
_EMBEDDINGS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@dataclass(frozen=True, slots=True)
class Profile:
    """The limits of captions in one language."""

    language: str = ""
    max_lines: int = 2
    max_chars: int = 42
    """The longest line, in characters. Where `columns_per_char` is 2, half-width ones (Latin letters) count half."""
    chars_per_second: float = 17.0
    columns_per_char: int = 1
    right_to_left: bool = False

    @property
    def max_columns(self) -> int:
        return self.max_chars * self.columns_per_char

    @property
    def line_columns(self) -> int:
        """As wide as our own lines are at most: tools that count the marks of direction shall find them short enough."""
        return self.max_columns - 2 * self.right_to_left

    def chars(self, lines: tuple[str, ...]) -> float:
        """Characters to be read, spaces, punctuation and (in scripts with spaces) the line break among them."""
        breaks = (len(lines) - 1) * (self.columns_per_char == 1)
        return (sum(columns(line) for line in lines) + breaks) / self.columns_per_char

    def reading_ms(self, lines: tuple[str, ...]) -> int:
        """Whole milliseconds in which `lines` can be read, the shortest time of a cue at least."""
        return max(SHORTEST_MS, math.ceil(1000 * self.chars(lines) / self.chars_per_second - 1e-9))


SHORTEST_MS = math.ceil(1000 * MIN_SECONDS)
LONGEST_MS = round(1000 * MAX_SECONDS)


@lru_cache(maxsize=256)
def profile_of(language: str | None) -> Profile:
    """The limits for a BCP 47 tag; those of English where the tag is empty or says nothing."""
    script = _script(language)
    if script in _CHINESE:
        return Profile(language or "", max_chars=16, chars_per_second=9.0, columns_per_char=2)
    if script in _JAPANESE:
        return Profile(language or "", max_chars=16, chars_per_second=7.0, columns_per_char=2)
    if script in _KOREAN:
        return Profile(language or "", max_chars=16, chars_per_second=12.0, columns_per_char=2)
    return Profile(language or "", right_to_left=script in _RIGHT_TO_LEFT)


@lru_cache(maxsize=256)
def _script(language: str | None) -> str:
    try:
        return langcodes.get(language or "und", normalize=True).maximize().script or ""
    except (langcodes.LanguageTagError, ValueError):
        return ""


def guess_language(text: str) -> str:
    """A tag whose profile fits the script of most letters in `text`, for files that do not say their language."""
    counts = {"": 0, "ja": 0, "ko": 0, "zh": 0, "ar": 0, "he": 0}
    for character in text:
        name = unicodedata.name(character, "") if character.isalpha() else ""
        first = name.partition(" ")[0]
        key = {"HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "CJK": "zh", "ARABIC": "ar", "HEBREW": "he"}.get(
            first
        )
        counts[key or ""] += bool(name)
    if counts["ja"] > 0.1 * (counts["ja"] + counts["zh"]):  # Japanese always has kana among its ideographs
        counts["ja"] += counts.pop("zh")
    return max(counts, key=lambda tag: counts[tag])


@lru_cache(maxsize=8192)
def columns(text: str) -> int:
    """Columns that `text` takes: its code points, wide ones (East Asian) twice."""
    return len(text) + sum(unicodedata.east_asian_width(character) in "WF" for character in text)


# Direction. Players find the direction of each line from its first strong letter (WebVTT: `unicode-bidi: plaintext`),
# or know none but left to right (most players of SRT).


def without_marks(text: str) -> str:
    """`text` without embeddings, which a line break would cut, and without the marks at its ends."""
    if text.isascii():
        return text
    return text.translate(dict.fromkeys(map(ord, _EMBEDDINGS))).strip(_MARKS + " ")


def runs_right_to_left(line: str) -> bool | None:
    """The direction of `line` by its first strong letter, or an embedding before it; None where nothing in it says."""
    for character in line:
        kind = unicodedata.bidirectional(character)
        if kind in ("R", "AL", "RLE", "RLI"):
            return True
        if kind == "L":
            return False
    return None


def vtt_mark(line: str, right_to_left: bool) -> str:
    """What a line of WebVTT has to begin with, so that players give it the direction of its language."""
    if right_to_left:
        return RLM
    return LRM if runs_right_to_left(line) else ""


def embedded(line: str, right_to_left: bool) -> str:
    """`line` of SRT so that it runs in the direction of its language even in a program that knows only left to right."""
    return f"{RLE}{line}{PDF}" if right_to_left else vtt_mark(line, right_to_left) + line
