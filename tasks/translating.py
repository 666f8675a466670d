"""What a script or a recording says is translated: every turn that nobody has translated, each text only once.

A translation is kept in the artifact store under the text, the languages, the engine with its version, and the terms
that occur in the text; what surrounds a text helps an engine, but a change there is no reason to pay again.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from media.dialogue import Script, Turn, is_speakable, tidy
from media.errors import InputError, TranslationError
from media.languages import base_language, closest
from media.store import ArtifactStore
from tasks import workspace
from tasks.hearing import UNKNOWN_LANGUAGE
from tasks.performance import Performance
from tasks.progress import Advance, note
from tasks.request import ProductionRequest
from tasks.sources import MachineTranslation, Source, require_translations, with_translations
from tasks.voices import check_lexicon, check_speech

if TYPE_CHECKING:
    from models.speech.protocols import Line, Translator

STAGE = "Translate what is said"

BATCH = 24
"""Turns that are asked for, and kept, at a time."""


def dubbed(request: ProductionRequest, source: Source, heard: Performance) -> Source:
    """A recording's source with the dialogues that are to be spoken.

    Its languages become the recording's own, where that is asked for, and those to be translated into.

    Args:
        heard: what is heard in the recording.

    Raises:
        InputError: nobody knows what is said; a language, a voice or a sound is asked for that an engine does not have;
            or a voice for nobody who speaks.
        MissingEngineError: the engine that is asked for is not there.
    """
    dialogue = heard.dialogue
    own = dialogue.language
    asked = [own if base_language(tag) == base_language(own) else tag for tag in source.languages or (own,)]
    languages = tuple(dict.fromkeys(asked))
    source = replace(source, languages=languages, spoken=own, duration=heard.seconds)
    others = source.spoken_anew
    if not others:
        check_speech(request, source)
        return source
    said = dialogue.with_turns(turn for turn in dialogue.turns if is_speakable(turn.text))
    if own == UNKNOWN_LANGUAGE or not said.turns:
        raise InputError(
            f"--lang {others[0]}: nobody knows what is said in {source.path}, so it cannot be translated; "
            "give --transcript FILE, or use a transcription engine."
        )
    script = with_translations(Path(source.path), Script({own: said}))
    named = [closest(tag, script.languages, same_script=True) or tag for tag in others]
    script = require_translations(request, source.path, script, named)
    renamed = dict(zip(others, named, strict=True))
    source = replace(source, script=script, languages=tuple(renamed.get(tag, tag) for tag in languages))
    check_speech(request, source)
    return source


def translate(
    request: ProductionRequest,
    source: Source,
    advance: Advance = lambda done: None,
    *,
    only_kept: bool = False,
) -> Source:
    """A source whose turns all have a text in every language.

    Args:
        advance: called with the number of turns done.
        only_kept: use what was translated before, and leave the rest without text: nothing is asked of an engine.

    Raises:
        TranslationError: turns could not be translated; names them. The others are kept for the next run.
        InputError, MissingEngineError: the engine refuses, or is not there; or a term of the lexicon that is said in a
            translation has a sound that nobody can make.
    """
    from models.speech.translation.seq2seq import release_models

    if source.script is None:
        return source
    dialogues, translations = dict(source.script.dialogues), dict(source.translations)
    done = 0.0
    for tag in source.languages:
        turns = source.untranslated(tag)
        if not turns:
            continue
        said = source.script.source
        engine = _engine(request, said.language, tag)
        texts, now = _texts(engine, source, tag, turns, partial(_beyond, advance, done), only_kept)
        done += len(turns)
        dialogues[tag] = dialogues[tag].with_turns(
            replace(turn, text=texts.get(index, turn.text)) for index, turn in enumerate(dialogues[tag].turns)
        )
        version = engine.version(said.language, tag)
        translations[tag] = MachineTranslation(engine.name, version, turns, now)
        if not only_kept:
            note(f"{tag}: {len(turns)} of {len(said.turns)} turns are machine-translated by {engine.name} ({version}).")
    release_models()
    source = replace(source, script=replace(source.script, dialogues=dialogues), translations=translations)
    check_lexicon(request, source)
    return source


def count_untranslated(source: Source) -> int:
    """Turns in all languages that have no text yet."""
    return sum(len(source.untranslated(tag)) for tag in source.languages)


def _engine(request: ProductionRequest, spoken: str, tag: str) -> "Translator":
    from models.speech.engines import translator

    engine = translator(request.engine("translation"), spoken, tag)
    if engine is None:
        raise InputError(f"--lang {tag}: no engine is left that translates '{spoken}'; see `portrayal doctor`.")
    return engine


def _texts(
    engine: "Translator", source: Source, tag: str, turns: Sequence[int], advance: Advance, only_kept: bool
) -> tuple[dict[int, str], int]:
    """Translations by the turn's index, and how many were made now."""
    from models.speech.translation.lines import translate_lines

    if source.script is None:
        raise ValueError(f"{source.path} has no script")
    store, said = workspace.store(), source.script.source
    keys = {index: _key(engine, source, said.turns[index].text, said.language, tag) for index in turns}
    texts = {index: text for index, key in keys.items() if (text := _kept(store, key)) is not None}
    advance(len(texts))
    now = len(turns) - len(texts)
    if only_kept:
        return texts, 0
    # A text that is said twice is translated once.
    missing = list({keys[index]: index for index in reversed(turns) if index not in texts}.values())[::-1]
    failed: list[int] = []
    for begin in range(0, len(missing), BATCH):
        batch = missing[begin : begin + BATCH]
        lines = [_line(said.turns, index) for index in batch]
        for index, text in zip(batch, translate_lines(engine, lines, said.language, tag, source.glossary), strict=True):
            if text is None:
                failed.append(index)
                continue
            texts[index] = tidy(text)
            with store.writing(keys[index]) as path:
                path.write_text(json.dumps({"text": texts[index]}, ensure_ascii=False), encoding="utf-8")
        advance(len(turns) * (begin + len(batch)) / len(missing))
    if failed:
        names = ", ".join(f"{index + 1} ({said.turns[index].speaker})" for index in failed)
        raise TranslationError(
            f"{source.path}: {engine.name} could not translate turn{'s' if len(failed) > 1 else ''} {names} into '{tag}'; "
            f"translate {'them' if len(failed) > 1 else 'it'} by hand (`portrayal localize export`), or use another engine."
        )
    known = {keys[index]: text for index, text in texts.items()}
    return {index: known[keys[index]] for index in turns}, now


def _beyond(advance: Advance, before: float, done: float) -> None:
    advance(before + done)


def _line(turns: Sequence[Turn], index: int) -> "Line":
    from models.speech.protocols import Line

    turn = turns[index]
    before = turns[index - 1].text if index else ""
    after = turns[index + 1].text if index + 1 < len(turns) else ""
    return Line(turn.text, turn.speaker, turn.direction, before, after)


def _key(engine: "Translator", source: Source, text: str, spoken: str, tag: str) -> str:
    from models.speech.translation.terms import protect

    terms = protect(text, source.glossary, tag).marks
    facts = [engine.name, engine.version(spoken, tag), text, spoken, tag, terms]
    digest = hashlib.sha256(b"translation/1\n" + json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return f"translations/{digest}.json"


def _kept(store: ArtifactStore, key: str) -> str | None:
    found = store.find(key)
    return None if found is None else str(json.loads(found.read_text(encoding="utf-8"))["text"])
