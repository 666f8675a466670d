"""Scripts as people write them: plain text, YAML, WebVTT and SRT, read and written.

Whatever the format, a fault is reported as `NAME:LINE: what is wrong; what to do`. docs/formats.md describes them.
"""

import difflib
import html
import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Literal, cast, get_args

from media.dialogue import (
    AgeBand,
    Dialogue,
    Glossary,
    Script,
    Speaker,
    Turn,
    VoiceGender,
    display_name,
    is_speakable,
    language_tag,
    name_fault,
    speaker_key,
    tidy,
)
from media.errors import InputError
from media.glossary import glossary_of
from media.languages import closest
from media.phrases import unbroken
from media.plain_yaml import Node, read_plain_yaml
from media.subtitles import Piece, balanced, format_time, read_srt, read_vtt, split_speaker, srt_line
from media.textfile import MAX_TURNS, check_text, lines_of, read_text

ScriptKind = Literal["text", "yaml", "vtt", "srt"]

SCRIPT_SUFFIXES: dict[str, ScriptKind] = {
    ".txt": "text",
    ".script": "text",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".vtt": "vtt",
    ".srt": "srt",
}

_HEADERS = ("title", "language", "cast", "speaker")
_OTHER_WORDS = {"lang": "language", "locale": "language", "casting": "cast", "character": "speaker", "voice": "speaker"}
_GENDERS: dict[str, VoiceGender] = {gender: gender for gender in get_args(VoiceGender)}
_GENDERS |= {"female": "feminine", "male": "masculine"}
_AGES: dict[str, AgeBand] = {age: age for age in get_args(AgeBand)}
_HINTS = "feminine, masculine or neutral, and young, adult or senior"
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SPEAKER_KEYS = ("gender", "age", "portrait", "voice", "consent")
_RULE = re.compile(r"-{3,}")
# Three-letter tags count in lower case only: an indented "LEO:" is a turn that was moved, not a language.
_VARIANT = re.compile(r"((?:[A-Za-z]{2}|[a-z]{3})(?:[-_][A-Za-z0-9]{1,8}){0,8})\s*[:：]")
# Without a limit to common languages, a short line in Hindi is taken for Nepali and one in English for Pidgin.
_GUESSED = frozenset(
    {"ar", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "gu", "he", "hi", "hr", "hu"}
    | {"id", "it", "ja", "ka", "kn", "ko", "lt", "lv", "ml", "mr", "ms", "nl", "no", "pa", "pl", "pt", "ro", "ru", "sk"}
    | {"sl", "sr", "sv", "sw", "ta", "te", "th", "tl", "tr", "uk", "ur", "vi", "zh"}
)
_WORDS_TO_TELL = 10
"""From so many words on, it is sure that a text is not in a language."""


@dataclass(slots=True)
class _Line:
    """A turn as it was found. The text in the script's own language has the key `""` until that language is known."""

    number: int
    speaker: str
    direction: str
    texts: dict[str, str]
    start: float | None = None
    end: float | None = None


@dataclass(slots=True)
class _Draft:
    """What a parser found in a file, before it is checked as a whole."""

    title: str = ""
    language: str | None = None
    hints: dict[str, tuple[int, str, Speaker]] = field(default_factory=dict)
    """By the speaker's key: line, name as written, hints."""
    turns: list[_Line] = field(default_factory=list)
    glossary: Glossary = field(default_factory=Glossary)


def read_script(path: Path, language: str | None = None, *, gaps: bool = False) -> Script:
    """The script in a file, whose kind its suffix tells; `language` holds where the file names none.

    Args:
        gaps: whether turns may lack lines in the languages of translations; their text there is empty.

    Raises:
        InputError: the file cannot be read as a script; the message names file and line.
    """
    kind = SCRIPT_SUFFIXES.get(path.suffix.lower())
    if kind is None:
        known = " ".join(SCRIPT_SUFFIXES)
        raise InputError(f"{path}: '{path.suffix}' is not a script's suffix; use one of {known}.")
    return parse_script(read_text(path), kind, str(path), language, gaps=gaps)


def parse_script(text: str, kind: ScriptKind, name: str, language: str | None = None, *, gaps: bool = False) -> Script:
    """The script in `text`; `name` is what error messages call it. `gaps` as in `read_script`.

    The language is the one that the text declares, else `language`, else the one it seems to be written in.

    Raises:
        InputError: the text is not a script of that kind; the message names the line.
    """
    check_text(text, name)
    if not text.strip("\ufeff \t\r\n"):
        raise InputError(f"{name}:1: the script is empty; write at least one turn, such as 'MAYA: Hello.'.")
    fallback = language_tag(tidy(language), "language") if language else None
    if kind == "text":
        draft = _parse_text(text.removeprefix("\ufeff"), name)
    elif kind == "yaml":
        draft = _parse_yaml(text, name, fallback)
    elif kind == "vtt":
        declared, pieces = read_vtt(text, name)
        draft = _Draft(language=language_tag(declared, f"{name}:2") if declared else None)
        draft.turns = _turns_of_pieces(pieces, "<v NAME>text", name)
    elif kind == "srt":
        draft = _Draft(turns=_turns_of_pieces(read_srt(text, name), "NAME: text", name))
    else:
        raise ValueError(f"kind is {kind!r}, not one of {get_args(ScriptKind)}")
    return _checked(draft, name, fallback, gaps)


def write_script(script: Script, kind: ScriptKind, language: str | None = None) -> str:
    """`script` as a file's text, which `parse_script` reads back.

    WebVTT and SRT hold one language (`language`; the script's own when None), need times, and hold no title or hints.

    Raises:
        InputError: a name, a text or a time cannot be written in that format.
    """
    for dialogue in script.dialogues.values():
        for turn in dialogue.turns:
            fault = name_fault(tidy(turn.speaker))
            if fault or not is_speakable(turn.text):
                raise InputError(f"script: a turn of '{turn.speaker}' cannot be written: {fault or 'it has no text'}.")
    if kind == "text":
        return _write_text(script)
    if kind == "yaml":
        return _write_yaml(script)
    return _write_cues(script, kind, language)


# Plain text


def _parse_text(text: str, name: str) -> _Draft:
    draft = _Draft()
    lines = lines_of(text)
    people = _people(lines)
    headers_may_come = True
    header_above = _begins_with_headers(lines)
    said: list[dict[str, list[str]]] = []  # per turn and language: the pieces of its text, joined when all are there
    tag = ""
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}"
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            header_above = header_above and (bool(stripped) or not _has_headers(draft))
            continue
        if _RULE.fullmatch(stripped):
            headers_may_come = headers_may_come and not _has_headers(draft)
            continue
        indented = line[0].isspace()
        if headers_may_come and not said and not indented and _read_header(draft, stripped, header_above, where):
            header_above = True
            continue
        variant = _VARIANT.match(stripped) if indented and said else None
        if variant:
            tag = language_tag(variant[1], where)
            if tag in said[-1]:
                raise InputError(f"{where}: the turn has a line in '{tag}' already; keep one of them.")
            said[-1][tag] = [stripped[variant.end() :]]
        elif indented and said:
            _refuse_moved_turn(stripped, people, where)
            said[-1][tag].append(stripped)
        else:
            named = None if indented else split_speaker(stripped)
            if named is None:
                raise InputError(f"{where}: {_no_turn(indented, people)}")
            if len(said) == MAX_TURNS:
                raise InputError(f"{where}: there are more than {MAX_TURNS} turns; split the script.")
            draft.turns.append(_Line(number, named[0], balanced(named[1]), {}))
            tag = ""
            said.append({tag: [named[2]]})
    for turn, texts in zip(draft.turns, said, strict=True):
        turn.texts = {tag: tidy(unbroken(pieces)) for tag, pieces in texts.items()}
    return draft


def _begins_with_headers(lines: list[str]) -> bool:
    """Whether a known header stands in the first block, so that other words there are meant as headers too."""
    written = (line.strip() for line in lines)
    begun = dropwhile(lambda line: not line or line.startswith("#") or _RULE.fullmatch(line), written)
    return any(line.partition(":")[0].casefold() in _HEADERS for line in takewhile(bool, begun))


def _people(lines: list[str]) -> set[str]:
    """Keys of whoever speaks in a line that is not indented."""
    named = (split_speaker(line) for line in lines if line and not line[0].isspace() and line[0] != "#")
    return {speaker_key(found[0]) for found in named if found} - set(_HEADERS)


def _has_headers(draft: _Draft) -> bool:
    return bool(draft.title or draft.language or draft.hints)


def _no_turn(indented: bool, people: set[str]) -> str:
    if indented:
        return "the line is indented, but there is no turn above that it could continue; begin it at the margin."
    if people:
        return "no speaker is named; write 'NAME: line', or indent the line to continue the turn above."
    return "the script has no speakers; begin every turn with a name and a colon, such as 'MAYA: Hello.'."


def _refuse_moved_turn(stripped: str, people: set[str], where: str) -> None:
    """An indented turn or language name would otherwise be read aloud by the speaker above."""
    named = split_speaker(stripped)
    if named is None:
        return
    word = named[0]
    if speaker_key(word) in people or (word.isupper() and len(word) > 1):
        raise InputError(f"{where}: '{word}' looks like a speaker, but the line is indented; begin it at the margin.")
    tag = _tag_of_language(word)
    if tag:
        raise InputError(f"{where}: languages are named by their tags; write '{tag}:' instead of '{word}:'.")


@lru_cache(maxsize=1024)
def _tag_of_language(word: str) -> str | None:
    """The two-letter tag of a language's name (`Spanish` -> `es`), when it is one."""
    import langcodes

    if not word.isalpha() or len(word) > 20:
        return None
    try:
        tag = langcodes.find(word).language
    except LookupError:
        return None
    return tag if tag and len(tag) == 2 else None


def _read_header(draft: _Draft, stripped: str, header_above: bool, where: str) -> bool:
    """Takes a header line into `draft`; False when the line is none."""
    match = re.match(r"([^:：()（）=]{1,60})[:：]", stripped)
    if match is None:
        return False
    word, value = tidy(match[1]), tidy(stripped[match.end() :])
    key = word.casefold()
    if key not in _HEADERS:
        meant = _header_meant(word)
        if meant or (header_above and re.fullmatch("[a-z_-]+", word)):
            raise InputError(
                f"{where}: '{word}' is not a header; write '{meant}:', or a line '---' above it if it is a speaker."
                if meant
                else f"{where}: '{word}' is not a header ({', '.join(_HEADERS)}); leave a blank line if it speaks."
            )
        return False
    if key in ("title", "language") and getattr(draft, key):
        raise InputError(f"{where}: '{key}' is there twice; keep one of them.")
    if key in ("cast", "speaker") and "=" not in value:
        example = "Maya = maya-okafor" if key == "cast" else "Leo = masculine, senior"
        raise InputError(
            f"{where}: '{key}:' needs a name and a value, such as '{key}: {example}'; "
            f"if somebody is called {word}, put a line '---' above the first turn."
        )
    if key == "title":
        draft.title = value
    elif key == "language":
        draft.language = language_tag(value, where)
    elif key == "cast":
        for person, slug in _cast_pairs(value):
            _add_hint(draft, person, Speaker(portrait=_slug(slug, person, where)), where)
    else:
        person, _, words = value.partition("=")
        _add_hint(draft, tidy(person), _speaker_hints(words, where), where)
    return True


def _header_meant(word: str) -> str | None:
    """The header that `word` resembles; capitals name people, so they resemble none."""
    key = word.casefold()
    if word.isupper() or len(key) > 12:
        return None
    if key in _HEADERS:
        return key
    return _OTHER_WORDS.get(key) or next(iter(difflib.get_close_matches(key, _HEADERS, 1, 0.8)), None)


def _cast_pairs(value: str) -> Iterable[tuple[str, str]]:
    """`Ann, PhD = a, Leo = b` as (`Ann, PhD`, `a`), (`Leo`, `b`): a slug has no comma, a name may."""
    person, *rest = value.split("=")
    for part in rest[:-1]:
        slug, _, following = part.partition(",")
        yield tidy(person), tidy(slug)
        person = following
    yield tidy(person), tidy(rest[-1].rstrip().removesuffix(","))


def _slug(slug: str, person: str, where: str) -> str:
    if not _SLUG.fullmatch(slug):
        raise InputError(
            f"{where}: '{slug[:60]}' is not a portrait's name; write such as '{person[:60]} = maya-okafor'."
        )
    return slug


def _speaker_hints(words: str, where: str) -> Speaker:
    hints = Speaker()
    for word in re.split(r"[,\s]+", words.strip(" \t,").casefold()):
        if word in _GENDERS and hints.gender is None:
            hints = replace(hints, gender=_GENDERS[word])
        elif word in _AGES and hints.age is None:
            hints = replace(hints, age=_AGES[word])
        else:
            raise InputError(f"{where}: '{word[:60]}' is not a hint that can be used here; write {_HINTS}.")
    return hints


def _add_hint(draft: _Draft, person: str, hint: Speaker, where: str) -> None:
    fault = name_fault(person)
    if fault:
        raise InputError(f"{where}: {fault}; write the name as it stands in the turns.")
    key = speaker_key(person)
    number, written, known = draft.hints.get(key, (int(where.rpartition(":")[2]), person, Speaker()))
    for part in ("gender", "age", "portrait", "voice", "consent"):
        wish = getattr(hint, part)
        if wish is not None:
            if getattr(known, part) is not None:
                raise InputError(f"{where}: {person} has a {part} already; keep one of them.")
            known = replace(known, **{part: wish})
    draft.hints[key] = number, written, known


def _write_text(script: Script) -> str:
    lines = [f"title: {tidy(script.title)}"] if tidy(script.title) else []
    lines.append(f"language: {script.source.language}")
    for person, hints in script.speakers.items():
        if hints.voice or hints.consent:
            raise InputError(f"script: {person} has a voice, which plain text has no place for; write it as YAML.")
        words = [word for word in (hints.gender, hints.age) if word]
        if words:
            lines.append(f"speaker: {tidy(person)} = {', '.join(words)}")
        if hints.portrait:
            lines.append(f"cast: {tidy(person)} = {hints.portrait}")
    source = script.source
    if source.turns and (_header_meant(source.turns[0].speaker) or source.turns[0].speaker.casefold() in _HEADERS):
        lines.append("---")
    for index, turn in enumerate(source.turns):
        direction = balanced(turn.direction)
        spoken_how = f" ({direction})" if direction else ""
        lines += ["", f"{tidy(turn.speaker)}{spoken_how}: {tidy(turn.text)}"]
        lines += [f"  {tag}: {tidy(script.dialogues[tag].turns[index].text)}" for tag in script.languages[1:]]
    return "\n".join(lines) + "\n"


# YAML


def _parse_yaml(text: str, name: str, fallback: str | None) -> _Draft:
    root = read_plain_yaml(text, name)
    if root.value == "":
        raise InputError(f"{name}:1: the script is empty; write at least one turn under 'turns:'.")
    top = _mapping(root, ("title", "language", "speakers", "glossary", "turns"), "a script", name)
    draft = _Draft(title=tidy(_string(top["title"], "title", name)) if "title" in top else "")
    if "language" in top:
        draft.language = language_tag(
            tidy(_string(top["language"], "language", name)), f"{name}:{top['language'].line}"
        )
    speakers = top.get("speakers", Node(1, {}))
    if not isinstance(speakers.value, dict):
        raise InputError(
            f"{name}:{speakers.line}: 'speakers' must map names to hints; write such as 'Leo: {{age: senior}}'."
        )
    for person, hints in speakers.value.items():
        where = f"{name}:{hints.line}"
        given = {} if hints.value == "" else _mapping(hints, _SPEAKER_KEYS, "a speaker", name)
        _add_hint(draft, tidy(person), Speaker(), where)
        for key, node in given.items():
            at = f"{name}:{node.line}"
            word = tidy(_string(node, key, name))
            if key in ("voice", "consent"):
                if not word or len(word) > 500:
                    raise InputError(f"{at}: '{key}' must be a text of up to 500 characters; write it out.")
                said = Speaker(voice=word) if key == "voice" else Speaker(consent=word)
                _add_hint(draft, tidy(person), said, at)
                continue
            hint = Speaker(portrait=_slug(word, person, at)) if key == "portrait" else _speaker_hints(word, at)
            if getattr(hint, key) is None:
                raise InputError(f"{at}: '{word[:60]}' is not a speaker's {key}; write {_HINTS}.")
            _add_hint(draft, tidy(person), hint, at)
    if "glossary" in top:
        draft.glossary = glossary_of(top["glossary"], name)
    turns = top.get("turns")
    if turns is None or not isinstance(turns.value, list):
        line = turns.line if turns else root.line
        raise InputError(
            f"{name}:{line}: the script has no list of turns; write 'turns:' and below it '- speaker: Maya'."
        )
    if len(turns.value) > MAX_TURNS:
        raise InputError(f"{name}:{turns.line}: there are more than {MAX_TURNS} turns; split the script.")
    draft.turns = [_yaml_turn(node, name) for node in turns.value]
    _name_source(draft, fallback)
    return draft


def _name_source(draft: _Draft, fallback: str | None) -> None:
    """Gives the text in the script's own language the key `""`, where a turn names that language."""
    if draft.language is None and draft.turns and not any("" in turn.texts for turn in draft.turns):
        tags = list(draft.turns[0].texts)
        draft.language = fallback if fallback in tags else tags[0]
    for turn in draft.turns:
        if draft.language in turn.texts and "" not in turn.texts:
            turn.texts[""] = turn.texts.pop(cast(str, draft.language))


def _yaml_turn(node: Node, name: str) -> _Line:
    given = _mapping(node, ("speaker", "text", "direction", "start", "end"), "a turn", name)
    where = f"{name}:{node.line}"
    for key in ("speaker", "text"):
        if key not in given:
            raise InputError(f"{where}: the turn has no {key}; add '{key}:'.")
    text = given["text"]
    texts = {}
    if isinstance(text.value, dict):
        for written, translation in text.value.items():
            at = f"{name}:{translation.line}"
            tag = language_tag(tidy(written), at)
            if tag in texts:
                raise InputError(f"{at}: the turn has a line in '{tag}' already; keep one of them.")
            texts[tag] = tidy(unbroken(_string(translation, written, name).splitlines()))
        if not texts:
            raise InputError(f"{where}: the turn has no text; write what is said after 'text:'.")
    else:
        texts[""] = tidy(unbroken(_string(text, "text", name).splitlines()))
    direction = balanced(_string(given["direction"], "direction", name)) if "direction" in given else ""
    start, end = (_seconds(given[key], key, name) if key in given else None for key in ("start", "end"))
    if (start is None) != (end is None) or (start is not None and end is not None and end <= start):
        raise InputError(f"{where}: a turn has both 'start' and a later 'end', in seconds, or neither; correct them.")
    return _Line(node.line, tidy(_string(given["speaker"], "speaker", name)), direction, texts, start, end)


def _mapping(node: Node, known: tuple[str, ...], what: str, name: str) -> dict[str, Node]:
    if not isinstance(node.value, dict):
        raise InputError(
            f"{name}:{node.line}: {what} must have the keys {', '.join(known)}; write them as 'key: value'."
        )
    for key, value in node.value.items():
        if key not in known:
            meant = difflib.get_close_matches(key[:40], known, 1, 0.6)
            remedy = f"did you mean '{meant[0]}'?" if meant else f"use {', '.join(known)}."
            raise InputError(f"{name}:{value.line}: {what} has no key '{tidy(key)[:40]}'; {remedy}")
    return node.value


def _string(node: Node, key: str, name: str) -> str:
    if not isinstance(node.value, str):
        raise InputError(f"{name}:{node.line}: '{tidy(key)[:40]}' must be one text; put it in quotes.")
    return node.value


def _seconds(node: Node, key: str, name: str) -> float:
    try:
        seconds = float(_string(node, key, name))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < 1e6:
        raise InputError(
            f"{name}:{node.line}: '{key}' must be seconds from the beginning; write a number such as 12.5."
        )
    return seconds


def _write_yaml(script: Script) -> str:
    import yaml

    content: dict[str, object] = {"title": tidy(script.title)} if tidy(script.title) else {}
    content["language"] = script.source.language
    hints = {
        tidy(person): {key: value for key in _SPEAKER_KEYS if (value := getattr(speaker, key)) is not None}
        for person, speaker in script.speakers.items()
    }
    if hints:
        content["speakers"] = hints
    glossary: dict[str, object] = {"keep": list(script.glossary.keep)} if script.glossary.keep else {}
    if script.glossary.terms:
        glossary["terms"] = {term: dict(names) for term, names in script.glossary.terms.items()}
    if glossary:
        content["glossary"] = glossary
    turns = []
    for index, turn in enumerate(script.source.turns):
        entry: dict[str, object] = {"speaker": tidy(turn.speaker)}
        if balanced(turn.direction):
            entry["direction"] = balanced(turn.direction)
        if turn.start is not None and turn.end is not None:
            entry |= {"start": float(turn.start), "end": float(turn.end)}
        texts = {tag: tidy(dialogue.turns[index].text) for tag, dialogue in script.dialogues.items()}
        entry["text"] = texts if len(texts) > 1 else tidy(turn.text)
        turns.append(entry)
    content["turns"] = turns
    return yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=1_000_000)


# WebVTT and SRT


def _turns_of_pieces(pieces: Iterable[Piece], how: str, name: str) -> list[_Line]:
    """A piece with a name begins a turn; one without continues the turn before it."""
    turns: list[_Line] = []
    texts: list[list[str]] = []
    for piece in pieces:
        if piece.speaker:
            turns.append(_Line(piece.line, piece.speaker, balanced(piece.direction), {}, piece.start, piece.end))
            texts.append([piece.text])
        elif turns:
            turns[-1].end = max(cast(float, turns[-1].end), piece.end)
            texts[-1].append(piece.text)
        else:
            raise InputError(f"{name}:{piece.line}: the script does not say who speaks; write '{how}'.")
    for turn, parts in zip(turns, texts, strict=True):
        turn.texts[""] = tidy(unbroken(parts))
    return turns


def _write_cues(script: Script, kind: ScriptKind, language: str | None) -> str:
    dialogue = script.dialogues.get(language) if language else script.source
    if dialogue is None:
        raise InputError(f"script: there are no lines in '{language}'; it has {_listed(script.languages)}.")
    blocks = [f"WEBVTT\nLanguage: {dialogue.language}"] if kind == "vtt" else []
    for number, turn in enumerate(dialogue.turns, 1):
        if turn.start is None or turn.end is None or round(turn.end * 1000) <= round(turn.start * 1000):
            raise InputError(f"script: turn {number} has no times; write it as text or YAML, or time it first.")
        mark = "." if kind == "vtt" else ","
        times = f"{format_time(turn.start, mark)} --> {format_time(turn.end, mark)}"
        name, direction, text = (tidy(turn.speaker), balanced(turn.direction), tidy(turn.text))
        if kind == "vtt":
            if direction:
                blocks.append(f"NOTE ({direction.replace('-->', '→')})")
            blocks.append(f"{times}\n<v {html.escape(name, quote=False)}>{html.escape(text, quote=False)}</v>")
        else:
            how = f" ({direction})" if direction else ""
            blocks.append(f"{number}\n{times}\n{srt_line(f'{name}{how}: {text}')}")
    return "\n\n".join(blocks) + "\n"


# What holds for every format


def _checked(draft: _Draft, name: str, fallback: str | None, gaps: bool) -> Script:
    if not draft.turns:
        raise InputError(f"{name}:1: the script has no turns; write at least one, such as 'MAYA: Hello.'.")
    shown = _shown_names(draft, name)
    tags: dict[str, int] = {}
    for turn in draft.turns:
        for tag in turn.texts:
            tags.setdefault(tag, turn.number)
            if tag and tag == draft.language:
                raise InputError(
                    f"{name}:{turn.number}: '{tag}' is the script's own language already; remove that line."
                )
    for turn in draft.turns:
        where = f"{name}:{turn.number}"
        person = shown[speaker_key(turn.speaker)]
        for tag, first in tags.items():
            language = f"in '{tag or draft.language}'" if tag or draft.language else "in the script's own language"
            if tag not in turn.texts:
                if gaps and tag:
                    continue
                raise InputError(
                    f"{where}: the turn of {person} has no line {language}, but that in line {first} has one; add it."
                )
            if not is_speakable(turn.texts[tag]):
                raise InputError(
                    f"{where}: {person} has nothing to say {language}; write the text, or remove it."
                    if len(tags) > 1
                    else f"{where}: {person} has nothing to say; write what is said after the name, or remove the turn."
                )
    own = draft.language or fallback
    others = [tag for tag in tags if tag]
    if own in others:
        raise InputError(
            f"{name}:{tags[cast(str, own)]}: '{own}' is the language asked for and a translation as well; "
            "add a header 'language:' with the script's own language."
        )
    own = own or guess_language((turn.texts[""] for turn in draft.turns), others)
    dialogues = {}
    for tag in ["", *others]:
        turns = tuple(
            Turn(shown[speaker_key(turn.speaker)], turn.texts.get(tag, ""), turn.start, turn.end, turn.direction)
            for turn in draft.turns
        )
        dialogues[tag or own] = Dialogue(tag or own, turns)
    speakers = {shown[key]: hints for key, (_, _, hints) in draft.hints.items() if hints != Speaker()}
    return Script(dialogues, draft.title, speakers, draft.glossary)


def _shown_names(draft: _Draft, name: str) -> dict[str, str]:
    """How each person is shown, by key; and whether all hints are about people of the script."""
    shown: dict[str, str] = {}
    spelled: dict[str, str] = {}
    for turn in draft.turns:
        if turn.speaker in spelled:
            continue
        fault = name_fault(turn.speaker)
        if fault:
            raise InputError(f"{name}:{turn.number}: {fault}; correct the speaker's name.")
        spelled[turn.speaker] = speaker_key(turn.speaker)
        shown.setdefault(spelled[turn.speaker], display_name(turn.speaker))
    portraits: dict[str, str] = {}
    for key, (line, written, hints) in draft.hints.items():
        where = f"{name}:{line}"
        if key not in shown:
            close = difflib.get_close_matches(key, shown, 1, 0.6)
            remedy = f"did you mean {shown[close[0]]}?" if close else f"the speakers are {_listed(shown.values())}."
            raise InputError(f"{where}: {written} does not speak in this script; {remedy}")
        if hints.portrait and portraits.setdefault(hints.portrait, key) != key:
            other = shown[portraits[hints.portrait]]
            raise InputError(f"{where}: {other} and {written} have the same portrait; give each speaker their own.")
    return shown


def _listed(names: Collection[str]) -> str:
    return ", ".join(list(names)[:8]) + (" and others" if len(names) > 8 else "")


@lru_cache(maxsize=1)
def _identifier() -> Callable[[str], list[tuple[str, float]]]:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(_GUESSED & set(identifier.labels))
    return cast(Callable[[str], list[tuple[str, float]]], identifier.rank)


def guess_language(texts: Iterable[str], without: Collection[str] = ()) -> str:
    """The language that `texts` seem to be written in, `en` when there are fewer than three words to tell by.

    `without` are languages that it is not: those of the translations beside it.
    """
    sample = " ".join(texts)[:4000]
    unspaced = re.findall("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]", sample)
    too_short = len(sample.split()) + len(unspaced) // 2 < 3
    if too_short and "en" not in without:
        return "en"
    likely = ((language, confidence) for language, confidence in _identifier()(sample) if language not in without)
    language, confidence = next(likely, ("und", 0.0))
    return "en" if confidence < 0.2 and "en" not in without else language


def reads_like(texts: Sequence[str], language: str) -> str | None:
    """The language that `texts` seem to be written in, where that is surely another one than `language`."""
    words = sum(len(text.split()) for text in texts)
    code = closest(language, sorted(_GUESSED))
    if words < _WORDS_TO_TELL or code is None:
        return None
    found = guess_language(texts)
    return None if found == code else found
