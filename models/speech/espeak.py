"""Speech synthesis that is always there: espeak-ng from its wheel, called as a shared library.

It sounds robotic, but speaks about a hundred languages hundreds of times faster than real time, needs no weights, and
says when each phoneme starts, which is what a mouth needs to know. Equal arguments give equal samples, to the bit.
"""

import _ctypes
import atexit
import ctypes
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock

import langcodes
import numpy as np
from numpy.typing import NDArray

from media.errors import InputError, MissingEngineError
from media.languages import base_language, closest
from models.speech.languages import not_known
from models.speech.protocols import Phoneme, Samples, Speech, Voice
from models.speech.spoken_form import without_emoji

_SYNCHRONOUS, _PHONEME_EVENTS, _PHONEME_IPA, _DONT_EXIT = 2, 1, 2, 0x8000
_RATE, _PITCH = 1, 3
_UTF8 = 1
_EVENT_END, _EVENT_PHONEME = 0, 7
_LONGEST_DATA_PATH = 140
"""espeak-ng keeps the path in 160 bytes, and appends file names to it."""

_RATE_CORRECTION = 0.8
"""Asked for 165 words a minute, espeak-ng says 186 to 215 of English."""

_KEEP_SILENCE = 0.03
_NOTHING_TO_SAY = 0.4

_PHONEMES = 0x100
"""Text between `[[` and `]]` is espeak-ng's own names of sounds."""
_IPA = re.compile(r"\[\[(.*?)\]\]")
_SOUNDS = {
    "tʃ": "tS", "dʒ": "dZ", "aɪ": "aI", "aʊ": "aU", "eɪ": "eI", "ɔɪ": "OI", "əʊ": "oU", "oʊ": "oU", "ɪə": "i@",
    "eə": "e@", "ʊə": "U@", "ɔø": "OY", "ɔʏ": "OY", "ɑː": "A:", "iː": "i:", "uː": "u:", "ɔː": "O:", "ɜː": "3:",
    "aː": "a:", "eː": "e:", "oː": "o:", "ɛː": "E:", "øː": "Y:", "yː": "y:", "ɛ̃": "E~", "ɑ̃": "A~", "ɔ̃": "O~",
    "œ̃": "W~", "p": "p", "b": "b", "t": "t", "d": "d", "k": "k", "ɡ": "g", "g": "g", "f": "f", "v": "v", "θ": "T",
    "ð": "D", "s": "s", "z": "z", "ʃ": "S", "ʒ": "Z", "x": "x", "ç": "C", "χ": "X", "h": "h", "m": "m", "n": "n",
    "ŋ": "N", "ɲ": "n^", "l": "l", "ʎ": "l^", "ɹ": "r", "r": "r", "ɾ": "*", "ʁ": "r", "w": "w", "j": "j", "β": "B",
    "ɣ": "Q", "ʔ": "?", "a": "a", "æ": "a", "ɑ": "A:", "ɐ": "a#", "ɒ": "0", "ʌ": "V", "ɛ": "E", "e": "e", "ə": "@",
    "ɜ": "3", "ɚ": "3", "ɪ": "I", "i": "i", "ɔ": "O", "o": "o", "ʊ": "U", "u": "u", "ø": "Y", "œ": "W", "y": "y",
}  # fmt: skip
"""espeak-ng's names of sounds by their IPA; every language has some of them only."""
_SYMBOL = re.compile("|".join(sorted(map(re.escape, _SOUNDS), key=len, reverse=True)) + "|.")
_VOWELS = frozenset("aeiouyæɑɐɒʌɛəɜɚɪɔʊøœ")
_NOT_A_SOUND = ".‿͜͡"

# Variant and pitch. Chosen so that each next one differs most from those before it, in pitch and in the cosine of its
# d-vector, in three languages; variants that a recogniser understands worst were left out.
_MASCULINE = (
    ("m6", 40), ("Reed", 60), ("david", 60), ("Andy", 60), ("pablo", 60), ("m8", 60), ("m3", 60), ("Henrique", 60),
    ("mike2", 60),
)  # fmt: skip
_FEMININE = (
    ("f2", 50), ("anika", 35), ("f3", 76), ("shelby", 72), ("steph", 50), ("belinda", 35), ("f5", 65), ("aunty", 55),
    ("f4", 65),
)  # fmt: skip
_NEUTRAL = (("f5", 15), ("Nguyen", 60), ("linda", 15), ("shelby", 15))
_PACE = {"anika": 0.84}
"""What brings a variant that talks faster or slower than the others to their pace."""

_LEVEL = 0.1
"""Loudness of every voice, so that none of a dialogue's is lost: root mean square where there is sound (-20 dBFS)."""
_PEAK = 0.97

_NEARLY = {"nn": "nb"}
"""Languages that another one's voice reads well."""


class _EventId(ctypes.Union):
    _fields_ = [
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    ]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


class _VoiceRecord(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))

_lock = Lock()
_REINSTALL = "reinstall it: 'pip install --force-reinstall espeakng-loader'"


@dataclass(frozen=True, slots=True)
class _Voices:
    """What the library offers: lower-case language tag -> voice identifier, such as `es-419` -> `roa/es-419`."""

    version: str
    identifiers: dict[str, str]


class EspeakSynthesizer:
    """espeak-ng behind the `Synthesizer` protocol. Safe to use from several threads: one speaks at a time."""

    name = "espeak"
    can_clone = False
    reads_digits = True
    reads_ipa = True
    reads_kanji = False

    @property
    def version(self) -> str:
        return _voices().version

    def languages(self) -> Sequence[str]:
        """BCP 47 tags, sorted."""
        return sorted({_public_tag(tag) for tag in _voices().identifiers})

    def voices(self, language: str, count: int, genders: Sequence[str | None] = ()) -> tuple[Voice, ...]:
        """`count` voices told apart by pitch and timbre, the same ones for the same arguments every time.

        Args:
            language: BCP 47; the voices work in every language, but the tag is checked here.
            genders: `feminine`, `masculine`, `neutral` or None for each voice; when shorter than `count`, the rest is
                None. None takes whichever of feminine and masculine has been used less.

        Raises:
            InputError: espeak-ng does not speak the language.
        """
        _identifier(language)
        wanted = [*genders, *[None] * count][:count]
        palettes = {"masculine": _MASCULINE, "feminine": _FEMININE, "neutral": _NEUTRAL}
        used = {gender: wanted.count(gender) if gender != "neutral" else 0 for gender in palettes}
        order: list[str] = []
        for gender in wanted:
            if gender not in palettes:
                gender = "feminine" if used["feminine"] < used["masculine"] else "masculine"
                used[gender] += 1
            order.append(gender)
        taken = dict.fromkeys(palettes, 0)
        chosen: list[Voice] = []
        for gender in order:
            chosen.append(_palette_voice(palettes[gender], taken[gender]))
            taken[gender] += 1
        return tuple(chosen)

    def check_voice(self, voice: Voice) -> None:
        """
        Raises:
            InputError: espeak has no such voice.
        """
        if voice.reference:
            raise InputError(
                "espeak cannot clone a voice; use --engine synthesis=chatterbox, or leave the recording out."
            )
        known = {path.name for path in (_data_path() / "voices" / "!v").iterdir() if path.is_file()}
        if voice.name and voice.name not in known:
            raise InputError(
                f"'{voice.name[:40]}' is not a voice of espeak; leave the voice out, or use one such as m3, f3 or anika."
            )

    def check_ipa(self, ipa: str, language: str) -> None:
        """
        Raises:
            InputError: a sound of `ipa` is not known, or the language's voice does not have it.
        """
        identifier = _identifier(language)
        for symbol in _SYMBOL.findall(unicodedata.normalize("NFC", ipa)):
            name = _mnemonics(symbol)
            if name.strip() and not _makes_sound(identifier, name):
                raise InputError(
                    f"espeak's voice for '{language}' has no sound '{symbol}'; write /{ipa}/ with the language's own."
                )

    def speak(self, text: str, language: str, voice: Voice) -> Speech:
        """Speaks `text`; mono float32 at 22050 Hz, about 30 ms of silence left at each end.

        What stands between `[[` and `]]` is IPA. Emoji are skipped; text with nothing else in it gives 0.4 s of
        silence. Japanese is read in kana only, Arabic well only with its vowel marks.

        Raises:
            InputError: espeak-ng does not speak the language, `voice` is not one of its voices, or a sound is not known.
        """
        identifier = _identifier(language)
        variant = voice.name
        self.check_voice(voice)
        spoken = _speakable(text)
        if not any(unicodedata.category(character)[0] in "LN" for character in spoken):
            return Speech(
                np.zeros(round(_NOTHING_TO_SAY * 22050), np.float32),
                22050,
                (Phoneme("", 0.0),),
            )
        spoken = _IPA.sub(lambda match: f"[[{_mnemonics(match[1])}]]", spoken)
        samples, rate, phonemes = _synthesize(spoken, f"{identifier}+{variant}" if variant else identifier, voice)
        return _trimmed(samples, rate, phonemes)


@cache
def _makes_sound(identifier: str, mnemonic: str) -> bool:
    _, _, phonemes = _synthesize(f"[[{mnemonic}]]", identifier, Voice(""))
    return any(phoneme.ipa for phoneme in phonemes)


def _mnemonics(ipa: str) -> str:
    """IPA -> espeak-ng's names of the sounds; stress moves from the syllable's beginning to its vowel.

    Raises:
        InputError: a sound is not known.
    """
    written: list[str] = []
    stress = ""
    for symbol in _SYMBOL.findall(unicodedata.normalize("NFC", ipa)):
        if symbol in "ˈˌ'":
            stress = "," if symbol == "ˌ" else "'"
        elif symbol == "ː" and written:
            written.append(":")
        elif symbol.isspace():
            written.append(" ")
        elif symbol in _SOUNDS:
            vowel = symbol[0] in _VOWELS
            written.append((stress if vowel else "") + _SOUNDS[symbol])
            stress = "" if vowel else stress
        elif symbol not in _NOT_A_SOUND:
            raise InputError(
                f"'{symbol}' in /{ipa}/ is not a sound that espeak knows; write it with other IPA letters."
            )
    return "".join(written)


def _palette_voice(palette: Sequence[tuple[str, int]], index: int) -> Voice:
    """Past the end of the palette the timbres come again, at another pitch and speed."""
    round_, place = divmod(index, len(palette))
    variant, pitch = palette[place]
    shift = (0, 22, -22, 40, -40)[round_ % 5]
    return Voice(
        variant,
        min(max(pitch + shift, 0), 99),
        (165, 150, 180, 140, 190)[round_ % 5] - round_ // 5,
    )


def _speakable(text: str) -> str:
    """Without emoji and without control characters, which espeak-ng would take as commands."""
    text = without_emoji(text)
    return "".join(" " if unicodedata.category(character) in ("Cc", "Cs", "Co") else character for character in text)


def _identifier(language: str) -> str:
    """The voice for a BCP 47 tag: the exact one, else the closest of the same language.

    Raises:
        InputError: there is none.
    """
    known = _voices().identifiers
    wanted = base_language(language)
    if wanted is None:
        raise InputError(f"'{language}' is not a language tag; use BCP 47 tags such as en, es, pt-BR or hi.")
    tag = language.lower().replace("_", "-")
    if tag in known:
        return known[tag]
    if wanted == "zh":
        return known["yue" if langcodes.get(language).territory in ("HK", "MO") else "cmn"]
    found = closest(tag, known) or closest(_NEARLY.get(wanted, wanted), known)
    if found is None:
        raise not_known("espeak", "speak", language, known)
    return known[found]


def _public_tag(tag: str) -> str:
    """As users write it: `zh` rather than `cmn`."""
    return "zh" if tag == "cmn" else langcodes.standardize_tag(tag)


@cache
def _data_path() -> Path:
    """The folder of espeak-ng's data, by a path short enough for it.

    Raises:
        MissingEngineError: the wheel espeakng-loader is not installed.
    """
    try:
        import espeakng_loader
    except ImportError:
        raise MissingEngineError("espeak is not installed; run 'pip install espeakng-loader==0.2.4'.") from None
    path = Path(espeakng_loader.get_data_path())
    return _short_link(path) if len(os.fsencode(path)) > _LONGEST_DATA_PATH else path


def _short_link(path: Path) -> Path:
    for parent in (None, "/tmp"):
        folder = Path(tempfile.mkdtemp(prefix="espeak", dir=parent))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        link = folder / "d"
        if len(os.fsencode(link)) <= _LONGEST_DATA_PATH:
            link.symlink_to(path, target_is_directory=True)
            return link
    raise MissingEngineError(
        f"espeak cannot read its data at '{path}': the path is too long; install in a shorter one."
    )


@contextmanager
def _library() -> Iterator[tuple[ctypes.CDLL, int]]:
    """The library, freshly loaded, and its sample rate.

    Pitch flutter runs on from one utterance to the next inside it, so that only unloading it makes equal requests sound
    equal (that costs 7 ms); breath is noise, seeded with the time or by the C library. All of it is global: one user at
    a time.
    """
    import espeakng_loader

    with _lock:
        try:
            library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise MissingEngineError(f"espeak's library cannot be loaded ({error}); {_REINSTALL}.") from None
        try:
            options = _PHONEME_EVENTS | _PHONEME_IPA | _DONT_EXIT
            rate = library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(_data_path()), options)
            if rate <= 0:
                raise MissingEngineError(f"espeak cannot read its data at '{_data_path()}'; {_REINSTALL}.")
            library.espeak_ng_SetRandSeed(ctypes.c_long(1))
            ctypes.CDLL(None).srand(1)
            yield library, rate
        finally:
            library.espeak_Terminate()
            _ctypes.dlclose(library._handle)


@cache
def _voices() -> _Voices:
    identifiers: dict[str, tuple[int, str]] = {}
    dictionaries = {path.name.removesuffix("_dict") for path in _data_path().glob("*_dict")}
    with _library() as (library, _):
        library.espeak_Info.restype = ctypes.c_char_p
        version = library.espeak_Info(None).decode().split()[0]
        library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_VoiceRecord))
        records = library.espeak_ListVoices(None)
        position = 0
        while records[position]:
            record = records[position].contents
            identifier = record.identifier.decode()
            for priority, tag in _languages_of(record):
                if not langcodes.tag_is_valid(tag) or _dictionary(tag) not in dictionaries:
                    continue
                # Two voices may list one tag: the lower number is the better, a file named like the tag the best.
                rank = -1 if identifier.split("/")[-1].lower() == tag else priority
                if tag not in identifiers or rank < identifiers[tag][0]:
                    identifiers[tag] = (rank, identifier)
            position += 1
    return _Voices(version, {tag: identifier for tag, (_, identifier) in identifiers.items()})


def _dictionary(tag: str) -> str:
    """Name of the pronunciation dictionary; the wheel lists a few languages whose dictionary it lacks."""
    primary = tag.split("-")[0]
    return {"nb": "no", "zh": "cmn", "hbs": "hr", "hyw": "hy"}.get(primary, primary)


def _languages_of(record: _VoiceRecord) -> list[tuple[int, str]]:
    """Pairs of a priority byte and a zero-ended tag, ended by a zero byte."""
    address: int = record.languages
    found: list[tuple[int, str]] = []
    while priority := ctypes.string_at(address, 1)[0]:
        tag = ctypes.string_at(address + 1)
        found.append((priority, tag.decode().lower()))
        address += len(tag) + 2
    return found


def _synthesize(text: str, voice_name: str, voice: Voice) -> tuple[Samples, int, list[Phoneme]]:
    chunks: list[NDArray[np.int16]] = []
    events: list[tuple[int, str]] = []

    def receive(
        wave: "ctypes._Pointer[ctypes.c_short]",
        count: int,
        event: "ctypes._Pointer[_Event]",
    ) -> int:
        if wave and count > 0:
            chunks.append(np.ctypeslib.as_array(wave, (count,)).copy())
        position = 0
        while event and event[position].type != _EVENT_END:
            if event[position].type == _EVENT_PHONEME:
                ipa = event[position].id.string.decode("utf-8", "ignore")
                events.append((event[position].sample, ipa))
            position += 1
        return 0

    encoded = text.encode() + b"\0"
    with _library() as (library, sample_rate):
        callback = _Callback(receive)
        library.espeak_SetSynthCallback(callback)
        if library.espeak_SetVoiceByName(voice_name.encode()) != 0:
            raise InputError(f"espeak has no voice '{voice_name}'; leave the voice out to get one that it has.")
        rate = min(max(round(voice.rate * _RATE_CORRECTION * _PACE.get(voice.name, 1.0)), 80), 450)
        library.espeak_SetParameter(_RATE, rate, 0)
        library.espeak_SetParameter(_PITCH, min(max(voice.pitch, 0), 99), 0)
        library.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded)), 0, 1, 0, _UTF8 | _PHONEMES * ("[[" in text), None, None
        )
        library.espeak_Synchronize()
    samples: Samples = np.concatenate([np.zeros(0, np.int16), *chunks]).astype(np.float32) / np.float32(32768)
    phonemes: list[Phoneme] = []
    for sample, ipa in events:
        if ipa.startswith("("):  # `(en)`: it goes on in another language
            continue
        if ipa or not phonemes or phonemes[-1].ipa:
            phonemes.append(Phoneme(ipa, sample / sample_rate))
    return samples, sample_rate, phonemes


def _trimmed(samples: Samples, rate: int, phonemes: Sequence[Phoneme]) -> Speech:
    loud = (
        np.flatnonzero(np.abs(samples) > 0.003 * np.abs(samples).max(initial=0.0))
        if samples.any()
        else np.zeros(0, int)
    )
    if not len(loud):
        return Speech(
            np.zeros(round(_NOTHING_TO_SAY * rate), np.float32),
            rate,
            (Phoneme("", 0.0),),
        )
    keep = round(_KEEP_SILENCE * rate)
    first, last = max(int(loud[0]) - keep, 0), min(int(loud[-1]) + keep, len(samples))
    begin, duration = first / rate, (last - first) / rate
    moved = [Phoneme(phoneme.ipa, max(phoneme.start - begin, 0.0)) for phoneme in phonemes]
    kept = tuple(phoneme for phoneme in moved if phoneme.start < duration)
    return Speech(_levelled(samples[first:last]), rate, kept)


def _levelled(samples: Samples) -> Samples:
    peak = float(np.abs(samples).max())
    active = samples[np.abs(samples) > 0.01 * peak]
    gain = min(_LEVEL / float(np.sqrt(np.mean(np.square(active, dtype=np.float64)))), _PEAK / peak)
    return samples * np.float32(gain)
