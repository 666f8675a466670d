"""How a presenter moves while speaking: lips from phonemes, head and brows from the sound, the rest from idle motion.

What follows the sound does so alone and deterministically, so that a model can learn it; `models.idle` adds what the sound
does not tell.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from models.avatars.drawing import POSE_FIELDS
from models.speech.protocols import Phoneme, Samples

Track = NDArray[np.float32]

MOUTH_FIELDS = POSE_FIELDS[:7]
MAX_YAW, MAX_PITCH, MAX_ROLL = 9.0, 6.0, 4.0
"""Degrees at amplitude 1 and prosody 1."""

_ANTICIPATION = 0.030
_SIGMAS = (0.036, 0.060, 0.060, 0.036, 0.036, 0.016, 0.016)
"""Seconds of smoothing of each mouth column."""
_RATE = 250

Shape = tuple[float, float, float, float, float, float, float]
_REST: Shape = (0, 0, 0, 0, 0, 0, 0)
_CONSONANT: Shape = (0.22, 0.1, 0, 0.3, 0.2, 0, 0)

# open, wide, round, teeth, tongue, press, tuck
_SHAPES: dict[str, Shape] = {}
for _symbols, _shape in (
    ("aɑ", (0.92, 0.20, 0, 0.15, 0, 0, 0)),
    ("ɐʌ", (0.68, 0.15, 0, 0.15, 0, 0, 0)),
    ("æ", (0.78, 0.55, 0, 0.30, 0, 0, 0)),
    ("ɒ", (0.72, 0, 0.50, 0.05, 0, 0, 0)),
    ("ɛ", (0.56, 0.50, 0, 0.25, 0, 0, 0)),
    ("e", (0.42, 0.65, 0, 0.30, 0.05, 0, 0)),
    ("əɘɤ", (0.36, 0.15, 0, 0.15, 0.05, 0, 0)),
    ("ɜɞ", (0.45, 0.10, 0.15, 0.15, 0.05, 0, 0)),
    ("ɚɝ", (0.38, 0, 0.30, 0.15, 0.15, 0, 0)),
    ("i", (0.17, 1.00, 0, 0.45, 0.10, 0, 0)),
    ("ɪ", (0.27, 0.65, 0, 0.30, 0.05, 0, 0)),
    ("ɨɯᵻ", (0.22, 0.45, 0, 0.25, 0.05, 0, 0)),
    ("yʏ", (0.16, 0, 0.90, 0.05, 0.05, 0, 0)),
    ("ʉ", (0.18, 0, 0.85, 0, 0, 0, 0)),
    ("u", (0.16, 0, 1.00, 0, 0, 0, 0)),
    ("ʊ", (0.26, 0, 0.75, 0, 0, 0, 0)),
    ("o", (0.42, 0, 0.85, 0, 0, 0, 0)),
    ("ɔ", (0.62, 0, 0.60, 0, 0, 0, 0)),
    ("øɵ", (0.32, 0, 0.80, 0.05, 0, 0, 0)),
    ("œɶ", (0.48, 0, 0.62, 0.05, 0, 0, 0)),
    ("pbmɓʙ", (0, 0, 0, 0, 0, 1.00, 0)),
    ("ɸβ", (0.06, 0, 0.20, 0, 0, 0.55, 0)),
    ("fvɱʋⱱ", (0.10, 0.10, 0, 0.60, 0, 0, 1.00)),
    ("wʍɥ", (0.10, 0, 1.00, 0, 0, 0, 0)),
    ("szɬɮ", (0.10, 0.45, 0, 1.00, 0, 0, 0)),
    ("ʃʒʂʐɕʑɧ", (0.16, 0, 0.55, 0.85, 0, 0, 0)),
    ("θð", (0.18, 0.15, 0, 0.50, 0.95, 0, 0)),
    ("tdnʈɖɳɗᶑ", (0.17, 0.15, 0, 0.50, 0.55, 0, 0)),
    ("lɫɭʎʟɺ", (0.26, 0.15, 0, 0.30, 1.00, 0, 0)),
    ("rɾɽ", (0.24, 0.10, 0, 0.30, 0.75, 0, 0)),
    ("ɹɻɰ", (0.20, 0, 0.45, 0.20, 0.35, 0, 0)),
    ("jɲcɟçʝʄ", (0.17, 0.60, 0, 0.40, 0.15, 0, 0)),
    ("kgɡxɣqɢŋɴχʁʀɠʛ", (0.26, 0.10, 0, 0.15, 0.10, 0, 0)),
    ("hɦħʕʔʜʢ", (0.30, 0.10, 0, 0.10, 0, 0, 0)),
):
    for _symbol in _symbols:
        _SHAPES[_symbol] = _shape


def _shapes(ipa: str) -> list[Shape]:
    """The mouth shapes one symbol passes through: two for a diphthong or an affricate, none for marks alone."""
    found: list[Shape] = []
    for char in unicodedata.normalize("NFC", ipa):
        base = char if char in _SHAPES else unicodedata.normalize("NFD", char)[0].lower()
        if base in _SHAPES:
            found.append(_SHAPES[base])
        elif unicodedata.category(char) in ("Ll", "Lu", "Lo"):
            found.append(_CONSONANT)
    return found


def _blur(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Gaussian smoothing along the first axis; `sigma` in samples."""
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(values, max(sigma, 1e-3), axis=0, mode="nearest")


def mouth_track(phonemes: Sequence[Phoneme], duration: float, fps: int) -> Track:
    """Phonemes with their start times to mouth shapes: float32 (frames, 7) in [0, 1], columns as in `MOUTH_FIELDS`.

    Symbols are matched by their base letter; an unknown letter is a light consonant, an empty symbol a closed mouth.
    The mouth moves 30 ms ahead of the sound, and every closure of the lips reaches at least one frame.
    """
    frames = max(1, round(duration * fps))
    count = max(2, int(np.ceil(frames / fps * _RATE)) + 1)
    target = np.zeros((count, 7))
    closures: list[float] = []
    ordered = sorted(phonemes, key=lambda p: p.start)
    shape: list[Shape] = []
    for i, phoneme in enumerate(ordered):
        end = ordered[i + 1].start if i + 1 < len(ordered) else min(duration, phoneme.start + 0.25)
        found = _shapes(phoneme.ipa)
        # A lone stress or length mark prolongs what came before.
        shape = found or (shape[-1:] if phoneme.ipa.strip() else [_REST])
        if not shape or end <= phoneme.start:
            continue
        step = (end - phoneme.start) / len(shape)
        for k, one in enumerate(shape):
            a, b = phoneme.start + k * step - _ANTICIPATION, phoneme.start + (k + 1) * step - _ANTICIPATION
            target[max(0, round(a * _RATE)) : max(0, round(b * _RATE))] = one
            if one[5] == 1.0:
                closures.append((a + b) / 2)
    for column, sigma in enumerate(_SIGMAS):
        target[:, column] = _blur(target[:, column], sigma * _RATE)
    at = (np.arange(frames) + 0.5) / fps * _RATE
    grid = np.arange(count)
    track = np.stack([np.interp(at, grid, target[:, c]) for c in range(7)], axis=1)
    for moment in closures:
        frame = int(np.clip(np.floor(moment * fps), 0, frames - 1))
        track[frame, 5] = 1.0
        track[frame, 6] = 0.0
    track[:, 0] *= 1 - track[:, 5]
    track[track[:, 5] == 1.0, 0] = 0.0
    return np.clip(track, 0, 1).astype(np.float32)


def prosody_track(samples: Samples, sample_rate: int, frames: int, fps: int) -> Track:
    """What the head does with the sound: float32 (frames, 3) in [-1, 1] as pitch, yaw, roll; zero in silence.

    A deterministic, smooth function of loudness and timbre, normalised over the whole utterance: bursts of loudness
    nod, the slower envelope and the spectral tilt turn and tilt the head.
    """
    out = np.zeros((frames, 3), dtype=np.float32)
    length = max(1, round(0.04 * sample_rate))
    if frames == 0 or len(samples) < length:
        return out
    centres = ((np.arange(frames) + 0.5) / fps * sample_rate).astype(int)
    padded = np.concatenate([np.zeros(length), np.asarray(samples, dtype=np.float64), np.zeros(length)])
    starts = np.clip(centres + length - length // 2, 0, len(padded) - length)
    windows = np.lib.stride_tricks.sliding_window_view(padded, length)[starts] * np.hanning(length)
    power = np.abs(np.fft.rfft(windows, axis=1)) ** 2 / length
    hertz = np.fft.rfftfreq(length, 1 / sample_rate)
    bands = [power[:, (hertz >= a) & (hertz < b)].sum(1) for a, b in ((80, 500), (500, 2000), (2000, 7000))]
    low, mid, high = (10 * np.log10(b + 1e-10) for b in bands)
    loud = 10 * np.log10(sum(bands) + 1e-10)
    peak = float(np.percentile(loud, 98))
    if peak < -60:
        return out
    active = np.clip((loud - (peak - 38)) / 10, 0, 1)
    weight = active.sum() + 1e-6

    def centred(x: NDArray[np.float64]) -> NDArray[np.float64]:
        x = (x - (x * active).sum() / weight) * active
        return x / (np.sqrt((x * x).sum() / weight) + 1.0)

    level = np.clip((loud - (peak - 38)) / 38, 0, 1.2)
    burst = _blur(level, 0.13 * fps) - _blur(level, 0.55 * fps)
    slow = _blur(level, 0.40 * fps) - _blur(level, 1.5 * fps)
    tilt = _blur(centred(high - low), 0.30 * fps)
    bright = _blur(centred(mid - low), 0.26 * fps)
    gate = np.clip(_blur(active, 0.15 * fps) * 1.25, 0, 1)

    def scaled(x: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
        rms = np.sqrt((x * x * active).sum() / weight)
        return np.tanh(0.55 * x / max(float(rms), floor)) * gate

    out[:, 0] = scaled(-burst, 0.05)
    out[:, 1] = scaled(slow / 0.12 + 1.2 * tilt / 0.35, 0.2)
    out[:, 2] = scaled(bright - 0.4 * tilt, 0.1)
    return out


def motion_track(
    samples: Samples,
    sample_rate: int,
    mouth: Track,
    fps: int,
    idle: Track,
    amplitude: float,
) -> Track:
    """The whole movement of somebody who says `samples`; see `poses_of`."""
    return poses_of(mouth, prosody_track(samples, sample_rate, len(mouth), fps), idle, fps, amplitude)


def poses_of(mouth: Track, prosody: Track, idle: Track, fps: int, amplitude: float) -> Track:
    """Float32 (frames, 23) with the columns of `drawing.Pose`.

    Args:
        mouth: (frames, 7), `mouth_track`.
        prosody: (frames, 3), `prosody_track`.
        idle: (frames, 7), `models.idle.idle_motion`.
        amplitude: 0..2, scales what the head does with the sound; lips and idle motion do not change.
    """
    frames = len(mouth)
    told = prosody.astype(np.float64)
    blink, gaze_x, gaze_y, yaw, pitch, roll, breath = idle.astype(np.float64).T
    # The head leaves the reference pose within the first third of a second.
    t = np.arange(frames) / fps
    ease = np.clip(t / 0.35, 0, 1)
    told = told * (ease * ease * (3 - 2 * ease))[:, None]
    out = np.zeros((frames, len(POSE_FIELDS)))
    out[:, :7] = mouth
    out[:, 7] = amplitude * MAX_YAW * told[:, 1] + yaw
    out[:, 8] = amplitude * MAX_PITCH * told[:, 0] + pitch
    out[:, 9] = amplitude * MAX_ROLL * told[:, 2] + roll
    out[:, 10] = 0.006 * amplitude * told[:, 2] + 0.003 * yaw / 1.3
    out[:, 11] = -0.0025 * breath - 0.004 * amplitude * told[:, 0]
    out[:, 12] = blink
    out[:, 13], out[:, 14] = gaze_x, gaze_y
    out[:, 15] = 0.6 * np.maximum(0, -told[:, 0])
    out[:, 16] = 0.25 * np.clip(_blur(told[:, 1], 0.4 * fps), -0.5, 1)
    out[:, POSE_FIELDS.index("body_x") :] = _trailing(out[:, 7], out[:, 9], out[:, 10], breath, fps)
    return out.astype(np.float32)


def _trailing(
    yaw: NDArray[np.float64],
    roll: NDArray[np.float64],
    shift: NDArray[np.float64],
    breath: NDArray[np.float64],
    fps: int,
) -> NDArray[np.float64]:
    """What follows the head with a lag, shoulders and hanging hair: (frames, 4) as body_x, body_y, body_roll, hair_x."""

    def late(track: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
        kept = np.exp(-1 / (seconds * fps))
        return np.asarray(lfilter([1 - kept], [1, -kept], track))

    body_x = 0.4 * late(shift, 0.25) + 0.016 * np.sin(np.radians(late(yaw, 0.25)))
    body_roll = 0.12 * late(roll, 0.3)
    hair_x = 0.06 * np.sin(np.radians(late(yaw, 0.18) - yaw)) + 0.04 * np.sin(np.radians(roll - late(roll, 0.18)))
    return np.stack([body_x, -0.004 * breath, body_roll, hair_x], axis=1)


def head_speed(poses: Track, fps: int) -> Track:
    """How fast the head turns, in degrees a second: float32 (frames,), averaged over five frames."""
    count = len(poses)
    if count < 2:
        return np.zeros(count, dtype=np.float32)
    rate = np.gradient(poses[:, 7:10].astype(np.float64), axis=0) * fps
    speed = np.pad(np.linalg.norm(rate, axis=1), 2, mode="edge")
    return np.convolve(speed, np.full(5, 0.2), mode="valid").astype(np.float32)
