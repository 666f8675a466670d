"""The production diarizer: pyannote.audio's speaker-diarization-community-1, with weights that the user fetches once."""

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import numpy as np

from media.errors import MissingEngineError
from media.long_sound import LongSound
from media.settings import Settings
from models.speech import vad
from models.speech.protocols import Diarization, Progress, Sound, SpeakerTurn
from models.speech.weights import COMMUNITY, fingerprint, pyannote_folder

if TYPE_CHECKING:
    from pyannote.audio import Pipeline
    from pyannote.core import Annotation

_LEAST_SPEECH = 0.2
"""A turn of which less than this share is speech for the voice activity detector, too, is music or noise."""

_SHARES = {"segmentation": (0.0, 0.4), "speaker_counting": (0.4, 0.4), "embeddings": (0.4, 0.95)}
"""Which part of the work each step of the pipeline is."""


class PyannoteDiarizer:
    """pyannote.audio behind the `Diarizer` protocol. It hears overlapping speech. Loaded at first use, on a GPU if any.

    Args:
        model: identifier on the hub, or a local folder with `config.yaml`.
        token: Hugging Face token; with one, weights that are not there are downloaded at first use.

    Raises:
        MissingEngineError: the weights are not there, and there is no token.
    """

    name = "pyannote"

    def __init__(self, model: str = COMMUNITY, token: str | None = None, settings: Settings | None = None) -> None:
        settings = settings or Settings()
        if token is None and settings.hf_token is not None:
            token = settings.hf_token.get_secret_value()
        folder = pyannote_folder(model, settings)
        if folder is None and (token is None or Path(model).is_absolute()):
            raise MissingEngineError(f"The weights of '{model}' are not there; {how_to_get(model, settings)}.")
        self._source = str(folder) if folder else model
        self._token = token

    @property
    def version(self) -> str:
        """Of the package and of the weights: those of the hub by name, which is how they are asked for."""
        folder = Path(self._source)
        weights = f"{folder.name} {fingerprint(folder)}" if folder.is_dir() else self._source
        return f"{version('pyannote.audio')}, {weights}"

    def diarize(
        self,
        samples: Sound,
        sample_rate: int,
        *,
        speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        progress: Progress | None = None,
    ) -> Diarization:
        """Who spoke when in a recording: mono float32 at any rate.

        Raises:
            MissingEngineError: the weights cannot be loaded.
        """
        pipeline = _pipeline(self._source, self._token)
        import torch

        # pyannote.audio takes the whole waveform, and looks at it window by window: long sound stays on disk meanwhile.
        long = samples if isinstance(samples, LongSound) else None
        whole = long.mapped() if long else np.ascontiguousarray(samples, np.float32)
        waveform = torch.from_numpy(whole)[None]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            output = pipeline(
                {"waveform": waveform, "sample_rate": sample_rate, "uri": "recording"},
                num_speakers=speakers,
                min_speakers=min_speakers,
                max_speakers=max_speakers,
                hook=_hook(progress, long),
            )
        duration = len(samples) / sample_rate
        labels = output.speaker_diarization.labels()
        vectors = output.speaker_embeddings if output.speaker_embeddings is not None else ()
        embeddings = {
            label: tuple((vector / np.linalg.norm(vector)).tolist())
            for label, vector in zip(labels, vectors, strict=False)
            if np.isfinite(vector).all() and np.any(vector)
        }
        speech = vad.speech_regions(vad.heard_at_16_khz(samples, sample_rate))
        turns = _spoken(_turns(output.speaker_diarization, duration), speech)
        speakers_heard = {turn.speaker for turn in turns}
        if progress:
            progress(1.0)
        return Diarization(
            turns,
            _spoken(_turns(output.exclusive_speaker_diarization, duration), speech, speakers_heard),
            {label: vector for label, vector in embeddings.items() if label in speakers_heard},
            f"{len(speakers_heard)} speaker{'' if len(speakers_heard) == 1 else 's'} found by pyannote.audio."
            if turns
            else "No speech was found.",
        )


def how_to_get(model: str, settings: Settings) -> str:
    """What to do to have the weights, as the end of a sentence."""
    name = model.rsplit("/", 1)[-1]
    return (
        f"accept the conditions on https://hf.co/{COMMUNITY}, then set PORTRAYAL_HF_TOKEN, or download that repository into "
        f"{settings.models_dir / 'pyannote' / name}"
    )


def _turns(annotation: "Annotation", duration: float) -> tuple[SpeakerTurn, ...]:
    """Within the recording: the last of pyannote's 10 s windows may reach beyond it."""
    tracks = annotation.itertracks(yield_label=True)
    return tuple(
        SpeakerTurn(str(label), float(segment.start), min(float(segment.end), duration))
        for segment, _, label in tracks
        if segment.start < duration
    )


def _spoken(
    turns: tuple[SpeakerTurn, ...], speech: Sequence[tuple[float, float]], speakers: set[str] | None = None
) -> tuple[SpeakerTurn, ...]:
    """Those turns, of those speakers, in which there is speech."""
    return tuple(
        turn
        for turn in turns
        if vad.share_of_speech(speech, turn.start, turn.end) >= _LEAST_SPEECH
        and (speakers is None or turn.speaker in speakers)
    )


def _hook(progress: Progress | None, sound: LongSound | None) -> Callable[..., None]:
    """Tells how far the pipeline is, and that what it has heard of a long sound need not stay in memory."""

    def hook(
        step: str, artifact: Any, file: Any = None, total: int | None = None, completed: int | None = None
    ) -> None:
        if sound is not None:
            sound.forget()
        if progress is None:
            return
        begin, end = _SHARES.get(step, (0.95, 0.95))
        progress(begin + (end - begin) * (completed / total if total and completed is not None else 1.0))

    return hook


@cache
def _pipeline(source: str, token: str | None) -> "Pipeline":
    # Telemetry is on by default, and is decided when the package is imported.
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about torchcodec, which is needed only to read files
        import torch
        from pyannote.audio import Pipeline

    logging.getLogger("pyannote").setLevel(logging.ERROR)
    settings = Settings()
    try:
        pipeline = Pipeline.from_pretrained(source, token=token)
    except (OSError, EOFError, RuntimeError, LookupError, TypeError, ValueError, UnpicklingError) as error:
        reason = str(error).strip().split("\n")[0]
        raise MissingEngineError(
            f"pyannote.audio cannot load '{source}' ({reason}); {how_to_get(COMMUNITY, settings)}."
        ) from error
    if pipeline is None:
        raise MissingEngineError(f"pyannote.audio cannot load '{source}'; {how_to_get(COMMUNITY, settings)}.")
    return pipeline.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
