"""How presenters move: lips follow phonemes, the head follows the sound, chance only adds what nobody would miss."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.avatars.drawing import POSE_FIELDS
from models.avatars.motion import (
    MAX_PITCH,
    MAX_ROLL,
    MAX_YAW,
    MOUTH_FIELDS,
    head_speed,
    motion_track,
    mouth_track,
    prosody_track,
)
from models.idle import idle_motion
from models.speech.protocols import Phoneme, Samples

FPS = 25
RATE = 16000
COLUMN = {name: i for i, name in enumerate(MOUTH_FIELDS)}


def said(*symbols: str, each: float = 0.12, pause: float = 0.3) -> list[Phoneme]:
    """A pause, the symbols one after the other, and a pause."""
    times = [pause + i * each for i in range(len(symbols))]
    phonemes = [Phoneme(s, t) for s, t in zip(symbols, times, strict=True)]
    return [Phoneme("", 0.0), *phonemes, Phoneme("", pause + len(symbols) * each)]


def speech(seconds: float, seed: int = 0) -> Samples:
    """Noise with the rhythm of syllables and sentences; silent from the middle for a second."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    rhythm = (0.5 + 0.5 * np.sin(2 * np.pi * 4.3 * t)) * np.clip(
        0.6 + 0.5 * np.sin(2 * np.pi * 0.45 * t + seed), 0.05, 1
    )
    tone = np.sin(2 * np.pi * (140 + 30 * np.sin(2 * np.pi * 0.7 * t)) * t)
    sound = (0.2 * tone + 0.15 * rng.normal(size=len(t)) * (0.5 + 0.5 * np.sin(2 * np.pi * 0.9 * t))) * rhythm
    sound[(t > seconds / 2) & (t < seconds / 2 + 1)] = 0
    return sound.astype(np.float32)


def peak(symbol: str, field: str) -> float:
    return float(mouth_track(said(symbol, each=0.2), 1.0, FPS)[:, COLUMN[field]].max())


def test_the_track_has_one_row_a_frame() -> None:
    assert mouth_track(said("a"), 2.0, FPS).shape == (50, 7)
    assert mouth_track([], 0.01, FPS).shape == (1, 7)
    assert mouth_track(said("a"), 2.0, FPS).dtype == np.float32


def test_silence_is_a_closed_mouth() -> None:
    assert not mouth_track([Phoneme("", 0.0)], 1.0, FPS).any()
    track = mouth_track(said("a", "s", "o"), 2.0, FPS)
    assert track[:4].max() < 0.01
    assert track[-20:].max() < 0.01


@pytest.mark.parametrize("lips", ["p", "b", "m", "pʰ", "mː", "bʲ"])
@pytest.mark.parametrize("offset", [0.0, 0.01, 0.02, 0.03])
def test_lips_close_for_a_bilabial_however_short(lips: str, offset: float) -> None:
    phonemes = [Phoneme("", 0), Phoneme("a", 0.3), Phoneme(lips, 0.5 + offset), Phoneme("a", 0.54 + offset)]
    track = mouth_track(phonemes, 1.2, FPS)
    closed = np.flatnonzero(track[:, COLUMN["press"]] == 1)
    assert len(closed) >= 1
    assert (track[closed, COLUMN["open"]] == 0).all()
    assert abs(closed[0] / FPS - 0.5) < 0.08


def test_f_and_v_tuck_the_lip_and_never_press() -> None:
    for symbol in ("f", "v"):
        assert peak(symbol, "tuck") > 0.9
        assert peak(symbol, "press") == 0


def test_vowels_have_their_shapes() -> None:
    assert peak("a", "open") > 0.8 > peak("e", "open") > peak("i", "open")
    assert peak("i", "wide") > 0.8 and peak("i", "round") == 0
    assert peak("u", "round") > 0.8 and peak("u", "wide") == 0
    assert peak("o", "round") > 0.6
    assert peak("s", "teeth") > 0.9
    assert peak("l", "tongue") > 0.9


def test_marks_on_a_letter_do_not_hide_it() -> None:
    plain = mouth_track(said("a"), 1.0, FPS)
    for marked in ("ˈa", "aː", "ã", "a\u0303", "ˌaˑ"):
        assert np.array_equal(mouth_track(said(marked), 1.0, FPS), plain), marked


def test_a_lone_length_mark_prolongs_the_sound_before_it() -> None:
    long_ = mouth_track([Phoneme("a", 0.3), Phoneme("ː", 0.5), Phoneme("", 0.7)], 1.0, FPS)
    assert np.array_equal(long_, mouth_track([Phoneme("a", 0.3), Phoneme("", 0.7)], 1.0, FPS))


def test_a_diphthong_and_an_affricate_pass_through_both_parts() -> None:
    track = mouth_track(said("aʊ", each=0.3), 1.0, FPS)
    assert track[:, COLUMN["open"]].argmax() < track[:, COLUMN["round"]].argmax()
    assert peak("t͡ʃ", "round") > 0.2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(
                alphabet=st.characters(min_codepoint=0x41, max_codepoint=0x2FF) | st.sampled_from("ˈː\u0303ɛ̃ŋʘǃ한あ"),
                max_size=3,
            ),
            st.floats(0, 3),
        ),
        max_size=12,
    )
)
def test_any_symbol_in_any_order_gives_a_mouth_within_bounds(symbols: list[tuple[str, float]]) -> None:
    track = mouth_track([Phoneme(s, t) for s, t in symbols], 2.0, FPS)
    assert track.shape == (50, 7)
    assert np.isfinite(track).all()
    assert track.min() >= 0 and track.max() <= 1


def test_an_unknown_letter_still_moves_the_mouth() -> None:
    assert 0 < peak("ǃ", "open") < 0.5


def test_lips_move_before_the_sound() -> None:
    track = mouth_track(said("a", each=0.4), 1.2, FPS)[:, COLUMN["open"]]
    middle = (np.flatnonzero(track > 0.4)[[0, -1]].mean() + 0.5) / FPS
    assert middle == pytest.approx(0.5 - 0.03, abs=0.015)


def test_prosody_is_still_in_silence_and_bounded_in_speech() -> None:
    assert not prosody_track(np.zeros(RATE * 3, np.float32), RATE, 75, FPS).any()
    assert prosody_track(np.zeros(3, np.float32), RATE, 5, FPS).shape == (5, 3)
    track = prosody_track(speech(8), RATE, 200, FPS)
    assert track.shape == (200, 3) and track.dtype == np.float32
    assert np.abs(track).max() <= 1
    assert track.std(axis=0).min() > 0.1
    assert np.abs(track[113:117]).max() < 0.12


def test_prosody_depends_on_the_sound_and_not_on_its_volume() -> None:
    sound = speech(8)
    track = prosody_track(sound, RATE, 200, FPS)
    assert np.array_equal(track, prosody_track(sound, RATE, 200, FPS))
    assert np.abs(track - prosody_track(sound * np.float32(0.3), RATE, 200, FPS)).max() < 0.05
    assert np.abs(track - prosody_track(speech(8, seed=3), RATE, 200, FPS)).max() > 0.3


def test_prosody_is_smooth() -> None:
    track = prosody_track(speech(10), RATE, 250, FPS)
    assert np.abs(np.diff(track, axis=0)).max() < 0.3


def test_prosody_does_not_depend_on_the_sample_rate() -> None:
    from scipy.signal import resample_poly

    sound = speech(8)
    double = resample_poly(sound, 3, 2).astype(np.float32)
    difference = prosody_track(sound, RATE, 200, FPS) - prosody_track(double, 24000, 200, FPS)
    assert np.abs(difference).max() < 0.15


def idle(frames: int, seed: int) -> np.ndarray:
    return idle_motion(frames, FPS, np.random.default_rng(seed))


def moved(amplitude: float, seed: int = 1, seconds: float = 12) -> np.ndarray:
    frames = round(seconds * FPS)
    mouth = np.zeros((frames, 7), np.float32)
    return motion_track(speech(seconds), RATE, mouth, FPS, idle(frames, seed), amplitude)


def test_motion_is_a_full_pose_a_frame_that_starts_near_the_reference() -> None:
    mouth = mouth_track(said("m", "a", "m", "a"), 2.0, FPS)
    track = motion_track(speech(2), RATE, mouth, FPS, idle(50, 0), 1.0)
    assert track.shape == (50, 23) and track.dtype == np.float32
    assert np.array_equal(track[:, :7], mouth)
    assert np.abs(track[0, 7:10]).max() < 0.5
    assert np.abs(track[0, 10:]).max() < 0.05


def test_the_same_seed_moves_the_same_way() -> None:
    assert np.array_equal(moved(1.0), moved(1.0))
    assert not np.array_equal(moved(1.0, seed=1), moved(1.0, seed=2))


def test_the_head_follows_the_sound_whatever_chance_says() -> None:
    first, second = moved(1.0, seed=1), moved(1.0, seed=2)
    for column in (7, 8, 9):
        assert np.corrcoef(first[:, column], second[:, column])[0, 1] > 0.8


def test_the_head_stays_within_its_range() -> None:
    track = moved(1.5, seconds=20)
    for column, most in ((7, MAX_YAW), (8, MAX_PITCH), (9, MAX_ROLL)):
        assert np.abs(track[:, column]).max() <= 1.5 * most + 1.4
    assert np.abs(track[:, 10:12]).max() < 0.02


def test_a_larger_amplitude_turns_the_head_faster() -> None:
    speeds = [float(head_speed(moved(a), FPS).mean()) for a in (0, 0.25, 0.5, 1.0, 1.5)]
    assert speeds == sorted(speeds)
    assert speeds[0] < 1  # it sways
    assert len(set(speeds)) == len(speeds)


def test_head_speed_is_in_degrees_a_second() -> None:
    poses = np.zeros((50, 23), np.float32)
    poses[:, 7] = np.arange(50) * 3 / FPS
    poses[:, 8] = np.arange(50) * 4 / FPS
    speed = head_speed(poses, FPS)
    assert speed.shape == (50,) and speed.dtype == np.float32
    assert np.allclose(speed, 5, atol=1e-3)
    assert head_speed(poses[:1], FPS).tolist() == [0]


def test_blinks_are_short_complete_and_every_few_seconds() -> None:
    seconds = 120
    mouth = np.zeros((seconds * FPS, 7), np.float32)
    track = motion_track(np.zeros(seconds * RATE, np.float32), RATE, mouth, FPS, idle(seconds * FPS, 5), 1.0)
    blink = track[:, 12]
    starts = np.flatnonzero((blink[1:] > 0) & (blink[:-1] == 0))
    assert 2.2 < seconds / len(starts) < 4.6
    assert blink.max() == 1 and blink.min() == 0
    assert (blink > 0).mean() < 0.12


def test_a_listener_breathes_and_blinks_but_does_not_speak() -> None:
    mouth = np.zeros((250, 7), np.float32)
    track = motion_track(np.zeros(10 * RATE, np.float32), RATE, mouth, FPS, idle(250, 6), 1.0)
    assert not track[:, :7].any()
    assert 0 < np.abs(track[:, 7:10]).max() <= 1.3
    assert track[:, 11].std() > 0


def test_shoulders_follow_the_head_with_a_lag() -> None:
    track = moved(1.0)
    yaw, body = np.sin(np.radians(track[:, 7])), track[:, POSE_FIELDS.index("body_x")] - 0.4 * track[:, 10]
    lags = [np.corrcoef(yaw[: len(yaw) - k], body[k:])[0, 1] for k in range(12)]
    assert 2 <= int(np.argmax(lags)) <= 8


def test_hanging_hair_stays_behind_while_the_head_turns() -> None:
    track = moved(1.0)
    turning, hair = np.gradient(track[:, 7]), track[:, POSE_FIELDS.index("hair_x")]
    assert np.corrcoef(turning, hair)[0, 1] < -0.5
    assert 0.002 < np.abs(hair).max() < 0.03
