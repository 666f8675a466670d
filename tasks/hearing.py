"""What is heard in a recording: who speaks when, what is said, how high each voice is, and the sound of every turn.

All of it is kept in the artifact store under the recording's content and the engines' versions, so that it is worked
out once, and a second run needs neither the engines nor the recording's sound. Who speaks and what is said are kept each
on its own, too: a run that is killed between them, or gets another transcript, does not listen for speakers again.
"""

import hashlib
import itertools
import json
import re
import time
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from media.dialogue import Dialogue, Turn, display_name, name_fault, tidy
from media.errors import InputError
from media.hygiene import SoundCheck, check_sound
from media.phrases import unbroken
from media.store import ArtifactStore
from media.timeline import Span, Timeline, from_times, sample_at, timed
from models.speech.vad import quietest
from tasks import workspace
from tasks.performance import RENDER_RATE, SOUND_RATE, Performance, SpokenWord
from tasks.progress import Advance, note
from tasks.request import ProductionRequest
from tasks.sources import Source
from tasks.speeds import record_speed

if TYPE_CHECKING:
    from catalog.shows import VoicePrint
    from models.speech.protocols import Sound, SpeakerTurn

STAGE = "Listen to the recording"

RATE = RENDER_RATE
JOINED_GAP = 0.5
"""Stretches of one speaker that are closer than this, in seconds, are one turn."""
SHORT_TURN = 0.3
"""A shorter turn joins a neighbour of the same speaker over a longer gap."""
SHORT_TURN_GAP = 1.0
BRIEF = 0.25
"""A stretch of another speaker within a turn splits it only from so many seconds on, or where a word is said in it."""
LONGEST_TURN = 20.0
"""Longer turns are cut at pauses, so that they can be rendered in parallel."""
_CUT_AFTER = 8.0
PRINT_WINDOW, SHORTEST_PRINT, LONGEST_PRINT = 1.6, 3.0, 60.0
"""Seconds: what a voice embedding looks at, and how much of a speaker must and may be heard for a voice print."""
_FAR = 1.5
"""Words that are further than this from every turn, in seconds, are left out: nobody was heard there."""
_WRONG_SPEAKER = 0.75
"""How much further away, in seconds, a turn of the word's own speaker may be to be preferred to another's."""

UNKNOWN_LANGUAGE = "und"
SPEED = "hear"
"""What seconds of work per second of recording are recorded under."""
DEFAULT_SPEED = 0.1


@dataclass(frozen=True, slots=True)
class Heard:
    """A recording as a performance, whose turns overlap where its speech does, and what else was found out about it."""

    performance: Performance
    pitch: dict[str, str | None]
    """`low`, `mid` or `high` for each speaker; None where too little was heard."""
    notes: tuple[str, ...]
    """What the user should know: how sure the number of speakers is, that there are no captions."""
    diarization: tuple[tuple[str, float, float], ...]
    """The diarizer's own turns, overlaps and all: label, start, end in seconds."""
    sound: SoundCheck
    """The recording's sound as it was delivered."""
    now: tuple[str, ...] = ()
    """Which of `diarization`, `transcription` and `alignment` were done in this run; empty where all was there before."""


def heard_before(source: Source, request: ProductionRequest, fps: int) -> Heard | None:
    """What `hear` found in an earlier run with the same recording, engines and options, if all of it is still there."""
    store = workspace.store()
    key = _key(source, request, fps)
    found = store.find(key)
    if found is None:
        return None
    heard = _from_json(json.loads(found.read_text()))
    return heard if all(store.has(one) for one in set(heard.performance.audio)) else None


def hear(
    source: Source,
    request: ProductionRequest,
    fps: int,
    advance: Advance = lambda share: None,
) -> Heard:
    """Find out who speaks when and what is said, and cut the sound into turns.

    Args:
        fps: frames a second of the video; turns begin with a frame.
        advance: called with the share done, 0..1.

    Raises:
        InputError: nobody speaks in it, or the transcript, the RTTM file or the language does not belong to it.
        MissingEngineError: an engine that is asked for is not there.
    """
    if found := heard_before(source, request, fps):
        _tell(found)
        return found
    from media.audio import audio_blocks
    from media.long_sound import LongSound

    began = time.perf_counter()
    path = Path(source.path)
    check = check_sound(path)
    advance(0.03)
    with LongSound(workspace.scratch()) as samples:
        for block in audio_blocks(path, RATE):
            samples.append(block - np.float32(check.removed_offset))
        advance(0.05)
        heard = _hear(samples, check, source, request, fps, advance)
        record_speed(SPEED, len(samples) / RATE, time.perf_counter() - began)
    advance(1.0)
    _tell(heard)
    return heard


def _tell(heard: Heard) -> None:
    note(" ".join(heard.sound.findings))
    for text in heard.notes:
        note(text)


def _hear(
    samples: "Sound", check: SoundCheck, source: Source, request: ProductionRequest, fps: int, advance: Advance
) -> Heard:
    store = workspace.store()
    turns, engines, notes, is_new = _who_speaks(samples, source, request, lambda share: advance(0.05 + 0.55 * share))
    now = ["diarization"] if is_new else []
    said, language, transcript_engines, transcript_notes, is_new = _what_is_said(
        samples, source, request, lambda share: advance(0.6 + 0.25 * share)
    )
    if is_new:
        now.append("alignment" if source.transcript else "transcription")
    engines |= transcript_engines
    notes += transcript_notes
    names = _names(turns.exclusive, said, [turn.speaker for turn in turns.turns])
    spoken_turns, floor = merged(turns.turns), turns.exclusive
    if request.rttm is None:  # what people have written down is evidence enough
        owners = unsupported(spoken_turns, said, names)
        spoken_turns = merged(replace(turn, speaker=owners.get(turn, turn.speaker)) for turn in spoken_turns)
        floor = tuple(_given_away(turn, owners) for turn in floor)
        names = _names(floor, said, [turn.speaker for turn in spoken_turns])
    pieces = [piece for turn in spoken_turns for piece in cut_at_pauses(samples, RATE, turn)]
    pieces.sort(key=lambda piece: (piece.start, piece.end))
    words = words_of_turns(pieces, said, names, floor)
    # Recognisers write no spaces; what people have written keeps those that it has.
    joined = " ".join if source.transcript else unbroken
    texts = [tidy(joined([word.text for word in spoken])) for spoken in words]
    length = round(len(samples) / RATE * SOUND_RATE)
    timeline = from_times([(piece.start, piece.end) for piece in pieces], length, SOUND_RATE, fps)
    dialogue = Dialogue(
        language,
        tuple(Turn(names[piece.speaker], text) for piece, text in zip(pieces, texts, strict=True)),
    )
    heard = Heard(
        performance=Performance(
            dialogue=timed(dialogue, timeline),
            timeline=timeline,
            audio=tuple(_store_sound(store, samples, span, fps) for span in timeline.spans),
            words=tuple(tuple(spoken) for spoken in words),
            engines=engines,
            dc_offset=check.removed_offset,
        ),
        pitch=_pitch(samples, pieces, names),
        notes=tuple(notes),
        diarization=tuple((turn.speaker, turn.start, turn.end) for turn in turns.turns),
        sound=check,
    )
    with store.writing(_key(source, request, fps)) as path:
        path.write_text(json.dumps(asdict(heard), ensure_ascii=False))
    return replace(heard, now=tuple(now))


def voice_prints(source: Source, heard: Heard) -> "dict[str, VoicePrint]":
    """How each speaker of a recording sounds, by name, from up to a minute of their longest turns.

    Speakers of whom less than `SHORTEST_PRINT` was heard are left out. Kept in the artifact store.
    """
    from catalog.shows import VoicePrint

    store = workspace.store()
    turns: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for turn, key in zip(heard.performance.dialogue.turns, heard.performance.audio, strict=True):
        turns[turn.speaker].append(((turn.end or 0.0) - (turn.start or 0.0), key))
    digest = hashlib.sha256(json.dumps(turns, sort_keys=True).encode()).hexdigest()
    place = f"heard/{digest}.voices.json"
    if known := store.find(place):
        return {name: VoicePrint(tuple(e), model, s) for name, (e, model, s) in json.loads(known.read_text()).items()}
    from media.audio import read_audio
    from models.speech.voice_embedding import embed

    prints = {}
    for speaker, own in turns.items():
        pieces, seconds = [], 0.0
        for length, key in sorted(own, reverse=True):
            if seconds >= LONGEST_PRINT or length < PRINT_WINDOW:
                break
            # A turn's sound is padded to whole frames.
            pieces.append(read_audio(store.fetch(key), RATE)[: round(length * RATE)])
            seconds += length
        if seconds < SHORTEST_PRINT:
            continue
        samples = np.concatenate(pieces)[: round(LONGEST_PRINT * RATE)]
        starts = np.arange(0.0, len(samples) / RATE - PRINT_WINDOW, PRINT_WINDOW / 2)
        mean = embed(samples, [(start, start + PRINT_WINDOW) for start in starts]).mean(axis=0)
        mean /= np.linalg.norm(mean)
        prints[speaker] = VoicePrint(
            tuple(round(float(value), 6) for value in mean), "dvector", round(len(samples) / RATE, 2)
        )
    with store.writing(place) as path:
        path.write_text(json.dumps({name: (one.embedding, one.model, one.seconds) for name, one in prints.items()}))
    return prints


def merged(turns: "Iterable[SpeakerTurn]") -> "list[SpeakerTurn]":
    """Turns with the pauses within one speaker's speech closed where nobody else speaks in them, in order of start.

    Whatever is heard stays; turns of several speakers overlap where they did.
    """
    result: list[SpeakerTurn] = []
    place: dict[str, int] = {}  # of each speaker's last turn
    for turn in sorted(turns, key=lambda one: (one.start, one.end)):
        last = result[place[turn.speaker]] if turn.speaker in place else None
        if last is not None:
            gap = turn.start - last.end
            short = min(last.end - last.start, turn.end - turn.start) < SHORT_TURN
            between = any(
                result[other].end > last.end and result[other].start < turn.start
                for speaker, other in place.items()
                if speaker != turn.speaker
            )
            if gap <= 0 or (not between and (gap < JOINED_GAP or (short and gap < SHORT_TURN_GAP))):
                result[place[turn.speaker]] = replace(last, end=max(last.end, turn.end))
                continue
        place[turn.speaker] = len(result)
        result.append(turn)
    return result


def unsupported(
    turns: "Sequence[SpeakerTurn]", said: Sequence[SpokenWord], names: dict[str, str]
) -> "dict[SpeakerTurn, str]":
    """Very short turns within another speaker's speech in which that speaker is not known to say a word, and that speaker.

    A diarizer is easily wrong for a tenth of a second, and would split a sentence of one person in three.

    Args:
        turns: in order of start, as `merged` gives them.
        names: the words' names of the turns' speakers.
    """
    said = sorted(said, key=lambda word: word.start)
    starts = [word.start for word in said]
    longest = max((word.end - word.start for word in said), default=0.0)

    def is_said(turn: "SpeakerTurn") -> bool:
        for word in said[bisect_left(starts, turn.start - longest) : bisect_right(starts, turn.end)]:
            heard = min(turn.end, word.end) - max(turn.start, word.start)
            if word.speaker is not None:
                if heard > 0 and word.speaker == names.get(turn.speaker):
                    return True
            elif heard > 0 and heard >= (word.end - word.start) / 2:
                return True
        return False

    def around(place: int) -> str | None:
        turn = turns[place]
        before: dict[str, float] = {}
        for other in turns[:place]:
            if other.speaker != turn.speaker:
                before[other.speaker] = max(other.end, before.get(other.speaker, 0.0))
        for speaker, end in sorted(before.items(), key=lambda one: -one[1]):
            if turn.start - end >= JOINED_GAP:
                break
            if end >= turn.end:
                return speaker
            for other in turns[place + 1 :]:
                if other.start - turn.end >= JOINED_GAP:
                    break
                if other.speaker == speaker:
                    return speaker
        return None

    found = {}
    for place, turn in enumerate(turns):
        if turn.end - turn.start < BRIEF and not is_said(turn) and (owner := around(place)):
            found[turn] = owner
    return found


def _given_away(turn: "SpeakerTurn", owners: "dict[SpeakerTurn, str]") -> "SpeakerTurn":
    for brief, owner in owners.items():
        if turn.speaker == brief.speaker and brief.start <= turn.start and turn.end <= brief.end:
            return replace(turn, speaker=owner)
    return turn


def cut_at_pauses(
    samples: "Sound", rate: int, turn: "SpeakerTurn", longest: float = LONGEST_TURN
) -> "Iterator[SpeakerTurn]":
    """A turn in consecutive pieces of at most `longest` seconds, cut where it is quietest."""
    start = turn.start
    while turn.end - start > longest:
        earliest = start + longest * _CUT_AFTER / LONGEST_TURN
        # Both pieces shall be worth rendering on their own.
        latest = min(start + longest, turn.end - 1.0)
        cut = quietest(samples, rate, earliest, latest)
        yield replace(turn, start=start, end=cut)
        start = cut
    yield replace(turn, start=start)


def words_of_turns(
    turns: "Sequence[SpeakerTurn]",
    said: Iterable[SpokenWord],
    names: dict[str, str],
    exclusive: "Sequence[SpeakerTurn]" = (),
) -> list[list[SpokenWord]]:
    """What is said in each turn: every word goes to the nearest one, and rather to one of its own speaker.

    Args:
        turns: in order of start; they may overlap.
        exclusive: who has the floor, one at a time: tells where turns overlap whose a word is, if nothing else does.

    Words that are far from all turns are left out.
    """
    words: list[list[SpokenWord]] = [[] for _ in turns]
    floor_starts = [turn.start for turn in exclusive]
    starts = [turn.start for turn in turns]
    longest = max((turn.end - turn.start for turn in turns), default=0.0)
    for word in said:
        middle = (word.start + word.end) / 2
        holder = bisect_right(floor_starts, middle) - 1
        own = word.speaker
        if own is None and holder >= 0 and exclusive[holder].end >= middle:
            own = names.get(exclusive[holder].speaker)
        best, least = None, _FAR
        near = range(bisect_left(starts, middle - longest - _FAR), bisect_right(starts, middle + _FAR))
        for index in near:
            turn = turns[index]
            away = max(turn.start - middle, middle - turn.end, 0.0)
            if own is not None and names.get(turn.speaker) != own:
                away += _WRONG_SPEAKER
            if away < least:
                best, least = index, away
        if best is not None:
            words[best].append(word)
    return words


def _who_speaks(samples: "Sound", source: Source, request: ProductionRequest, advance: Advance) -> tuple[Any, ...]:
    """The diarization, the engines used, remarks, and whether it was made now."""
    from models.speech.protocols import Diarization, SpeakerTurn

    if request.rttm is not None:
        from media.rttm import read_rttm

        path = Path(request.rttm)
        duration = len(samples) / RATE
        turns = tuple(
            SpeakerTurn(turn.speaker, turn.start, min(turn.end, duration))
            for turn in read_rttm(path)
            if turn.start is not None and turn.end is not None and turn.start < min(turn.end, duration)
        )
        if not turns:
            raise InputError(
                f"{path}: nobody speaks within the {duration:.1f} s of {source.path}; check that they belong together."
            )
        exclusive = _exclusive(turns)
        return (
            Diarization(turns, exclusive, {}),
            {"diarization": f"given: {path.name}"},
            [],
            False,
        )
    from models.speech.engines import diarizer

    engine = diarizer(request.engine("diarization"))
    count = request.speakers
    store = workspace.store()
    key = _key_of("diarizations", source, [engine.name, engine.version, count.model_dump()])
    kept = store.find(key)
    if kept is None:
        found = engine.diarize(
            samples,
            RATE,
            speakers=count.exactly,
            min_speakers=count.at_least,
            max_speakers=count.at_most,
            progress=advance,
        )
        with store.writing(key) as record:
            record.write_text(json.dumps(asdict(found)))
    else:
        known = json.loads(kept.read_text())
        turns, exclusive = (tuple(SpeakerTurn(**turn) for turn in known[part]) for part in ("turns", "exclusive"))
        embeddings = {speaker: tuple(vector) for speaker, vector in known["embeddings"].items()}
        found = Diarization(turns, exclusive, embeddings, known["note"])
    if not found.exclusive:
        raise InputError(
            f"{source.path}: no speech was heard in it; check the file, or say who speaks when with --rttm."
        )
    return (
        found,
        {"diarization": f"{engine.name} ({engine.version})"},
        [found.note] if found.note else [],
        kept is None,
    )


def _exclusive(turns: "Sequence[SpeakerTurn]") -> "tuple[SpeakerTurn, ...]":
    """One speaker at a time: whoever begins later has the floor until they end."""
    edges = sorted({edge for turn in turns for edge in (turn.start, turn.end)})
    result: list[SpeakerTurn] = []
    for start, end in itertools.pairwise(edges):
        active = [turn for turn in turns if turn.start <= start and turn.end >= end]
        if not active:
            continue
        speaker = max(active, key=lambda turn: turn.start).speaker
        if result and result[-1].speaker == speaker and result[-1].end == start:
            result[-1] = replace(result[-1], end=end)
        else:
            result.append(replace(active[0], speaker=speaker, start=start, end=end))
    return tuple(result)


def _what_is_said(
    samples: "Sound", source: Source, request: ProductionRequest, advance: Advance
) -> tuple[list[SpokenWord], str, dict[str, str], list[str], bool]:
    """Words with times, the language, the engines used, remarks, and whether it was found out now."""
    asked = source.spoken
    if source.transcript is not None:
        return _said_in_transcript(samples, source, request, asked, advance)
    from models.speech.engines import transcriber

    engine = transcriber(request.engine("transcription"))
    if engine is None:
        remark = (
            "No captions: no transcript lies beside the recording, and no transcription engine is there "
            "(give --transcript FILE, or see `portrayal doctor`)."
        )
        return [], asked or UNKNOWN_LANGUAGE, {"transcription": "none"}, [remark], False

    def transcribe() -> tuple[list[SpokenWord], str]:
        heard = engine.transcribe(samples, RATE, language=asked, progress=advance)
        return [SpokenWord(word.text, word.start, word.end) for word in heard.words], heard.language

    key = _key_of("transcriptions", source, [engine.name, engine.version, asked])
    said, language, is_new = _said_once(key, transcribe)
    return said, asked or language, {"transcription": f"{engine.name} ({engine.version})"}, [], is_new


def _said_in_transcript(
    samples: "Sound",
    source: Source,
    request: ProductionRequest,
    asked: str | None,
    advance: Advance,
) -> tuple[list[SpokenWord], str, dict[str, str], list[str], bool]:
    from media.scripts import guess_language, reads_like
    from media.transcripts import read_transcript
    from models.speech.engines import aligner

    path = Path(str(source.transcript))
    turns = [turn for turn in read_transcript(path) if turn.text.strip()]
    texts = [turn.text for turn in turns]
    if asked and (other := reads_like(texts, asked)):
        raise InputError(
            f"--lang {asked}: what is said in {path} is in '{other}'; leave --lang out to produce it in that language, "
            "or translate it with --engine translation=NAME."
        )
    language = asked or guess_language(texts)
    duration = len(samples) / RATE
    engine = aligner(request.engine("alignment"), language)
    if turns and all(turn.start is None for turn in turns):
        turns = _spread_over(turns, duration)

    def align() -> tuple[list[SpokenWord], str]:
        said: list[SpokenWord] = []
        for done, turn in enumerate(turns):
            start, end = turn.start or 0.0, min(turn.end or duration, duration)
            piece = samples[round(start * RATE) : round(end * RATE)]
            if end <= start:
                continue
            words = engine.align(piece, RATE, turn.text, language)
            speaker = _shown(turn.speaker) if turn.speaker else None
            said += [SpokenWord(word.text, start + word.start, start + word.end, speaker) for word in words]
            advance((done + 1) / len(turns))
        return said, language

    key = _key_of("alignments", source, [engine.name, engine.version, language, [asdict(turn) for turn in turns]])
    said, _, is_new = _said_once(key, align)
    if not said:
        raise InputError(
            f"{path}: nothing in it is said within the {duration:.1f} s of {source.path}; is it the right file?"
        )
    engines = {
        "transcription": f"given: {path.name}",
        "alignment": f"{engine.name} ({engine.version})",
    }
    return said, language, engines, [], is_new


def _said_once(key: str, find: Callable[[], tuple[list[SpokenWord], str]]) -> tuple[list[SpokenWord], str, bool]:
    """Words and language as they were found before, else as `find` finds them; and whether they were found now."""
    store = workspace.store()
    if kept := store.find(key):
        known = json.loads(kept.read_text())
        return [SpokenWord(**word) for word in known["words"]], known["language"], False
    said, language = find()
    with store.writing(key) as record:
        record.write_text(json.dumps({"language": language, "words": [asdict(word) for word in said]}))
    return said, language, True


def _spread_over(turns: Sequence[Turn], duration: float) -> list[Turn]:
    """A transcript without times: every turn takes the share of the recording that its letters have of the text."""
    letters = [max(len(turn.text), 1) for turn in turns]
    edges = np.concatenate([[0], np.cumsum(letters)]) * (duration / sum(letters))
    return [
        replace(turn, start=float(start), end=float(end))
        for turn, start, end in zip(turns, edges, edges[1:], strict=False)
    ]


def _names(turns: "Sequence[SpeakerTurn]", said: Sequence[SpokenWord], labels: Sequence[str] = ()) -> dict[str, str]:
    """A name for each of the diarizer's labels: the transcript's where both agree on who speaks, else `Speaker 1` ...

    Args:
        turns: one at a time.
        labels: of all turns, in order; those who only speak while somebody else does are in no exclusive turn.
    """
    together: dict[tuple[str, str], float] = defaultdict(float)
    for word in said:
        if word.speaker is not None:
            for turn in turns:
                overlap = min(turn.end, word.end) - max(turn.start, word.start)
                if overlap > 0:
                    together[turn.speaker, word.speaker] += overlap
    names: dict[str, str] = {}
    for (label, name), _ in sorted(together.items(), key=lambda item: (-item[1], item[0])):
        if label not in names and name not in names.values():
            names[label] = name
    number = 0
    for label in dict.fromkeys(labels or [turn.speaker for turn in turns]):
        if label in names:
            continue
        if re.fullmatch(r"SPEAKER_\d+", label):
            number += 1
            names[label] = _unused(f"Speaker {number}", names)
        else:
            names[label] = _unused(_shown(label), names)
    return names


def _shown(name: str) -> str:
    shown = display_name(name)
    if name_fault(shown):
        shown = re.sub(r"[:=()<>：（）]+", " ", shown)
        shown = tidy(shown)[:60].strip()
    return shown if not name_fault(shown) else f"Speaker {shown}"[:60].strip()


def _unused(name: str, names: dict[str, str]) -> str:
    while name in names.values():
        name += "'"
    return name


def _pitch(samples: "Sound", turns: "Sequence[SpeakerTurn]", names: dict[str, str]) -> dict[str, str | None]:
    from models.speech.voice_profile import ENOUGH, voice_profile

    pitch: dict[str, str | None] = {}
    for label, name in names.items():
        own = []
        seconds = 0.0
        for turn in turns:
            if turn.speaker == label and seconds < ENOUGH:
                own.append(samples[round(turn.start * RATE) : round(turn.end * RATE)])
                seconds += turn.end - turn.start
        pitch[name] = voice_profile(np.concatenate(own), RATE).pitch_class if own else None
    return pitch


def _store_sound(store: ArtifactStore, samples: "Sound", span: Span, fps: int) -> str:
    """The sound that is heard while the span's frames are shown, filled up with silence at the recording's end."""
    from media.audio import wav_bytes

    start = sample_at(span.start_frame, RATE, fps)
    length = sample_at(span.frames, RATE, fps)
    piece = samples[start : start + length]
    return store.put_bytes(wav_bytes(np.pad(piece, (0, length - len(piece))), RATE), "audio", ".wav")


def _key_of(kind: str, source: Source, facts: Sequence[Any]) -> str:
    """Artifact key of a part of what is heard: everything that changes it."""
    digest = hashlib.sha256(f"{kind}/1\n{source.sha256} {json.dumps(facts, sort_keys=True)}".encode()).hexdigest()
    return f"{kind}/{digest}.json"


def _key(source: Source, request: ProductionRequest, fps: int) -> str:
    """Everything that changes what is heard. Engines are named by what `auto` means here and now."""
    from models.speech.engines import aligner, diarizer, transcriber

    def version(find: Callable[[], Any]) -> list[str] | None:
        engine = find()
        return None if engine is None else [engine.name, engine.version]

    def content(path: str | None) -> str | None:
        return None if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()

    asked = source.spoken
    facts = {
        "recording": source.sha256,
        "fps": fps,
        "language": asked,
        "counts": request.speakers.model_dump(),
        "rttm": content(request.rttm),
        "transcript": content(source.transcript),
        "diarization": None if request.rttm else version(lambda: diarizer(request.engine("diarization"))),
        "transcription": None if source.transcript else version(lambda: transcriber(request.engine("transcription"))),
        "alignment": version(lambda: aligner(request.engine("alignment"), asked or "en"))
        if source.transcript
        else None,
    }
    digest = hashlib.sha256(b"hearing/4\n" + json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return f"hearings/{digest}.json"


def _from_json(record: dict[str, Any]) -> Heard:
    found = record["performance"]
    timeline, dialogue = found["timeline"], found["dialogue"]
    return Heard(
        performance=Performance(
            dialogue=Dialogue(dialogue["language"], tuple(Turn(**turn) for turn in dialogue["turns"])),
            timeline=Timeline(**timeline | {"spans": tuple(Span(**span) for span in timeline["spans"])}),
            audio=tuple(found["audio"]),
            words=tuple(tuple(SpokenWord(**word) for word in words) for words in found["words"]),
            engines=found["engines"],
            dc_offset=found["dc_offset"],
        ),
        pitch=record["pitch"],
        notes=tuple(record["notes"]),
        diarization=tuple((speaker, start, end) for speaker, start, end in record["diarization"]),
        sound=SoundCheck(**record["sound"]),
    )
