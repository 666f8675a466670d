"""Two people who talk at once are both heard, and both faces move."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from media.audio import read_audio, resample, write_wav
from media.dialogue import Turn
from media.rttm import write_rttm
from media.video import read_frames
from models.speech.espeak import EspeakSynthesizer
from models.speech.protocols import SpeakerTurn
from tasks import assembling, casting, hearing, rendering, segments, workspace
from tasks.bookkeeping import write_record
from tasks.hearing import SpokenWord, _names, merged, words_of_turns
from tasks.request import checked_request
from tasks.sources import read_source

RATE = 16_000


@pytest.fixture(scope="module")
def quarrel(tmp_path_factory: pytest.TempPathFactory, seeded_home: Path) -> tuple[Path, Path]:
    """A recording in which Bob begins while Ann is still speaking; and who speaks when."""
    folder = tmp_path_factory.mktemp("quarrel")
    shutil.copytree(seeded_home, folder / "home")
    engine = EspeakSynthesizer()
    ann, bob = (
        resample(speech.samples, speech.sample_rate, RATE)
        for voice, text in zip(
            engine.voices("en", 2, ["feminine", "masculine"]),
            ("I am telling you that this is how it was.", "No, no, that is not how it was at all."),
            strict=True,
        )
        for speech in [engine.speak(text, "en", voice)]
    )
    begins = round(0.5 * len(ann))
    sound = np.zeros(begins + len(bob) + RATE // 2, np.float32)
    sound[: len(ann)] += ann
    sound[begins : begins + len(bob)] += bob
    write_wav(folder / "quarrel.wav", sound, RATE)
    turns = [
        Turn("Ann", "", 0.0, round(len(ann) / RATE, 3)),
        Turn("Bob", "", round(begins / RATE, 3), round((begins + len(bob)) / RATE, 3)),
    ]
    (folder / "who.rttm").write_text(write_rttm(turns, "quarrel"))
    return folder / "quarrel.wav", folder / "who.rttm"


@pytest.mark.parametrize("layout", ["gallery", "duet"])
def test_both_voices_are_heard_and_both_faces_move_while_two_speak(
    quarrel: tuple[Path, Path], layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording, rttm = quarrel
    monkeypatch.setenv("PORTRAYAL_HOME", str(recording.parent / "home"))  # the clips of one layout serve the other
    request = checked_request(
        source=str(recording), out=str(tmp_path / "out"), rttm=str(rttm), layout=layout,
        engines={"render": "draft"}, captions="none",
    )  # fmt: skip
    source = read_source(request)
    fps = segments.frames_per_second(request)
    found = hearing.hear(source, request, fps)
    performance = found.performance
    first, second = performance.timeline.spans
    assert [turn.speaker for turn in performance.dialogue.turns] == ["Ann", "Bob"]
    both = range(second.start_frame + 2, first.start_frame + first.frames - 2)
    assert len(both) > fps // 2, "the spans do not overlap"
    # What the renderer hears during the overlap is the mixed recording, in both segments.
    heard = read_audio(recording, RATE)
    for span, key in zip(performance.timeline.spans, performance.audio, strict=True):
        audio = read_audio(workspace.store().fetch(key), RATE)
        start = round(span.start_frame / fps * RATE)
        np.testing.assert_allclose(audio[: len(heard) - start], heard[start : start + len(audio)], atol=1e-3)

    cast = casting.cast_portraits(request, source, performance.dialogue)
    planned = segments.plan_segments(request, performance, cast, listeners=True)
    with rendering.renderers(0) as renderers:
        clips = {
            one.key: rendering.find_clip(workspace.store(), one.key) or renderers.render(one.job) for one in planned
        }
    made = assembling.assemble(request, source, performance, (), cast, planned, clips)

    record = write_record(
        request, source, cast, [performance], planned, clips, {performance.language: made}, {}, found, {}, 0.0
    ).record
    assert record["source_sound"]["findings"] == list(found.sound.findings)
    assert record["source_sound"]["sample_rate"] == RATE and record["source_sound"]["clipped"] == 0

    frames = [frame[::2, ::2].astype(int) for frame in read_frames(Path(made.video))]
    half = frames[0].shape[1] // 2
    for side in (slice(0, half), slice(half, None)):
        moved = [np.abs(frames[at][:, side] - frames[at - 1][:, side]).mean() for at in both]
        assert np.median(moved) > 0.05, f"nobody moves in {side}"
    # Each of them moves far more while they speak than while they listen, and so does Bob before he has begun.
    alone = range(6, second.start_frame - 6)
    listening = [mouth_movement(frames, at, slice(half, None)) for at in alone]
    speaking = [mouth_movement(frames, at, slice(half, None)) for at in both]
    assert np.mean(speaking) > 1.5 * np.mean(listening)

    # The sound of the video is the recording, louder: both voices at once.
    video = read_audio(Path(made.video), RATE)[: len(heard)]
    overlap = slice(round(both[0] / fps * RATE), round(both[-1] / fps * RATE))
    assert np.corrcoef(video[overlap], heard[: len(video)][overlap])[0, 1] > 0.95


def mouth_movement(frames: list[np.ndarray], at: int, side: slice) -> float:
    """How much the most moving tenth of one side changes between two frames."""
    change = np.abs(frames[at][:, side] - frames[at - 1][:, side]).sum(axis=2).ravel()
    return float(np.sort(change)[-len(change) // 10 :].mean())


def test_stretches_of_one_speaker_are_joined_across_nobodys_pause_only() -> None:
    turns = [
        SpeakerTurn("a", 0.0, 2.0),
        SpeakerTurn("b", 1.5, 3.0),
        SpeakerTurn("a", 2.2, 4.0),
        SpeakerTurn("b", 3.2, 5.0),
    ]
    # B speaks while A pauses, and A while B does: nothing is joined, and everything overlaps as it did.
    assert merged(turns) == turns
    quiet = [SpeakerTurn("a", 0.0, 2.0), SpeakerTurn("b", 0.5, 1.0), SpeakerTurn("a", 2.2, 4.0)]
    assert merged(quiet) == [SpeakerTurn("a", 0.0, 4.0), SpeakerTurn("b", 0.5, 1.0)]


def test_where_two_speak_a_word_goes_to_whoever_has_the_floor() -> None:
    turns = [SpeakerTurn("s0", 0.0, 4.0), SpeakerTurn("s1", 3.0, 6.0)]
    floor = [SpeakerTurn("s0", 0.0, 3.0), SpeakerTurn("s1", 3.0, 6.0)]
    names = {"s0": "Ann", "s1": "Bob"}
    said = [SpokenWord("one", 2.0, 2.4), SpokenWord("two", 3.3, 3.6), SpokenWord("three", 3.3, 3.6, "Ann")]
    words = words_of_turns(turns, said, names, floor)
    assert [[word.text for word in spoken] for spoken in words] == [["one", "three"], ["two"]]


def test_whoever_only_speaks_while_somebody_else_does_has_a_name() -> None:
    floor = [SpeakerTurn("SPEAKER_00", 0.0, 4.0)]
    assert _names(floor, [], ["SPEAKER_00", "SPEAKER_01"]) == {"SPEAKER_00": "Speaker 1", "SPEAKER_01": "Speaker 2"}
