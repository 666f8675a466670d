"""Pictures in and out of video files: H.264 in MP4, streamed, at a constant frame rate.

Encoding and decoding are PyAV's (libx264 and FFmpeg's libraries are in its wheel). Colours are BT.709 throughout, and
tagged so. Files carry no dates or random numbers: equal frames give equal bytes.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from media.atomic import whole_file
from media.errors import InputError, RenderError

if TYPE_CHECKING:
    import av
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.video.stream import VideoStream

Picture = NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""

SOUND_RATE = 48000
_SOUND_BITS = 256_000
_AAC_FRAME = 1024
_WORTH_JUMPING = 2.0
"""Seconds to a wanted frame that are jumped over rather than decoded."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video file holds."""

    duration: float
    """Seconds of picture."""
    frames: int
    fps: float
    width: int
    height: int
    has_audio: bool
    audio_duration: float | None
    """Seconds of sound; None without sound."""


def write_video(
    frames: Iterable[Picture],
    path: Path,
    fps: float | Fraction,
    crf: int = 18,
    *,
    preset: str = "medium",
    sound: Path | None = None,
    metadata: Mapping[str, str] | None = None,
    threads: int = 1,
) -> int:
    """Encode frames as they come; memory does not grow with their number.

    Args:
        frames: uint8 (height, width, 3), all of one even width and height; at least one.
        path: the MP4 file; it appears only when it is complete.
        fps: frames a second, constant.
        crf: x264's quality, 0 (lossless) to 51.
        preset: x264's trade of speed against size.
        sound: a recording to go with the pictures, as AAC at 48 kHz; cut or filled with silence to their length.
        metadata: tags of the file (`title`, `comment`, ...), and `language` for the sound (ISO 639-2).
        threads: of x264; the bytes depend on it.

    Returns:
        The number of frames written.

    Raises:
        InputError: the file cannot be written.
        ValueError: no frames, or frames of odd or changing size.
    """
    rate = Fraction(fps).limit_denominator(1001)
    with whole_file(path) as temporary:
        return _encode(iter(frames), temporary, rate, crf, preset, sound, dict(metadata or {}), threads)


def read_frames(path: Path) -> Iterator[Picture]:
    """The frames of a video, one after the other, as RGB.

    Raises:
        InputError: the file is missing or is not a video.
    """
    converter = Converter()
    with decoded(path) as (_, frames):
        for frame in frames:
            yield converter.to_rgb(frame)


@contextmanager
def decoded(path: Path) -> Iterator[tuple[float, "Iterator[av.VideoFrame]"]]:
    """Open a video; gives its frames a second, and its decoded frames one after the other.

    Raises:
        InputError: the file is missing or is not a video.
    """
    with _opened(path) as (container, stream):
        yield float(stream.average_rate or stream.guessed_rate or 0), container.decode(stream)


def frames_at(path: Path, moments: Iterable[float]) -> "Iterator[av.VideoFrame]":
    """The frames that are shown at some moments, in rising order (seconds); after the end, the last one.

    It jumps to the key frame before each, so that few stills of a long video take no longer than those of a short one.

    Raises:
        InputError: the file is missing or is not a video, or has no frame at all.
    """
    with _opened(path) as (container, stream):
        half = 0.5 / float(stream.average_rate or stream.guessed_rate or 25)
        frames = container.decode(stream)
        shown: av.VideoFrame | None = None
        ahead: av.VideoFrame | None = None
        for moment in moments:
            if shown is None or moment - (shown.time or 0.0) > _WORTH_JUMPING:
                container.seek(int(max(0.0, moment) * 1_000_000))
                frames, ahead = container.decode(stream), None
            while ahead is None or (ahead.time or 0.0) <= moment + half:
                shown = ahead or shown
                ahead = next(frames, None)
                if ahead is None:
                    break
            if shown is None:
                raise InputError(f"{path} holds no frame; make it again.")
            yield shown


class Converter:
    """Turns decoded frames into RGB, and RGB into frames to encode.

    Keep one for frames of the same size: what scaling needs (a megabyte, and a while to compute) is made once. PyAV's
    own `frame.reformat` makes it anew for every frame, and keeps it as long as the frame.
    """

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()

    def to_rgb(self, frame: "av.VideoFrame", size: tuple[int, int] | None = None) -> Picture:
        """A decoded frame as RGB, scaled with Lanczos to `size` (width, height) on the way if given."""
        from av.video.reformatter import Colorspace, Interpolation

        width, height = size or (frame.width, frame.height)
        # What does not say how its colours were coded is taken as FFmpeg takes it: BT.601.
        coded = Colorspace.ITU709 if frame.colorspace == 1 else Colorspace.ITU601
        quality = Interpolation.LANCZOS | Interpolation.ACCURATE_RND
        converted = self._reformatter.reformat(
            frame, width, height, "rgb24", src_colorspace=coded, interpolation=quality
        )
        return np.ascontiguousarray(converted.to_ndarray())

    def to_yuv(self, picture: Picture) -> "av.VideoFrame":
        """A picture as a frame for H.264: 4:2:0, BT.709, limited range."""
        import av
        from av.video.reformatter import ColorRange, Colorspace, Interpolation

        return self._reformatter.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.AREA | Interpolation.ACCURATE_RND,
        )


def probe_video(path: Path) -> VideoInfo:
    """Sizes and durations, from the header where it has them.

    Raises:
        InputError: the file is missing or is not a video.
    """
    with _opened(path) as (container, stream):
        frames = stream.frames
        if not frames:
            frames = sum(1 for packet in container.demux(stream) if packet.size)
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        duration = _stream_seconds(stream) or (frames / fps if fps else 0.0)
        sounds = container.streams.audio
        return VideoInfo(
            duration=duration,
            frames=frames,
            fps=fps,
            width=stream.width,
            height=stream.height,
            has_audio=bool(sounds),
            audio_duration=(_stream_seconds(sounds[0]) or duration) if sounds else None,
        )


@contextmanager
def _opened(path: Path) -> Iterator[tuple["InputContainer", "VideoStream"]]:
    import av

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist; check the path." if not path.exists() else f"{path} is a folder.")
    try:
        container = av.open(str(path), mode="r")
    except av.FFmpegError as error:
        raise InputError(f"{path} is not a video that can be read, or it is damaged; make it again.") from error
    with container:
        if not container.streams.video:
            raise InputError(f"{path} has no pictures; give a video.")
        yield container, container.streams.video[0]


def _encode(
    frames: Iterator[Picture],
    path: Path,
    rate: Fraction,
    crf: int,
    preset: str,
    sound: Path | None,
    metadata: dict[str, str],
    threads: int,
) -> int:
    import av
    from av.codec.context import Flags

    first = next(frames, None)
    if first is None:
        raise ValueError("a video needs at least one frame")
    height, width = first.shape[:2]
    if width % 2 or height % 2:
        raise ValueError(f"frames must have an even width and height for H.264, not {width}x{height}")
    language = metadata.pop("language", None)
    # AVFMT_FLAG_BITEXACT leaves out version and date.
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with _sound_source(sound) as source, av.open(str(path), "w", format="mp4", options=options) as container:
        container.metadata.update(metadata)
        stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf), "preset": preset})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = 1 / rate
        context.thread_count = threads
        context.flags |= Flags.bitexact
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, 1
        track = _SoundTrack(container, source, language) if source is not None else None
        converter = Converter()
        count = 0
        picture: Picture | None = first
        while picture is not None:
            if picture.shape != first.shape:
                raise ValueError(f"frame {count} is {picture.shape}, the first one is {first.shape}")
            coded = converter.to_yuv(picture)
            coded.pts, coded.time_base = count, 1 / rate
            container.mux(stream.encode(coded))
            count += 1
            if track is not None:
                track.write_until(round(count * SOUND_RATE / rate))
            picture = next(frames, None)
        container.mux(stream.encode(None))
        if track is not None:
            track.finish()
    return count


class _SoundTrack:
    """The AAC track of a file that is being written: fed up to the time of the last picture, and no further."""

    def __init__(self, container: "OutputContainer", source: "_SoundSource", language: str | None) -> None:
        from av.codec.context import Flags

        self._container = container
        self._source = source
        # FFmpeg's other coder, its default, adds clicks to some speech: 4 dB above its peaks at 160 kbit/s. At 256 kbit/s
        # this one keeps them within 0.3 dB, music included.
        coder = {"aac_coder": "fast"}
        self._stream = container.add_stream("aac", rate=SOUND_RATE, layout=source.layout, options=coder)
        self._stream.bit_rate = _SOUND_BITS
        self._stream.codec_context.flags |= Flags.bitexact
        if language:
            self._stream.metadata["language"] = language
        self._wanted = 0
        self._written = 0

    def write_until(self, sample: int) -> None:
        self._wanted = sample
        while self._wanted - self._written >= _AAC_FRAME:
            self._write(_AAC_FRAME)

    def finish(self) -> None:
        if self._wanted > self._written:
            self._write(self._wanted - self._written)
        self._container.mux(self._stream.encode(None))

    def _write(self, count: int) -> None:
        import av

        frame = av.AudioFrame.from_ndarray(self._source.take(count), format="fltp", layout=self._source.layout)
        frame.sample_rate = SOUND_RATE
        frame.pts, frame.time_base = self._written, Fraction(1, SOUND_RATE)
        self._container.mux(self._stream.encode(frame))
        self._written += count


class _SoundSource:
    """48 kHz samples from a file, as many as are asked for at a time; silence after its end."""

    def __init__(self, container: "InputContainer", stream: "AudioStream") -> None:
        import av

        self.layout = "mono" if stream.channels == 1 else "stereo"
        self._channels = 1 if stream.channels == 1 else 2
        self._frames = container.decode(stream)
        self._resampler = av.AudioResampler(format="fltp", layout=self.layout, rate=SOUND_RATE)
        self._ready: list[NDArray[np.float32]] = []
        self._ended = False

    def take(self, count: int) -> NDArray[np.float32]:
        """Shape (channels, count)."""
        while not self._ended and sum(piece.shape[1] for piece in self._ready) < count:
            frame = next(self._frames, None)
            self._ended = frame is None
            self._ready.extend(resampled.to_ndarray() for resampled in self._resampler.resample(frame))
        samples = np.concatenate([np.zeros((self._channels, 0), np.float32), *self._ready], axis=1)
        self._ready = [samples[:, count:]]
        missing = max(0, count - samples.shape[1])
        return np.ascontiguousarray(np.pad(samples[:, :count], ((0, 0), (0, missing))))


@contextmanager
def _sound_source(path: Path | None) -> Iterator[_SoundSource | None]:
    import av

    if path is None:
        with nullcontext():
            yield None
        return
    try:
        container = av.open(str(path), mode="r")
    except (av.FFmpegError, OSError) as error:
        raise RenderError(
            f"{path}: the sound of the video cannot be read; run the command again to make it anew."
        ) from error
    with container:
        yield _SoundSource(container, container.streams.audio[0])


def _stream_seconds(stream: "VideoStream | AudioStream") -> float:
    if stream.duration is None or stream.time_base is None:
        return 0.0
    return float(stream.duration * stream.time_base)
