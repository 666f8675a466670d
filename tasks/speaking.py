"""What is said is spoken: every turn in every language, each sentence only once, whatever production it is in."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from media.dialogue import Dialogue, Turn
from media.errors import PortrayalError
from media.lexicon import Lexicon
from media.store import ArtifactStore
from media.timeline import FASTEST, Fit, arrange, lock, proportionate_pauses, sure_spare, timed, wanted_pace
from tasks import workspace
from tasks.casting import CastSpeaker
from tasks.performance import RENDER_RATE, SOUND_RATE, Performance
from tasks.progress import Advance, note
from tasks.request import ProductionRequest
from tasks.sources import Source
from tasks.voices import choose_voices, engine_of, keep_voices, lexicon_of, record_of, voice_facts, voice_wishes

if TYPE_CHECKING:
    from models.speech.protocols import Samples, Synthesizer, Voice

STAGE = "Speak the script"

_NAMED = 3
"""Turns that did not fit are named up to so many; the record has the figures of all."""


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
    """Speak a script, or what is said in a recording, in one of its languages and lay the turns out in time.

    On the `elastic` timeline they take as long as they take, with the source's pauses in proportion where it has times.
    On the `locked` one each is fitted into the time that it has in the source: what the script says, when it is heard in
    the recording, or how long the script's own language takes. A recording's translation lasts as long as the recording.

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
        raise ValueError(f"nobody knows what is to be said of {source.path}")
    wishes = voice_wishes(request, source.script)
    engine = engine_of(request, wishes)
    lexicon = lexicon_of(request)
    dialogue = source.script.dialogues[language]
    slots, spare = times_of(source.script.source), None
    if request.timeline == "locked" and slots is None and language != source.script.source.language:
        original = speak(
            request.model_copy(update={"timeline": "elastic"}),
            source,
            source.script.source.language,
            cast,
            fps,
            keep=False,
        )
        slots = [(span.start_frame / fps, (span.start_frame + span.frames) / fps) for span in original.timeline.spans]
        length, spare = original.seconds, sure_spare(fps)
    else:
        length = max([source.duration or 0.0, *(end for _, end in slots or ())])
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
    fits: tuple[Fit, ...] = ()
    if slots and request.timeline == "locked":
        natural = [one.samples for one in spoken]
        spoken = [
            _spoken_for_slot(store, engine, turn, language, voices[turn.speaker], lexicon, one, end - start, fps)
            for turn, one, (start, end) in zip(dialogue.turns, spoken, slots, strict=True)
        ]
        timeline, fits = lock(natural, [one.samples for one in spoken], slots, SOUND_RATE, fps, length, spare=spare)
        spoken = [_stretched(store, one, span.samples) for one, span in zip(spoken, timeline.spans, strict=True)]
    else:
        durations = [one.samples for one in spoken]
        pauses = proportionate_pauses(slots, [count / SOUND_RATE for count in durations]) if slots else None
        timeline = arrange(durations, SOUND_RATE, pauses, fps)
    notes = _what_did_not_fit(dialogue, fits)
    for text in notes:
        note(text)
    records = record_of(engine, request, source, cast, voices, wishes)
    if keep:
        keep_voices(source, language, records)
    return Performance(
        dialogue=timed(dialogue, timeline),
        timeline=timeline,
        audio=tuple(one.audio for one in spoken),
        sounds=tuple(one.sound for one in spoken),
        spoken=tuple(anew),
        voices=records,
        engines={"synthesis": f"{engine.name} ({engine.version})"},
        fits=fits,
        notes=notes,
    )


def times_of(dialogue: Dialogue) -> list[tuple[float, float]] | None:
    """(start, end) of every turn of a source, in seconds; None where some have no times, or they are not in order."""
    times = [(turn.start, turn.end) for turn in dialogue.turns if turn.start is not None and turn.end is not None]
    return times if len(times) == len(dialogue.turns) and times == sorted(times, key=lambda one: one[0]) else None


def _what_did_not_fit(dialogue: Dialogue, fits: Sequence[Fit]) -> tuple[str, ...]:
    """A sentence for each turn that is late or too long for its slot, one for the rest, and one for those that hurry."""
    found = [
        (number, turn, fit)
        for number, (turn, fit) in enumerate(zip(dialogue.turns, fits, strict=False), 1)
        if fit.over or fit.late
    ]
    sentences = []
    for number, turn, fit in found[:_NAMED]:
        late = f"begins {fit.late:.2f} s late" if fit.late else ""
        over = (
            f"is {fit.over:.2f} s too long for its slot of {fit.slot:.2f} s and the pause after it, "
            f"even {fit.spoken_pace * fit.stretch:.2f} times as fast as it would be spoken; shorten its text"
            if fit.over
            else ""
        )
        what = " and ".join(part for part in (late, over) if part)
        sentences.append(f"Turn {number} ({turn.speaker}) in {dialogue.language} {what}.")
    if len(found) > _NAMED:
        more = ", ".join(str(number) for number, *_ in found[_NAMED:][:20])
        sentences.append(
            f"{len(found) - _NAMED} more turns in {dialogue.language} are late or do not fit into their slots ({more}"
            f"{' ...' if len(found) > _NAMED + 20 else ''}); the figures are in production.json."
        )
    hurried = sum(fit.stretch > FASTEST and not fit.over for fit in fits)
    if hurried:
        sentences.append(
            f"{hurried} turn{'s' if hurried > 1 else ''} in {dialogue.language} had to be hurried to fit the slot."
        )
    return tuple(sentences)


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

    said = spoken_form(
        turn.text,
        language,
        lexicon,
        reads_digits=engine.reads_digits,
        reads_ipa=engine.reads_ipa,
        reads_kanji=engine.reads_kanji,
    )
    facts = [engine.name, engine.version, said, language, voice_facts(voice)]
    digest = hashlib.sha256(b"speech/2\n" + json.dumps(facts, sort_keys=True).encode()).hexdigest()
    record = f"speech/{digest}.json"
    if (known := _known(store, record)) is not None:
        return known, False
    speech = engine.speak(said, language, voice)
    return _kept(store, record, speech.samples, speech.sample_rate), True


def _spoken_for_slot(
    store: ArtifactStore,
    engine: "Synthesizer",
    turn: Turn,
    language: str,
    voice: "Voice",
    lexicon: Lexicon | None,
    natural: SpokenTurn,
    slot: float,
    fps: int,
) -> SpokenTurn:
    """The turn spoken at the pace that its slot asks for, if that brings it nearer to the slot."""
    wanted = max(slot, 1 / fps)
    if abs(natural.samples / SOUND_RATE - wanted) <= 1 / fps:
        return natural
    pace = wanted_pace(natural.samples / SOUND_RATE, wanted)
    again, _ = _speak_turn(store, engine, turn, language, replace(voice, rate=round(voice.rate * pace)), lexicon)
    return min(natural, again, key=lambda one: abs(one.samples / SOUND_RATE - wanted))


def _stretched(store: ArtifactStore, spoken: SpokenTurn, samples: int) -> SpokenTurn:
    """The turn's sound at another pace, exactly so many samples long at 48 kHz."""
    if samples == spoken.samples:
        return spoken
    digest = hashlib.sha256(f"stretch/1\n{spoken.sound} {samples}".encode()).hexdigest()
    record = f"speech/{digest}.json"
    if (known := _known(store, record)) is not None:
        return known
    from media.audio import read_audio
    from media.stretch import stretched

    sound = stretched(read_audio(store.fetch(spoken.sound), SOUND_RATE), samples, SOUND_RATE)
    return _kept(store, record, sound, SOUND_RATE)


def _known(store: ArtifactStore, record: str) -> SpokenTurn | None:
    found = store.find(record)
    if found is None:
        return None
    known = SpokenTurn(**json.loads(found.read_text()))
    return known if store.has(known.sound) and store.has(known.audio) else None


def _kept(store: ArtifactStore, record: str, samples: "Samples", rate: int) -> SpokenTurn:
    from media.audio import resample, wav_bytes

    sound, audio = resample(samples, rate, SOUND_RATE), resample(samples, rate, RENDER_RATE)
    spoken = SpokenTurn(
        sound=store.put_bytes(wav_bytes(sound, SOUND_RATE), "audio", ".wav"),
        audio=store.put_bytes(wav_bytes(audio, RENDER_RATE), "audio", ".wav"),
        samples=len(sound),
    )
    with store.writing(record) as path:
        path.write_text(json.dumps(asdict(spoken)))
    return spoken
