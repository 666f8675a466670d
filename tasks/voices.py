"""Who speaks with which voice: what is wished for, what a show's speakers had before, and the engine's own choice.

Everything that an engine cannot do (a language, a voice, cloning, a sound) is refused here, before any work begins; no
speaker is ever given another voice than the one asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from media.dialogue import Script, Speaker, speaker_key
from media.errors import InputError, PortrayalError
from media.lexicon import Lexicon, read_lexicon
from media.store import ArtifactStore
from tasks import workspace
from tasks.request import ProductionRequest, names_recording

if TYPE_CHECKING:
    from models.speech.protocols import Synthesizer, Voice
    from tasks.casting import CastSpeaker
    from tasks.sources import Source

REFERENCE_RATE = 24_000
"""Samples a second of recordings to clone, as they are kept."""
LEAST_REFERENCE_RATE = 16_000
SHORTEST_REFERENCE, LONGEST_REFERENCE = 5.0, 120.0
LEAST_SPEECH = 3.0


@dataclass(frozen=True, slots=True)
class VoiceWish:
    """The voice that is asked for: one of the engine's own, or a recording to clone."""

    where: str
    """Who asks for it, for messages: the option as it was given, or the script."""
    name: str = ""
    pitch: int | None = None
    rate: int | None = None
    recording: Path | None = None
    consent: str = ""


def voice_wishes(request: ProductionRequest, script: Script | None) -> dict[str, VoiceWish]:
    """Wishes by speaker; those of the request before those of the script.

    Args:
        script: None where nobody has listened to a recording yet: then nobody knows who speaks in it either.

    Raises:
        InputError: one is of nobody who speaks, or cannot be read; a recording comes without its owner's consent.
    """
    speakers = script.source.speakers if script else (*request.voices, *request.voice_consents)
    shown = {speaker_key(name): name for name in speakers}
    for option, given in (("--voice", request.voices), ("--voice-consent", request.voice_consents)):
        for name, value in given.items():
            if speaker_key(name) not in shown:
                raise InputError(
                    f"{option} {name}={value}: nobody called '{name}' speaks in {request.source}; "
                    f"the speakers are {', '.join(shown.values())}."
                )
    consents = {shown[speaker_key(name)]: consent for name, consent in request.voice_consents.items()}
    wishes = {}
    for speaker, hint in script.speakers.items() if script else ():
        if hint.voice:
            consent = consents.get(speaker) or hint.consent or ""
            wishes[speaker] = _wish(f"{request.source}: voice {hint.voice} of {speaker}", hint.voice, consent, request)
    for name, value in request.voices.items():
        speaker = shown[speaker_key(name)]
        wishes[speaker] = _wish(f"--voice {name}={value}", value, consents.get(speaker, ""), None)
    for name in consents:
        if name not in wishes or wishes[name].recording is None:
            raise InputError(
                f"--voice-consent {name}: no recording of {name} is to be cloned; add --voice, or leave it out."
            )
    return wishes


def _wish(where: str, value: str, consent: str, script: ProductionRequest | None) -> VoiceWish:
    if names_recording(value):
        path = Path(value).expanduser()
        if script is not None:
            path = Path(script.source).parent / path
        return VoiceWish(where, recording=path, consent=" ".join(consent.split()))
    name, *numbers = value.split(":")
    if len(numbers) > 2 or not all(number.isdecimal() and len(number) < 4 for number in numbers):
        raise InputError(
            f"{where}: write a voice as NAME, NAME:PITCH or NAME:PITCH:RATE, such as f3:60:170, or name a recording."
        )
    pitch, rate = ([int(number) for number in numbers] + [None, None])[:2]
    if (pitch or 0) > 99 or not 80 <= (rate or 80) <= 450:
        raise InputError(f"{where}: the pitch is 0 to 99, the rate 80 to 450 words a minute; correct the number.")
    return VoiceWish(where, name=name.strip(), pitch=pitch, rate=rate)


def engine_of(request: ProductionRequest, wishes: Mapping[str, VoiceWish]) -> "Synthesizer":
    """The synthesis engine; `auto` is one that can clone where that is asked for.

    Raises:
        InputError, MissingEngineError: it is not there.
    """
    from models.speech.engines import synthesizer

    cloning = any(wish.recording for wish in wishes.values())
    return synthesizer(request.engine("synthesis"), workspace.settings(), cloning=cloning)


def lexicon_of(request: ProductionRequest) -> Lexicon | None:
    """
    Raises:
        InputError: the lexicon cannot be read.
    """
    return read_lexicon(Path(request.lexicon)) if request.lexicon else None


def check_speech(request: ProductionRequest, source: "Source") -> None:
    """Refuse, before any work begins, what the synthesis engine cannot do with what is to be said.

    A recording is checked twice: as far as anything is known of it before anybody listens, and once it was heard.

    Raises:
        InputError: a language, a voice, cloning or a sound that it does not have; a recording that cannot be cloned; a
            voice or a lexicon for a recording of which no turn is spoken.
        MissingEngineError: cloning is asked for, and no engine that can is there.
    """
    if source.script is None and not (source.spoken_anew or (source.languages and source.spoken is None)):
        given = {"--voice": request.voices, "--voice-consent": request.voice_consents, "--lexicon": request.lexicon}
        for option in (option for option, value in given.items() if value):
            raise InputError(
                f"{option}: no turn of {source.path} is spoken, it keeps its own voices; leave the option out, or have it "
                "spoken in another language with --source-lang and --lang."
            )
        return
    wishes = voice_wishes(request, source.script)
    lexicon_of(request)
    try:
        engine = engine_of(request, wishes)
        for speaker, wish in wishes.items():
            _check_wish(engine, wish, speaker)
        speakers = source.script.source.speakers if source.script else ()
        wanting = len([speaker for speaker in speakers if speaker not in wishes])
        for language in source.spoken_anew:
            if source.script is None:
                engine.voices(language, 1, [None])
                continue
            offered = engine.voices(language, wanting, [None] * wanting)
            if len(offered) < wanting:
                raise InputError(
                    f"{engine.name} has {len(offered)} voice{'s' * (len(offered) != 1)} of its own for '{language}', and "
                    f'{wanting} speakers need one; give recordings to clone, with --voice "NAME=RECORDING".'
                )
    except PortrayalError as error:
        if str(error).startswith(("--", source.path)):
            raise
        raise type(error)(f"{source.path}: {error}") from None
    check_lexicon(request, source)


def _check_wish(engine: "Synthesizer", wish: VoiceWish, speaker: str) -> None:
    from models.speech.protocols import Voice

    try:
        if wish.recording is None:
            engine.check_voice(_named(wish))
            return
        if not engine.can_clone:
            engine.check_voice(Voice("", reference=str(wish.recording)))
        if not wish.consent:
            raise InputError(
                "a voice may be cloned only with the consent of the person whose voice it is; say who gave it, and when, "
                f'with --voice-consent "{speaker}=NAME, DATE".'
            )
        _check_recording(wish.recording, wish.recording.stat().st_mtime_ns if wish.recording.is_file() else 0)
    except InputError as error:
        raise InputError(f"{wish.where}: {error}") from None


@lru_cache(maxsize=64)
def _check_recording(path: Path, _changed: int) -> None:
    """
    Raises:
        InputError: the recording is too short, too coarse, or has too little speech in it to clone a voice from.
    """
    from media.audio import read_audio, require_usable
    from models.speech.vad import RATE, speech_regions

    info = require_usable(path)
    advice = "give 10 to 30 s of one person who speaks alone, with that person's consent."
    if not SHORTEST_REFERENCE <= info.duration <= LONGEST_REFERENCE:
        raise InputError(
            f"the recording is {info.duration:.1f} s long, not {SHORTEST_REFERENCE:.0f} to "
            f"{LONGEST_REFERENCE:.0f} s; {advice}"
        )
    if info.sample_rate < LEAST_REFERENCE_RATE:
        raise InputError(
            f"{info.sample_rate} samples a second are too few to clone a voice from, {LEAST_REFERENCE_RATE} are "
            f"the least; {advice}"
        )
    speech = sum(end - start for start, end in speech_regions(read_audio(path, RATE)))
    if speech < LEAST_SPEECH:
        raise InputError(f"only {speech:.1f} s of speech are in the recording; {advice}")


def check_lexicon(request: ProductionRequest, source: "Source") -> None:
    """Refuse a pronunciation, of a term that is said, that the synthesis engine cannot make.

    Raises:
        InputError: names the line of the lexicon.
    """
    from models.speech.spoken_form import said_in_ipa

    lexicon = lexicon_of(request)
    if lexicon is None or source.script is None:
        return
    engine = engine_of(request, voice_wishes(request, source.script))
    for language in source.spoken_anew:
        texts = [turn.text for turn in source.script.dialogues[language].turns]
        for term, said in said_in_ipa(lexicon, language, texts).items():
            if not engine.reads_ipa and not said.respelling:
                raise InputError(
                    f"{said.where}: {engine.name} does not read IPA, and '{term}' has no respelling for '{language}'; "
                    f"add one, such as 'win /{said.ipa}/'."
                )
            if engine.reads_ipa:
                try:
                    engine.check_ipa(said.ipa, language)
                except InputError as error:
                    raise InputError(f"{said.where}: '{term}': {error}") from None


def choose_voices(
    engine: "Synthesizer",
    request: ProductionRequest,
    source: "Source",
    language: str,
    cast: "Sequence[CastSpeaker]",
    wishes: Mapping[str, VoiceWish],
) -> "dict[str, Voice]":
    """A voice for every speaker, no two alike unless that is wished for.

    It is the one wished for, else the one they had: in this language of the production, in another of its languages, in
    the last episode of the show. Else it is the first that suits their portrait. A speaker that is added to a script
    so takes nobody's voice away.

    Raises:
        InputError: the engine does not speak this language, or has too few voices.
    """
    from models.speech.protocols import Voice

    script = source.script
    genders = {one.speaker: gender_of(script.speakers.get(one.speaker) if script else None, one) for one in cast}
    voices: dict[str, Voice] = {}
    for speaker in genders:
        if speaker in wishes:
            wish = wishes[speaker]
            voices[speaker] = _cloned(workspace.store(), wish.recording) if wish.recording else _named(wish)
    for recorded in _recorded_voices(source.production_id, language, list(genders), request.show):
        for speaker, gender in genders.items():
            had = recorded.get(speaker, {})
            if speaker in voices or had.get("engine") != engine.name or had.get("gender") != gender:
                continue
            if had.get("reference"):  # whoever's voice was cloned before: not without being asked again
                continue
            voice = Voice(had["name"], had["pitch"], had["rate"])
            if voice not in voices.values():
                voices[speaker] = voice
    for speaker, gender in genders.items():
        if speaker in voices:
            continue
        offered = engine.voices(language, len(cast), [gender] * len(cast))
        free = [voice for voice in offered if voice not in voices.values()]
        if not free:
            raise InputError(
                f"{source.path}: engine '{engine.name}' has fewer than {len(cast)} voices for '{language}'; "
                'choose some with --voice "NAME=VOICE".'
            )
        voices[speaker] = free[0]
    return voices


def gender_of(hint: Speaker | None, person: "CastSpeaker") -> str:
    """What the script says, else how the portrait is seen."""
    return (hint.gender if hint else None) or person.presentation


def voice_facts(voice: "Voice") -> dict[str, Any]:
    """What tells a voice from others: plain values, and a recording by its artifact key."""
    facts = asdict(voice)
    facts["reference"] = f"voices/{Path(voice.reference).name}" if voice.reference else ""
    return facts


def record_of(
    engine: "Synthesizer",
    request: ProductionRequest,
    source: "Source",
    cast: "Sequence[CastSpeaker]",
    voices: "Mapping[str, Voice]",
    wishes: Mapping[str, VoiceWish],
) -> dict[str, dict[str, Any]]:
    """Voices by speaker, for the catalog and the record beside the videos."""
    script = source.script
    records = {}
    for one in cast:
        record = voice_facts(voices[one.speaker]) | {
            "engine": engine.name,
            "gender": gender_of(script.speakers.get(one.speaker) if script else None, one),
            "show": request.show,
        }
        if voices[one.speaker].reference:
            record["consent"] = wishes[one.speaker].consent
        records[one.speaker] = record
    return records


def keep_voices(source: "Source", language: str, voices: Mapping[str, dict[str, Any]]) -> None:
    """Put voices on record in the catalog, for the next run and the next episode."""
    from catalog.casting import record_voice
    from catalog.session import session_factory

    with session_factory(workspace.catalog()).begin() as session:
        for speaker, voice in voices.items():
            record_voice(session, source.production_id, speaker, language, voice)


def _named(wish: VoiceWish) -> "Voice":
    from models.speech.protocols import Voice

    plain = Voice(wish.name)
    pitch, rate = wish.pitch, wish.rate
    return Voice(wish.name, plain.pitch if pitch is None else pitch, plain.rate if rate is None else rate)


def _cloned(store: ArtifactStore, recording: Path) -> "Voice":
    """The recording goes into the store, named by its content."""
    from media.audio import read_audio, wav_bytes
    from models.speech.protocols import Voice

    key = store.put_bytes(wav_bytes(read_audio(recording, REFERENCE_RATE), REFERENCE_RATE), "voices", ".wav")
    return Voice("", reference=str(store.fetch(key)))


def _recorded_voices(
    production_id: str, language: str, speakers: Sequence[str], show: str
) -> Iterator[dict[str, dict[str, Any]]]:
    """By speaker: the voices of this language, of the production's other languages, and of the show's last episodes.

    Who is known in the show (see `catalog.shows`) has the voice of that person's last episode, whatever they were called
    there; everybody else that of the same name.
    """
    from sqlalchemy import and_, select
    from sqlalchemy.orm import aliased

    from catalog.session import session_factory
    from catalog.tables import Casting, Production, ShowSpeaker

    here, there = aliased(ShowSpeaker), aliased(ShowSpeaker)

    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        castings = session.scalars(
            select(Casting)
            .join(Production, Production.id == Casting.production_id)
            .where(Casting.speaker.in_(speakers))
            .order_by(Production.updated_at.desc(), Production.id)
        ).all()
        own = {one.speaker: one.voice for one in castings if one.production_id == production_id}
        others = [(one.speaker, one.voice) for one in castings if one.production_id != production_id]
        known = set(session.scalars(select(here.speaker).where(here.production_id == production_id)))
        same_person = session.execute(
            select(here.speaker, Casting.voice)
            .join(there, and_(there.member_id == here.member_id, there.production_id != here.production_id))
            .join(Casting, and_(Casting.production_id == there.production_id, Casting.speaker == there.speaker))
            .join(Production, Production.id == Casting.production_id)
            .where(here.production_id == production_id, here.speaker.in_(speakers))
            .order_by(Production.updated_at.desc(), Production.id)
        ).all()
    if show:
        others = [(speaker, voice) for speaker, voice in others if speaker not in known]
        others += [(row.speaker, row.voice) for row in same_person]
    yield {speaker: voice[language] for speaker, voice in own.items() if language in voice}
    yield {speaker: next(iter(voice.values())) for speaker, voice in own.items() if voice}
    shown: dict[str, dict[str, Any]] = {}
    for speaker, voice in others:
        same = [voice[tag] for tag in (language, *voice) if tag in voice and voice[tag].get("show", "") == show]
        if same:
            shown.setdefault(speaker, same[0])
    yield shown
