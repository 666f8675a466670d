"""Clips and sound become a finished video with its captions, published whole or not at all.

A video is an artifact, too, under everything that goes into it: when nothing changed, it is only copied.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from media import results
from media.caption_profiles import profile_of
from media.captions import Cue, caption_cues, to_json, to_srt, to_vtt
from media.errors import LostArtifactError
from media.provenance import video_metadata
from media.segment import Clip
from tasks import workspace
from tasks.casting import CastSpeaker, layout_of, use_of
from tasks.performance import SOUND_RATE, Performance
from tasks.progress import Advance
from tasks.rendering import clip_key
from tasks.request import ProductionRequest
from tasks.segments import PlannedSegment
from tasks.sources import Source
from tasks.speeds import record_speed

STAGE = "Assemble the video"
COMPOSING_SPEED = "assemble"
"""What seconds of work per second of video are recorded under."""
DEFAULT_COMPOSING = 0.5

_RECIPE = b"assembly/2\n"
"""Changes when videos would look or sound different though all of their parts are the same."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A finished video in the result folder."""

    video: str
    captions: tuple[str, ...]
    """The .vtt, .srt and .json; empty when none were asked for or nothing is known of what is said."""
    seconds: float
    key: str
    """Artifact key of the video."""
    cached: bool
    """Whether it had been assembled before."""


def cues_of(request: ProductionRequest, performance: Performance) -> tuple[Cue, ...]:
    """The captions that are asked for; none where nobody knows what is said.

    Raises:
        InputError: more is said in a turn than can be shown.
    """
    if request.captions == "none":
        return ()
    turns = performance.dialogue.turns
    said = [index for index, turn in enumerate(turns) if turn.text]
    words = [performance.words[index] for index in said] if performance.words else None
    return caption_cues(
        [turns[index] for index in said],
        words,
        profile_of(performance.language),
        performance.timeline.fps,
        performance.seconds,
    )


def assemble(
    request: ProductionRequest,
    source: Source,
    performance: Performance,
    cues: Sequence[Cue],
    cast: Sequence[CastSpeaker],
    planned: Sequence[PlannedSegment],
    clips: Mapping[str, Clip],
    advance: Advance = lambda seconds: None,
) -> Assembled:
    """Put one language's video together, and publish it with its captions in the result folder.

    Whether the portraits may be used is asked before the work, and once more in the moment of publishing, which is put
    on record with the consents on which it rests. What was published before a revocation stays where it is.

    Args:
        planned: the segments of this language, and the idle ones.
        clips: by segment key; all of them.
        advance: called with the seconds of video done.

    Raises:
        InputError: the result folder cannot be written to, or a caption cannot be drawn.
        StorageError: a disk is full, or what is kept elsewhere does not answer.
        LostArtifactError: clips were not in the artifact store any more, or damaged.
        RenderError: a clip is damaged.
        RightsError: a portrait may not be used any more, or not for this; nothing is published.
    """
    _require_rights(request, performance.language, cast)
    began = time.perf_counter()
    store = workspace.store()
    burnt = tuple(cues) if request.captions in ("burn", "both") else ()
    title = f"DRAFT: {source.title}" if request.draft else source.title
    metadata = video_metadata(title, performance.language, source.production_id)
    key = _key(request, source, performance, burnt, cast, planned, metadata)
    finished = store.find(key)
    if finished is None:
        with workspace.scratch_file(".wav") as sound, store.writing(key) as path:
            _write_sound(source, performance, sound)
            _compose(request, source, performance, burnt, cast, planned, sound, metadata, path, advance)
        record_speed(COMPOSING_SPEED, performance.seconds, time.perf_counter() - began)
    advance(performance.seconds)
    out = str(request.out)
    name = f"{source.name}.{performance.language}{'.draft' if request.draft else ''}"
    video = results.place(out, f"{name}.mp4")
    results.publish(
        finished or store.fetch(key),
        out,
        f"{name}.mp4",
        lambda: _record(request, source, performance.language, cast, key, video),
    )
    captions = []
    if cues and request.captions in ("sidecar", "both"):
        profile = profile_of(performance.language)
        texts = {
            ".vtt": to_vtt(cues, performance.language),
            ".srt": to_srt(cues, profile),
            ".json": to_json(cues),
        }
        for suffix, text in texts.items():
            captions.append(results.place(out, name + suffix))
            with results.writing(out, name + suffix) as draft:
                draft.write_text(text, encoding="utf-8")
    return Assembled(video, tuple(captions), performance.seconds, key, finished is not None)


def _compose(
    request: ProductionRequest,
    source: Source,
    performance: Performance,
    cues: tuple[Cue, ...],
    cast: Sequence[CastSpeaker],
    planned: Sequence[PlannedSegment],
    sound: Path,
    metadata: dict[str, str],
    path: Path,
    advance: Advance,
) -> None:
    from media.layouts import Composition, Screen, Shot, compose

    store = workspace.store()
    # Where they are elsewhere, they come side by side; and all of them are looked at before any is said to be lost.
    with ThreadPoolExecutor(8) as pool:
        found = dict(zip(planned, pool.map(lambda one: store.find(clip_key(one.key)), planned), strict=True))
    lost = {one.key: one.job.label for one, path in found.items() if path is None}
    if lost:
        raise LostArtifactError(
            f"{', '.join(lost.values())}: the clip is not in the artifact store at {store.root} any more, or was damaged; "
            "run the same command again to render it anew."
        )
    idle = {one.speaker: one for one in planned if one.turn is None}
    number = {person.speaker: index for index, person in enumerate(cast)}
    spans = performance.timeline.spans
    composition = Composition(
        layout=layout_of(request, source),
        aspect=request.aspect,
        fps=performance.timeline.fps,
        frames=performance.timeline.frames,
        speakers=tuple(
            Screen(
                name=person.speaker,
                portrait=store.fetch(person.picture),
                idle=store.fetch(clip_key(idle[person.speaker].key)) if person.speaker in idle else None,
                face=person.face,
            )
            for person in cast
        ),
        shots=tuple(
            Shot(
                number[one.speaker], spans[one.turn].start_frame, spans[one.turn].frames, store.fetch(clip_key(one.key))
            )
            for one in planned
            if one.turn is not None
        ),
        sound=sound,
        cues=cues,
        title=metadata["title"],
        metadata=metadata,
        draft=request.draft,
    )
    compose(composition, path, lambda frames: advance(frames / performance.timeline.fps))


def _write_sound(source: Source, performance: Performance, path: Path) -> None:
    """The sound track: 48 kHz mono, as long as the picture, at -16 LUFS. Memory does not grow with its length."""
    from media.audio import audio_blocks, read_audio, write_wav
    from media.long_sound import LongSound
    from media.loudness import normalised

    store = workspace.store()
    with LongSound(workspace.scratch()) as track:
        if performance.sounds:
            for span, key in zip(performance.timeline.spans, performance.sounds, strict=True):
                track.mix(read_audio(store.fetch(key), SOUND_RATE), span.start_sample)
        else:
            for block in audio_blocks(Path(source.path), SOUND_RATE):
                track.append(block - performance.dc_offset)
        track.extend_to(performance.timeline.samples)
        write_wav(path, normalised(track, SOUND_RATE), SOUND_RATE)


def _key(
    request: ProductionRequest,
    source: Source,
    performance: Performance,
    cues: Sequence[Cue],
    cast: Sequence[CastSpeaker],
    planned: Sequence[PlannedSegment],
    metadata: Mapping[str, str],
) -> str:
    """Artifact key of the video: a hash of everything that it is made of."""
    timeline = performance.timeline

    def span(index: int | None) -> dict[str, int] | None:
        return None if index is None else asdict(timeline.spans[index])

    facts = {
        "layout": layout_of(request, source),
        "aspect": request.aspect,
        "fps": timeline.fps,
        "frames": timeline.frames,
        "speakers": [[person.speaker, person.picture] for person in cast],
        "clips": [[one.speaker, one.key, span(one.turn)] for one in planned],
        "sound": list(performance.sounds) or [source.sha256, f"less {performance.dc_offset}"],
        "cues": [asdict(cue) for cue in cues],
        "metadata": dict(metadata),
    }
    digest = hashlib.sha256(_RECIPE + json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return f"videos/{digest}.mp4"


def _require_rights(request: ProductionRequest, language: str, cast: Sequence[CastSpeaker]) -> None:
    from catalog.portraits import find_portrait
    from catalog.rights import require_rights
    from catalog.session import session_factory

    use = use_of(request, (language,))
    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        for person in cast:
            require_rights(session, find_portrait(session, person.portrait), use=use)


def _record(
    request: ProductionRequest, source: Source, language: str, cast: Sequence[CastSpeaker], key: str, video: str
) -> None:
    from catalog.rights import Shown, record_appearances
    from catalog.session import session_factory

    with session_factory(workspace.catalog()).begin() as session:
        record_appearances(
            session,
            [Shown(person.speaker, person.portrait) for person in cast],
            production_id=source.production_id,
            language=language,
            video=video,
            video_key=key,
            use=use_of(request, (language,)),
        )
