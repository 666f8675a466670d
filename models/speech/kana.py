"""Japanese as it is pronounced, for an engine that reads kana but no kanji.

Readings are Janome's (Apache-2.0), from the dictionary mecab-ipadic; those of numbers are in
`models.speech.japanese_numbers`.
"""

import unicodedata
from functools import cache
from threading import Lock
from typing import Any

import regex

from models.speech.japanese_numbers import split_at_numbers

_IPA = regex.compile(r"(\[\[.*?\]\])")
_LEANING = ("助詞", "助動詞")
"""Particles and auxiliaries are said together with the word before them."""
_NOUN = "円"
"""Stands for a number, so that what follows it is seen to be a particle."""
_VOWELS = {"A": "ア", "I": "イ", "U": "ウ", "E": "エ", "O": "オ"}
_lock = Lock()


def in_kana(text: str) -> str:
    """Katakana with a space between phrases, long vowels written out; what stands between `[[` and `]]` stays as it is.

    Example:
        >>> in_kana("今日は学校へ行きます。")
        'キョオワ ガッコオエ イキマス。'
    """
    said = ""
    for place, part in enumerate(_IPA.split(text)):
        if place % 2:
            said += f" {part} "
            continue
        parts = split_at_numbers(part)
        for (kana, is_number), (_, follows_number) in zip(parts, [("", False), *parts], strict=False):
            said += f" {kana}" if is_number else _read(kana, follows_number)
    return " ".join(_long_vowels(said).split())


def _read(text: str, follows_number: bool) -> str:
    """With a space before what is a phrase of its own."""
    with _lock:
        words = list(_tokenizer().tokenize(f"{_NOUN}{text}" if follows_number else text))
        if follows_number and words[0].surface != _NOUN:  # it made one word with what follows
            words = [words[0], *_tokenizer().tokenize(text)]
    said = ""
    for word in words[follows_number:]:
        kind = word.part_of_speech.split(",")[0]
        sound = word.surface if word.phonetic == "*" else word.phonetic
        alone = kind not in _LEANING and any(character.isalnum() for character in sound)
        said += (" " if alone else "") + sound
    return said


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
