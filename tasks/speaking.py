"""A script is spoken: every turn in every language, each sentence only once, whatever production it is in."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from media.dialogue import Turn
from media.errors import PortrayalError
from media.lexicon import Lexicon
from media.store import ArtifactStore
from media.timeline import arrange, timed
from tasks import workspace
from tasks.casting import CastSpeaker
from tasks.performance import RENDER_RATE, SOUND_RATE, Performance
from tasks.progress import Advance
from tasks.request import ProductionRequest
from tasks.sources import Source
from tasks.voices import choose_voices, engine_of, keep_voices, lexicon_of, record_of, voice_facts, voice_wishes

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
        InputError: the engine does not speak this language, or cannot speak a turn.
        MissingEngineError: the engine that is asked for is not there.
        RenderError: it failed at a turn; those before it are kept.
    """
    if source.script is None:
        raise ValueError(f"{source.path} is not a script")
    wishes = voice_wishes(request, source.script)
    engine = engine_of(request, wishes)
    lexicon = lexicon_of(request)
    dialogue = source.script.dialogues[language]
    voices = choose_voices(engine, request, source, language, cast, wishes)
    store = workspace.store()
    spoken, anew = [], []
    for number, turn in enumerate(dialogue.turns, 1):
        try:
            sound, is_new = _speak_turn(store, engine, turn, language, voices[turn.speaker], lexicon)
        except PortrayalError as error:
            raise type(error)(f"turn {number} ({turn.speaker}) in {language}: {error}") from None
        spoken.append(sound)
        anew.append(is_new)
        advance(number / len(dialogue.turns))
    records = record_of(engine, request, source, cast, voices, wishes)
    if keep:
        keep_voices(source, language, records)
    timeline = arrange([one.samples for one in spoken], SOUND_RATE, fps=fps)
    return Performance(
        dialogue=timed(dialogue, timeline),
        timeline=timeline,
        audio=tuple(one.audio for one in spoken),
        sounds=tuple(one.sound for one in spoken),
        spoken=tuple(anew),
        voices=records,
        engines={"synthesis": f"{engine.name} ({engine.version})"},
    )


def _speak_turn(
    store: ArtifactStore,
    engine: "Synthesizer",
    turn: Turn,
    language: str,
    voice: "Voice",
    lexicon: Lexicon | None,
) -> tuple[SpokenTurn, bool]:
    """The sound of a turn, and whether it was made now.

    Its key has the words as they are said, so that a lexicon speaks those turns anew that have one of its terms.
    """
    from models.speech.spoken_form import spoken_form

    said = spoken_form(turn.text, language, lexicon, reads_digits=engine.reads_digits, reads_ipa=engine.reads_ipa)
    facts = [engine.name, engine.version, said, language, voice_facts(voice)]
    digest = hashlib.sha256(b"speech/2\n" + json.dumps(facts, sort_keys=True).encode()).hexdigest()
    record = f"speech/{digest}.json"
    if store.has(record):
        known = SpokenTurn(**json.loads(store.fetch(record).read_text()))
        if store.has(known.sound) and store.has(known.audio):
            return known, False
    from media.audio import resample, wav_bytes

    speech = engine.speak(said, language, voice)
    sound = resample(speech.samples, speech.sample_rate, SOUND_RATE)
    audio = resample(speech.samples, speech.sample_rate, RENDER_RATE)
    spoken = SpokenTurn(
        sound=store.put_bytes(wav_bytes(sound, SOUND_RATE), "audio", ".wav"),
        audio=store.put_bytes(wav_bytes(audio, RENDER_RATE), "audio", ".wav"),
        samples=len(sound),
    )
    with store.writing(record) as path:
        path.write_text(json.dumps(asdict(spoken)))
    return spoken, True
