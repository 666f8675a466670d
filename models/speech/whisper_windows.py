"""whisper over long sound: windows that end in pauses, several of them in one pass, and each word's time."""

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from media.phrases import UNSPACED
from models.speech import vad
from models.speech.protocols import Sound, Word

if TYPE_CHECKING:
    from torch import Tensor
    from whisper import Whisper
    from whisper.decoding import DecodingResult
    from whisper.tokenizer import Tokenizer

LONGEST = 30.0
"""Seconds that whisper hears at once."""
_EARLIEST_CUT = 20.0
"""A longer stretch of speech without a pause is cut where it is quietest, after so many seconds."""
_AROUND = 0.2
"""Seconds of pause that are heard around speech."""
_SILENT, _UNSURE = 0.6, -1.0
"""A window that is silence with more than this probability, and in whose text the model trusts less than this: no text."""
_WORTH_ANOTHER = 0.5
"""Seconds of speech left after the last word, from which on the rest of a window is heard once more."""
_MOST_PASSES = 4
"""Times that a window is heard, at most: a model that goes on and on in it gets nowhere."""
_FRAME = 0.02
"""Seconds between two of whisper's time stamps."""

Window = tuple[float, float]
"""Start and end in seconds."""


def windows_of(sound: Sound, regions: Sequence[Window]) -> list[Window]:
    """Windows of at most 30 s that hold all regions, in order; they begin and end in pauses wherever there are any.

    Args:
        sound: mono float32 at 16 kHz.
        regions: where there is speech, in seconds, in order.
    """
    windows: list[Window] = []
    duration = len(sound) / vad.RATE
    for start, end in regions:
        start, end = max(start - _AROUND, windows[-1][1] if windows else 0.0), min(end + _AROUND, duration)
        if windows and end - windows[-1][0] <= LONGEST:
            windows[-1] = (windows[-1][0], end)
            continue
        while end - start > LONGEST:
            cut = vad.quietest(sound, vad.RATE, start + _EARLIEST_CUT, min(start + LONGEST, end - 1.0))
            windows.append((start, cut))
            start = cut
        if end > start:
            windows.append((start, end))
    return windows


def language_of(model: "Whisper", sound: Sound, window: Window) -> str:
    """whisper's code of the language that is spoken in a window."""
    if not model.is_multilingual:
        return "en"
    mel, _ = _heard(model, sound, window)
    _, likely = model.detect_language(mel)
    return max(likely, key=likely.__getitem__)


def words_in(
    model: "Whisper",
    sound: Sound,
    windows: Sequence[Window],
    regions: Sequence[Window],
    language: str,
    *,
    batch: int = 1,
    advance: Callable[[float], None] = lambda share: None,
) -> list[Word]:
    """What is said in the windows, in order. It does not depend on `batch`: no window knows of another.

    Args:
        sound: mono float32 at 16 kHz.
        regions: where there is speech.
        language: whisper's code.
        batch: windows that the encoder and the decoder hear at once.
    """
    import torch
    from whisper.decoding import DecodingOptions, decode
    from whisper.tokenizer import get_tokenizer

    tokenizer = get_tokenizer(
        model.is_multilingual, num_languages=model.num_languages, language=language, task="transcribe"
    )
    # Without a temperature ladder and without earlier text, equal sound gives equal words.
    options = DecodingOptions(language=language, temperature=0.0, fp16=model.device.type == "cuda")
    said: list[list[Word]] = [[] for _ in windows]
    waiting = deque((place, *window, 1) for place, window in enumerate(windows))
    while waiting:
        heard = [waiting.popleft() for _ in range(min(batch, len(waiting)))]
        sounds = [_heard(model, sound, (start, end)) for _, start, end, _ in heard]
        results = decode(model, torch.stack([mel for mel, _ in sounds]), options)
        for (place, start, end, passes), (mel, frames), result in zip(heard, sounds, results, strict=True):
            words, finished = _words(model, tokenizer, mel, frames, result)
            said[place] += [Word(word.text, min(start + word.start, end), min(start + word.end, end)) for word in words]
            if words and not finished and passes < _MOST_PASSES:
                rest = min(start + words[-1].end, end)
                left = vad.share_of_speech(regions, rest, end) * (end - rest)
                if left >= _WORTH_ANOTHER and rest - start >= _WORTH_ANOTHER:
                    waiting.appendleft((place, rest, end, passes + 1))
        advance(1 - len(waiting) / (len(windows) + 1))
    return [word for words in said for word in words]


def _heard(model: "Whisper", sound: Sound, window: Window) -> tuple["Tensor", int]:
    """What whisper hears of a window: mel bands, (bands, 3000), and how many of these frames are the window's own."""
    import torch
    from whisper.audio import HOP_LENGTH, N_FRAMES, N_SAMPLES, log_mel_spectrogram, pad_or_trim

    samples = np.ascontiguousarray(sound[round(window[0] * vad.RATE) : round(window[1] * vad.RATE)])
    frames = min(len(samples) // HOP_LENGTH, N_FRAMES)
    mel = log_mel_spectrogram(torch.from_numpy(samples), model.dims.n_mels, padding=N_SAMPLES)[:, :frames]
    kind = torch.float16 if model.device.type == "cuda" else torch.float32
    return pad_or_trim(mel, N_FRAMES).to(model.device, kind), frames


def _words(
    model: "Whisper", tokenizer: "Tokenizer", mel: "Tensor", frames: int, result: "DecodingResult"
) -> tuple[list[Word], bool]:
    """The words of a window, in seconds from its start, and whether whisper says that nothing follows them."""
    from whisper.timing import add_word_timestamps

    if result.no_speech_prob > _SILENT and result.avg_logprob <= _UNSURE:
        return [], True
    stretches, finished = _stretches(result.tokens, tokenizer.timestamp_begin, frames / 100)
    add_word_timestamps(
        segments=stretches, model=model, tokenizer=tokenizer, mel=mel, num_frames=frames, last_speech_timestamp=0.0
    )
    # What takes no time was made up.
    words = [one.get("words", ()) for one in stretches if one["end"] > one["start"]]
    return [
        word
        for one in words
        for word in _whole([(str(word["word"]), float(word["start"]), float(word["end"])) for word in one])
    ], finished


def _whole(pieces: Sequence[tuple[str, float, float]]) -> list[Word]:
    """Words of one stretch. Where a language has no spaces, whisper takes each token for a word, also those of `Tok|yo`
    and `20|26`: put together here unless there is a space, or a letter of such a script, between them.
    """
    words: list[Word] = []
    for raw, start, end in pieces:
        text = raw.strip()
        if not text:
            continue
        if words and not raw[0].isspace() and not UNSPACED.search(words[-1].text[-1] + text[0]):
            words[-1] = Word(words[-1].text + text, words[-1].start, end)
        else:
            words.append(Word(text, start, end))
    return words


def _stretches(tokens: Sequence[int], first_stamp: int, duration: float) -> tuple[list[dict[str, Any]], bool]:
    """Tokens cut at pairs of time stamps, as whisper's own loop cuts them; what follows the last pair is left for later.

    Returns stretches with their `tokens`, `start` and `end`, and whether the last token is a lone time stamp, with which
    whisper says that nothing follows.
    """
    stamps = [token >= first_stamp for token in tokens]
    finished = stamps[-2:] == [False, True]
    cuts = [place for place in range(1, len(tokens)) if stamps[place - 1] and stamps[place]]
    if not cuts:
        stamped = [token for token, is_stamp in zip(tokens, stamps, strict=True) if is_stamp]
        end = (stamped[-1] - first_stamp) * _FRAME if stamped and stamped[-1] > first_stamp else duration
        return [{"seek": 0, "start": 0.0, "end": end, "tokens": list(tokens)}], finished
    edges = [0, *cuts, *([len(tokens)] if finished else [])]
    return [
        {
            "seek": 0,
            "start": (tokens[begin] - first_stamp) * _FRAME,
            "end": (tokens[until - 1] - first_stamp) * _FRAME,
            "tokens": list(tokens[begin:until]),
        }
        for begin, until in itertools.pairwise(edges)
    ], finished
