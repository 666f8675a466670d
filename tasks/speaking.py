"""A script is spoken: every turn in every language, each sentence only once, whatever production it is in."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from media.dialogue import Speaker, Turn
from media.errors import InputError
from media.store import ArtifactStore
from media.timeline import arrange, timed
from tasks import workspace
from tasks.casting import CastSpeaker
from tasks.performance import RENDER_RATE, SOUND_RATE, Performance
from tasks.progress import Advance
from tasks.request import ProductionRequest
from tasks.sources import Source

if TYPE_CHECKING:
    from models.speech.protocols import Synthesizer, Voice

STAGE = "Speak the script"


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """The sound of a turn, in the artifact store."""

    sound: str
    """Artifact key of the WAV at 48 kHz, for the video's sound track."""
    audio: str
    """Artifact key of the WAV at 16 kHz, for the renderer."""
    samples: int
    """Length at 48 kHz."""


def speak(
    request: ProductionRequest,
    source: Source,
    language: str,
    cast: Sequence[CastSpeaker],
    fps: int,
    advance: Advance = lambda share: None,
    *,
    keep: bool = True,
) -> Performance:
    """Speak a script in one of its languages and lay the turns out in time.

    Args:
        fps: frames a second of the video; turns begin with a frame.
        advance: called with the share done, 0..1.
        keep: whether the voices are put on record in the catalog.

    Raises:
        InputError: the engine does not speak this language.
        MissingEngineError: the engine that is asked for is not there.
    """
    from models.speech.engines import synthesizer

    if source.script is None:
        raise ValueError(f"{source.path} is not a script")
    engine = synthesizer(request.engine("synthesis"))
    dialogue = source.script.dialogues[language]
    voices = choose_voices(engine, source, language, cast)
    store = workspace.store()
    spoken = []
    for done, turn in enumerate(dialogue.turns):
        spoken.append(_speak_turn(store, engine, turn, language, voices[turn.speaker]))
        advance((done + 1) / len(dialogue.turns))
    plain_voices = {
        one.speaker: asdict(voices[one.speaker])
        | {
            "engine": engine.name,
            "gender": _gender(source.script.speakers.get(one.speaker), one),
        }
        for one in cast
    }
    if keep:
        _record_voices(source, language, plain_voices)
    timeline = arrange([one.samples for one in spoken], SOUND_RATE, fps=fps)
    return Performance(
        dialogue=timed(dialogue, timeline),
        timeline=timeline,
        audio=tuple(one.audio for one in spoken),
        sounds=tuple(one.sound for one in spoken),
        voices=plain_voices,
        engines={"synthesis": f"{engine.name} ({engine.version})"},
    )


def choose_voices(
    engine: "Synthesizer", source: Source, language: str, cast: Sequence[CastSpeaker]
) -> "dict[str, Voice]":
    """A voice for every speaker, no two alike: the one they had before, else the first that suits their portrait.

    A speaker that is added to a script so takes nobody's voice away.

    Raises:
        InputError: the engine does not speak this language.
    """
    from models.speech.protocols import Voice

    hints = source.script.speakers if source.script else {}
    voices: dict[str, Voice] = {}
    genders = {one.speaker: _gender(hints.get(one.speaker), one) for one in cast}
    recorded = _recorded_voices(source, language)
    for speaker, gender in genders.items():
        had = recorded.get(speaker, {})
        if had.get("engine") == engine.name and had.get("gender") == gender:
            voices[speaker] = Voice(had["name"], had["pitch"], had["rate"])
    for speaker, gender in genders.items():
        if speaker in voices:
            continue
        offered = engine.voices(language, len(cast), [gender] * len(cast))
        free = [voice for voice in offered if voice not in voices.values()]
        if not free:
            raise InputError(
                f"{source.path}: engine '{engine.name}' has fewer than {len(cast)} voices for '{language}'."
            )
        voices[speaker] = free[0]
    return voices


def _gender(hint: Speaker | None, person: CastSpeaker) -> str:
    return (hint.gender if hint else None) or person.presentation


def _speak_turn(
    store: ArtifactStore,
    engine: "Synthesizer",
    turn: Turn,
    language: str,
    voice: "Voice",
) -> SpokenTurn:
    facts = [engine.name, engine.version, turn.text, language, asdict(voice)]
    digest = hashlib.sha256(b"speech/1\n" + json.dumps(facts, sort_keys=True).encode()).hexdigest()
    record = f"speech/{digest}.json"
    if store.has(record):
        known = SpokenTurn(**json.loads(store.fetch(record).read_text()))
        if store.has(known.sound) and store.has(known.audio):
            return known
    from media.audio import resample, wav_bytes

    speech = engine.speak(turn.text, language, voice)
    sound = resample(speech.samples, speech.sample_rate, SOUND_RATE)
    audio = resample(speech.samples, speech.sample_rate, RENDER_RATE)
    spoken = SpokenTurn(
        sound=store.put_bytes(wav_bytes(sound, SOUND_RATE), "audio", ".wav"),
        audio=store.put_bytes(wav_bytes(audio, RENDER_RATE), "audio", ".wav"),
        samples=len(sound),
    )
    with store.writing(record) as path:
        path.write_text(json.dumps(asdict(spoken)))
    return spoken


def _recorded_voices(source: Source, language: str) -> dict[str, dict[str, Any]]:
    from sqlalchemy import select

    from catalog.session import session_factory
    from catalog.tables import Casting

    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        castings = session.scalars(select(Casting).where(Casting.production_id == source.production_id))
        return {one.speaker: one.voice[language] for one in castings if language in one.voice}


def _record_voices(source: Source, language: str, voices: dict[str, dict[str, Any]]) -> None:
    from catalog.casting import record_voice
    from catalog.session import session_factory

    with session_factory(workspace.catalog()).begin() as session:
        for speaker, voice in voices.items():
            record_voice(session, source.production_id, speaker, language, voice)
