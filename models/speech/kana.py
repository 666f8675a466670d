"""Japanese as it is pronounced, for an engine that reads kana but no kanji.

Readings are Janome's (Apache-2.0), from the dictionary mecab-ipadic.
"""

import unicodedata
from functools import cache
from threading import Lock
from typing import Any

import regex

_IPA = regex.compile(r"(\[\[.*?\]\])")
_POINT = regex.compile(r"(?<=[〇一二三四五六七八九十百千])・(?=[〇一二三四五六七八九])")
_LEANING = ("助詞", "助動詞")
"""Particles and auxiliaries are said together with the word before them."""
_VOWELS = {"A": "ア", "I": "イ", "U": "ウ", "E": "エ", "O": "オ"}
_lock = Lock()


def in_kana(text: str) -> str:
    """Katakana with a space between phrases, long vowels written out; what stands between `[[` and `]]` stays as it is.

    Example:
        >>> in_kana("今日は学校へ行きます。")
        'キョオワ ガッコオエ イキマス。'
    """
    parts = _IPA.split(text)
    return " ".join(part if place % 2 else _read(part) for place, part in enumerate(parts) if part.strip())


def _read(text: str) -> str:
    said = ""
    with _lock:
        words = list(_tokenizer().tokenize(_POINT.sub("テン", text)))
    for word in words:
        kind = word.part_of_speech.split(",")[0]
        sound = word.surface if word.phonetic == "*" else word.phonetic
        alone = kind not in _LEANING and any(character.isalnum() for character in sound)
        said += (" " if alone else "") + sound
    return " ".join(_long_vowels(said).split())


def _long_vowels(kana: str) -> str:
    """`キョー` to `キョオ`: espeak leaves a vowel short before the sign for a long one."""
    written = ""
    for character in kana:
        before = unicodedata.name(written[-1], "") if written else ""
        if character == "ー" and before.startswith("KATAKANA LETTER") and before[-1] in _VOWELS:
            character = _VOWELS[before[-1]]
        written += character
    return written


@cache
def _tokenizer() -> Any:
    from janome.tokenizer import Tokenizer

    return Tokenizer()
