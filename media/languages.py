"""Which of somebody's own language codes means a BCP 47 tag: an engine's, a script's, a glossary's.

Tags themselves are read and normalised by `media.dialogue.language_tag`, at the edge.
"""

from collections.abc import Iterable
from functools import lru_cache

import langcodes

_WRITTEN_AS = {"no": "nb"}
"""`no` is what most engines call written Norwegian Bokmål; Nynorsk (`nn`) is another language."""


def closest(tag: str, known: Iterable[str], *, same_script: bool = False) -> str | None:
    """The code in `known` that means `tag`: the same language, in the nearest region; None where there is none.

    Codes may be written in any way that langcodes understands: `pt_br`, `iw` for Hebrew, `jw` for Javanese, `deu`.

    Args:
        same_script: whether it must be written in the same script, so that `zh-TW` is not content with `zh`.
    """
    wanted = base_language(tag)
    relatives = [code for code in known if base_language(code) == wanted]
    if same_script:
        relatives = [code for code in relatives if script_of(code) == script_of(tag)]

    def remoteness(code: str) -> tuple[bool, bool, int, int, str]:
        return _is_alias(code), code.lower() != tag.lower(), _distance(tag, code), len(code), code

    return min(relatives, key=remoteness, default=None)


@lru_cache(maxsize=4096)
def base_language(tag: str) -> str | None:
    """The language of a tag without script or region: `he` for `iw`, `zh` for `cmn-Hans`; None when it is no tag."""
    try:
        language = langcodes.get(tag)
    except (langcodes.LanguageTagError, ValueError):
        return None
    primary = language.prefer_macrolanguage().language
    if primary is None or not language.is_valid():
        return None
    return _WRITTEN_AS.get(primary, primary)


@lru_cache(maxsize=4096)
def script_of(tag: str) -> str | None:
    """The ISO 15924 script that a tag is written in, said or implied: `Hant` for `zh-TW`."""
    return langcodes.get(tag).prefer_macrolanguage().maximize().script


def _is_alias(code: str) -> bool:
    """Whether the language has another code that is preferred, as `hbs` has `sr`."""
    return langcodes.get(code, normalize=False).language != base_language(code)


@lru_cache(maxsize=4096)
def _distance(tag: str, code: str) -> int:
    return langcodes.tag_distance(langcodes.get(tag), langcodes.get(code).prefer_macrolanguage())


def public_tags(codes: Iterable[str]) -> list[str]:
    """`codes` as BCP 47 tags, sorted, each once: how a person is told what there is."""
    return sorted({langcodes.standardize_tag(code, macro=True) for code in codes if base_language(code)})
