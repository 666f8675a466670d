"""Who said which word: words with times, laid over a diarization, become turns."""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from media.dialogue import Turn
from models.speech.protocols import Diarization, SpeakerTurn, Word

_NEAR = 0.3
"""A word that misses all speech by less than this many seconds still belongs to it: word times are no better."""
_LONG_PAUSE = 1.5
"""A pause within one speaker's words that begins a new turn, seconds."""

_NO_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "IDEOGRAPHIC", "FULLWIDTH")


def assign_words(words: Iterable[Word], diarization: Diarization) -> tuple[Turn, ...]:
    """Turns in order of time, each with its speaker's words; `start` and `end` are those of the first and last word.

    Every word goes to the one speaker who speaks longest while it is said (`Diarization.exclusive`). Words over silence are
    dropped: recognisers invent text there.
    """
    order = sorted(diarization.exclusive, key=lambda turn: turn.start)
    starts = [turn.start for turn in order]
    turns: list[Turn] = []
    spoken: list[list[str]] = []
    for word in sorted(words, key=lambda word: (word.start, word.end)):
        speaker = _speaker_of(word, order, starts)
        if speaker is None or not word.text.strip():
            continue
        last = turns[-1] if turns else None
        if last and last.speaker == speaker and last.end is not None and word.start - last.end < _LONG_PAUSE:
            spoken[-1].append(word.text)
            turns[-1] = Turn(speaker, "", last.start, max(last.end, word.end))
        else:
            spoken.append([word.text])
            turns.append(Turn(speaker, "", word.start, word.end))
    return tuple(
        Turn(turn.speaker, join_words(texts), turn.start, turn.end) for turn, texts in zip(turns, spoken, strict=True)
    )


def join_words(texts: Iterable[str]) -> str:
    """Words as running text: with spaces between them, except in the scripts that write none."""
    joined = ""
    for text in texts:
        text = text.strip()
        if joined and text and not (_unspaced(joined[-1]) and _unspaced(text[0])):
            joined += " "
        joined += text
    return joined


def _unspaced(character: str) -> bool:
    return unicodedata.name(character, "").startswith(_NO_SPACES)


def _speaker_of(word: Word, order: Sequence[SpeakerTurn], starts: Sequence[float]) -> str | None:
    heard: dict[str, float] = {}
    nearest, distance = None, _NEAR
    # Turns do not overlap, so that those in question are the one before the word and those that begin within reach of it.
    for turn in order[max(bisect_right(starts, word.start) - 1, 0) : bisect_right(starts, word.end + _NEAR)]:
        overlap = min(turn.end, word.end) - max(turn.start, word.start)
        if overlap > 0 or turn.start <= word.start < turn.end:
            heard[turn.speaker] = heard.get(turn.speaker, 0.0) + max(overlap, 0.0)
        elif -overlap < distance:
            nearest, distance = turn.speaker, -overlap
    return max(heard, key=lambda speaker: heard[speaker]) if heard else nearest
