"""What goes to a translator and comes back: the turns of a script or recording, and their translation beside it."""

from dataclasses import replace
from pathlib import Path

from media.atomic import whole_file
from media.dialogue import Dialogue, Script, is_speakable
from media.errors import InputError
from media.languages import base_language, closest
from media.localization import Unit, faults, too_long, units_of
from media.scripts import reads_like
from media.textfile import read_text
from media.translation_csv import read_csv, write_csv
from media.xliff import read_xliff, write_xliff
from tasks import hearing, segments
from tasks.hearing import UNKNOWN_LANGUAGE
from tasks.request import ProductionRequest
from tasks.sources import TRANSLATION_SUFFIX, read_source, with_translations

FORMATS = ("xliff", "csv")


def source_script(request: ProductionRequest) -> Script:
    """A source as a script, with the translations that lie beside it; a recording is listened to.

    Raises:
        InputError: it cannot be read, or nobody knows what is said in it.
        MissingEngineError: an engine that is asked for is not there.
    """
    source = read_source(request)
    path = Path(source.path)
    if source.script is not None:
        return source.script
    dialogue = hearing.hear(source, request, segments.frames_per_second(request)).performance.dialogue
    said = dialogue.with_turns(turn for turn in dialogue.turns if is_speakable(turn.text))
    if dialogue.language == UNKNOWN_LANGUAGE or not said.turns:
        raise InputError(f"{source.path}: nobody knows what is said in it; give --transcript FILE.")
    return with_translations(path, Script({dialogue.language: said}))


def export(script: Script, language: str, format_: str, out: Path, original: str) -> tuple[Unit, ...]:
    """Write a script's turns for a translator into `language`, with what is translated already.

    Args:
        format_: one of `FORMATS`.
        original: name of the source, for the file's header.

    Raises:
        InputError: it is the script's own language, or the file cannot be written.
    """
    units = units_of(script.source, _translation(script, language), language)
    text = write_csv(units) if format_ == "csv" else write_xliff(units, script.source.language, language, original)
    with whole_file(out) as draft:
        draft.write_text(text, encoding="utf-8", newline="")
    return units


def import_(
    script: Script, source: Path, file: Path, language: str, out: Path | None = None
) -> tuple[Path, list[str], str | None]:
    """Take a translation back: write it where it is found beside the source.

    Returns where that is, what is longer than it should be, and the language that it reads like, if that is another one.

    Args:
        out: another place; it is not found there.

    Raises:
        InputError: anything is missing, unknown, doubled or out of date; names all of it, and nothing is written.
    """
    _translation(script, language)
    text = read_text(file)
    if text.lstrip().startswith("<"):
        spoken, target, units = read_xliff(text, str(file))
        for found, wanted, what in ((spoken, script.source.language, "from"), (target, language, "into")):
            if closest(wanted, [found], same_script=True) is None:
                raise InputError(f"{file}: it translates {what} '{found}', not '{wanted}'; check --lang and the file.")
    else:
        units = read_csv(text, str(file))
    if wrong := faults(units, script.source):
        count = f"{len(wrong)} fault{'s' * (len(wrong) > 1)}"
        raise InputError(
            f"{file}: {count}, so nothing is taken over: {'; '.join(wrong)}; export {source} anew, or correct them."
        )
    by_id = {unit.id: unit.target for unit in units}
    own = script.source
    done = tuple(replace(unit, target=by_id[unit.id]) for unit in units_of(own, None, language))
    place = out or _beside(source, language)
    with whole_file(place) as draft:
        draft.write_text(write_xliff(done, own.language, language, source.name), encoding="utf-8", newline="")
    return place, too_long(done), reads_like([unit.target for unit in done], language)


def _translation(script: Script, language: str) -> Dialogue | None:
    """What the script has in a language.

    Raises:
        InputError: it is its own.
    """
    if base_language(language) == base_language(script.source.language):
        raise InputError(f"--lang {language}: that is the language of the source; name the one to translate it into.")
    own = closest(language, list(script.languages)[1:], same_script=True)
    return script.dialogues[own] if own else None


def _beside(source: Path, language: str) -> Path:
    """Where `produce` finds a translation."""
    return source.with_name(f"{source.stem}.{language}{TRANSLATION_SUFFIX}")
