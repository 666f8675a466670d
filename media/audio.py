"""Sound in and out of files: any common format in, float32 mono in memory, 16-bit WAV out.

Decoding is PyAV's (its wheel carries FFmpeg's libraries), so nothing here needs a program to be installed.
"""

import io
import struct
import wave
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from media.atomic import whole_file
from media.errors import InputError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

Samples = NDArray[np.float32]
"""Mono sound, shape (samples,), nominally within -1..1."""

SHORTEST = 0.5
"""Seconds below which a recording is refused."""
SILENCE_DBFS = -60.0
"""A recording whose peak is below this everywhere is silent."""

_LISTEN_WHOLE = 600.0  # seconds: longer files are listened to in places first
_PLACES = 120  # where a long file is listened to, one second each
_TAIL = 3.0  # seconds at the end that must be there
# Files that begin like this are recordings, even when they cannot be opened: then they are cut short.
_SIGNATURES = (b"RIFF", b"OggS", b"fLaC", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file's header says about its first audio stream."""

    duration: float
    """Seconds."""
    sample_rate: int
    channels: int
    codec: str


def probe_audio(path: Path) -> AudioInfo:
    """Read the header only: fast for a file of any length.

    Raises:
        InputError: the file is missing, empty, not audio, or a video without sound.
    """
    with _opened(path) as (container, stream):
        return _info(container, stream)


def read_audio(
    path: Path,
    sample_rate: int = 16000,
    start: float | None = None,
    end: float | None = None,
) -> Samples:
    """Decode a file, or the seconds `start`..`end` of it, to mono at `sample_rate`.

    Channels are averaged. Memory is that of the result: the file is decoded as a stream.

    Raises:
        InputError: the file is missing, empty, not audio, or a video without sound.
    """
    pieces = list(audio_blocks(path, sample_rate, start, end))
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def audio_blocks(
    path: Path,
    sample_rate: int = 16000,
    start: float | None = None,
    end: float | None = None,
) -> Iterator[Samples]:
    """What `read_audio` returns, in consecutive pieces: memory does not grow with the length.

    Raises:
        InputError: the file is missing, empty, not audio, or a video without sound.
    """
    with _opened(path) as (container, stream):
        promised = round(_info(container, stream).duration * sample_rate) if end is None and not start else None
        count = 0
        beyond: list[Samples] = []
        for piece in _resampled(_mixed(_decoded(container, stream, start or 0.0, end)), stream.rate, sample_rate):
            room = len(piece) if promised is None else max(promised - count, 0)
            count += len(piece)
            if len(piece[:room]):
                yield piece[:room]
            if promised is not None and len(piece) > room:
                beyond.append(piece[room:])
                if count - promised >= 0.1 * sample_rate:  # the header is wrong
                    yield from beyond
                    beyond, promised = [], None
        # What is left over here is silence with which AAC and MP3 fill up their last frame.


def channel_blocks(path: Path) -> Iterator[tuple[int, Samples]]:
    """The file as it is: its sample rate, and consecutive pieces of shape (channels, samples), not resampled.

    Raises:
        InputError: the file is missing, empty, not audio, or a video without sound.
    """
    with _opened(path) as (container, stream):
        for piece in _decoded(container, stream):
            yield stream.rate, piece


def _mixed(pieces: Iterator[Samples]) -> Iterator[Samples]:
    for piece in pieces:
        yield piece[0] if len(piece) == 1 else piece.mean(axis=0, dtype=np.float32)


def _resampled(pieces: Iterator[Samples], rate: int, sample_rate: int) -> Iterator[Samples]:
    import av

    if rate == sample_rate:
        yield from pieces
        return
    resampler = av.AudioResampler(format="flt", layout="mono", rate=sample_rate)
    heard = False
    for piece in pieces:
        heard = True
        frame = av.AudioFrame.from_ndarray(piece[np.newaxis, :], format="flt", layout="mono")
        frame.sample_rate = rate
        for resampled in resampler.resample(frame):
            yield resampled.to_ndarray()[0]
    if heard:
        for resampled in resampler.resample(None):
            yield resampled.to_ndarray()[0]


def require_usable(path: Path) -> AudioInfo:
    """Accept a recording that can be worked on, or say in one sentence why not.

    Long files are listened to in places only, so that six hours are accepted as quickly as six minutes.

    Raises:
        InputError: missing, a folder, empty, not audio, a video without sound, shorter than 0.5 s, cut short, silent.
    """
    with _opened(path) as (container, stream):
        info = _info(container, stream)
        if _ends_inside_an_ogg_page(path):
            raise InputError(f"{path}: the recording is damaged or cut short; copy or export it again.")
        if info.duration < SHORTEST:
            raise InputError(
                f"{path}: the recording is {info.duration:.2f} s long, which is too short; at least {SHORTEST} s are needed."
            )
        promised = max(info.duration, _riff_promise(path))
        heard_until = _end_of_sound(container, stream, info)
        if heard_until < promised - max(0.25, 0.01 * min(promised, 60.0)):
            raise InputError(
                f"{path}: the recording is cut short: it should last {promised:.1f} s, "
                f"but its sound ends after {heard_until:.1f} s; copy or export it again."
            )
        if _is_silent(container, stream, info):
            raise InputError(
                f"{path}: the recording is silent (nothing above {SILENCE_DBFS:.0f} dBFS); check the file."
            )
    return info


def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """Polyphase resampling; the result has ceil(len * to_rate / from_rate) samples."""
    if from_rate == to_rate or not len(samples):
        return samples.astype(np.float32, copy=False)
    from scipy.signal import resample_poly

    common = gcd(from_rate, to_rate)
    return resample_poly(samples.astype(np.float32, copy=False), to_rate // common, from_rate // common).astype(
        np.float32
    )


def write_wav(path: Path, samples: Samples | Iterable[Samples], rate: int) -> None:
    """Write 16-bit PCM mono, given whole or in consecutive pieces; equal samples give equal bytes.

    Values outside -1..1 are clipped.

    Raises:
        InputError: the file cannot be written.
    """
    with whole_file(path) as temporary, temporary.open("wb") as file:
        _write_wave(file, samples, rate)


def wav_bytes(samples: Samples, rate: int) -> bytes:
    """The bytes that `write_wav` would write."""
    buffer = io.BytesIO()
    _write_wave(buffer, samples, rate)
    return buffer.getvalue()


def _write_wave(file: IO[bytes], samples: Samples | Iterable[Samples], rate: int) -> None:
    pieces = [samples] if isinstance(samples, np.ndarray) else samples
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        for piece in pieces:
            for start in range(0, len(piece), 1 << 20):
                block = np.nan_to_num(piece[start : start + (1 << 20)])
                writer.writeframesraw(np.rint(np.clip(block, -1.0, 1.0) * 32767.0).astype("<i2").tobytes())


@contextmanager
def _opened(path: Path) -> Iterator[tuple["InputContainer", "AudioStream"]]:
    import av

    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; name one audio or video file in it.")
    try:
        beginning = path.open("rb").read(16)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the path.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    if not beginning:
        raise InputError(f"{path} is empty; copy or export it again.")
    try:
        container = av.open(str(path), mode="r")
    except av.FFmpegError as error:
        if beginning.startswith(_SIGNATURES) or beginning[4:8] == b"ftyp":
            raise InputError(f"{path}: the recording is damaged or cut short; copy or export it again.") from error
        raise InputError(
            f"{path} is not audio that can be read; give a WAV, MP3, M4A, FLAC, OGG or MP4 file."
        ) from error
    with container:
        pictures = [
            stream for stream in container.streams.video if not stream.disposition & stream.disposition.attached_pic
        ]
        if not container.streams.audio:
            if pictures and not _is_a_picture_or_text(container.format.name):
                raise InputError(f"{path} is a video without sound; give a file with speech in it.")
            raise InputError(f"{path} is not audio that can be read; give a WAV, MP3, M4A, FLAC, OGG or MP4 file.")
        stream = container.streams.audio[0]
        if not stream.rate or not stream.channels:
            raise InputError(f"{path}: the recording is damaged or cut short; copy or export it again.")
        yield container, stream


def _is_a_picture_or_text(format_name: str) -> bool:
    # FFmpeg opens single pictures and plain text as "videos" too.
    return format_name.endswith("_pipe") or format_name in ("image2", "gif", "tty")


def _info(container: "InputContainer", stream: "AudioStream") -> AudioInfo:
    if stream.duration is not None and stream.time_base is not None:
        duration = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        duration = container.duration / 1_000_000
    else:  # a bare stream without a header: count its packets
        duration = sum(_seconds(packet.duration or 0, packet.time_base) for packet in container.demux(stream))
        container.seek(0)
    return AudioInfo(max(duration, 0.0), stream.rate, stream.channels, stream.codec_context.name)


def _decoded(
    container: "InputContainer",
    stream: "AudioStream",
    start: float = 0.0,
    end: float | None = None,
) -> Iterator[Samples]:
    """Pieces (channels, samples) at the file's own rate, from `start` to `end` seconds, as exact as the format is."""
    import av

    rate = stream.rate
    begin = _begin(stream)
    wanted_from = round(start * rate)
    wanted_to = None if end is None else round(end * rate)
    if start > 0:
        # MP3 and AAC need a little run-up before a frame decodes as it would in sequence.
        container.seek(max(0, int((start + begin - 0.25) * 1_000_000)))
    position: int | None = None if start > 0 else 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue  # a damaged packet costs its own few milliseconds, not the recording
        for frame in frames:
            if position is None or frame.pts is not None:
                at = 0.0 if frame.pts is None else _seconds(frame.pts, frame.time_base) - begin
                # Timestamps are rounded to the container's clock: follow them only across real gaps.
                if position is None or at * rate - position > 0.1 * rate:
                    position = round(at * rate)
            piece = _as_float(frame.to_ndarray(), frame.format.is_planar, frame.layout.nb_channels)
            low, high = max(0, wanted_from - position), piece.shape[1]
            if wanted_to is not None:
                high = min(high, wanted_to - position)
            position += piece.shape[1]
            if low < high:
                yield piece[:, low:high]
            if wanted_to is not None and position >= wanted_to:
                return


def _as_float(array: NDArray, planar: bool, channels: int) -> Samples:
    if not planar:
        array = array.reshape(-1, channels).T
    if array.dtype == np.uint8:
        scaled = (array.astype(np.float32) - 128.0) / 128.0
    elif np.issubdtype(array.dtype, np.integer):
        scaled = array.astype(np.float32) / float(-int(np.iinfo(array.dtype).min))
    else:
        scaled = array.astype(np.float32)
    return scaled


def _riff_promise(path: Path) -> float:
    """Seconds that a WAV file's header promises, where the file holds less than that; else 0."""
    with Path(path).open("rb") as file:
        if file.read(4) != b"RIFF":
            return 0.0
        size = file.seek(0, 2)
        at, bytes_a_second = 12, 0
        while at + 8 <= size:
            file.seek(at)
            name, length = struct.unpack("<4sI", file.read(8))
            if name == b"fmt " and at + 24 <= size:
                bytes_a_second = struct.unpack("<8xI", file.read(12))[0]
            if name == b"data":
                # 0 and 0xFFFFFFFF stand for "not known", in files that were written to a pipe
                cut = size - at - 8 < length < 0xFFFFFFFE
                return length / bytes_a_second if cut and bytes_a_second else 0.0
            at += 8 + length + length % 2
    return 0.0


def _ends_inside_an_ogg_page(path: Path) -> bool:
    with Path(path).open("rb") as file:
        if file.read(4) != b"OggS":
            return False
        size = file.seek(0, 2)
        file.seek(max(0, size - 65536))  # a page is at most 65,307 bytes long
        tail = file.read()
    last = tail.rfind(b"OggS")
    page = tail[last:]
    if last < 0 or len(page) < 27 or len(page) < 27 + page[26]:
        return True
    return len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]])


def _end_of_sound(container: "InputContainer", stream: "AudioStream", info: AudioInfo) -> float:
    """Seconds at which the last decodable sound ends."""
    import av

    for back in (_TAIL, info.duration):
        end = 0.0
        try:
            container.seek(max(0, int((info.duration - back) * 1_000_000)))
            begin = _begin(stream)
            for packet in container.demux(stream):
                try:
                    for frame in packet.decode():
                        at = 0.0 if frame.pts is None else _seconds(frame.pts, frame.time_base) - begin
                        end = max(end, at + frame.samples / info.sample_rate)
                except av.FFmpegError:
                    continue
        except av.FFmpegError:
            pass  # it cannot be wound to its end: decode it from the beginning
        if end > 0:
            break
    container.seek(0)
    return end


def _is_silent(container: "InputContainer", stream: "AudioStream", info: AudioInfo) -> bool:
    threshold = 10 ** (SILENCE_DBFS / 20)

    def loud(start: float, end: float | None) -> bool:
        return any(np.abs(piece).max() >= threshold for piece in _decoded(container, stream, start, end))

    if info.duration > _LISTEN_WHOLE:
        for start in np.linspace(0.0, info.duration - 1.0, _PLACES):
            if loud(float(start), float(start) + 1.0):
                return False
    container.seek(0)
    return not loud(0.0, None)


def _begin(stream: "AudioStream") -> float:
    return _seconds(stream.start_time or 0, stream.time_base)


def _seconds(ticks: int, time_base: Fraction | None) -> float:
    return float(ticks * time_base) if time_base is not None else 0.0
