"""How good a checkpoint is, on presenters and sentences that it was not trained on, sampled as in production.

The truth is what the illustrator draws for the same sound. Instruments read faces from pictures; they are fitted anew at
every evaluation on drawings of training presenters, and what they read from the drawn truth is stated as their ceiling.
`measures` has the parts of an evaluation, `bars` what has to be reached; every other file is one instrument.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from models.emo.corpus import HELD_OUT_LANGUAGE
from models.emo.evaluation.bars import BARS, SECTIONS, judged, sections_for
from models.speech.annotated import Recording

__all__ = ["BARS", "SECTIONS", "evaluate", "judged", "sections_for"]

_SHARES = {"fit": 0.06, "speech": 0.38, "speed": 0.26, "drift": 0.16, "voice": 0.08, "work": 0.06}
"""Of the time, about."""


def evaluate(
    checkpoint: str,
    clips: int = 24,
    seconds: float = 4.0,
    steps: int | None = None,
    models_dir: Path | None = None,
    recordings: Sequence[Recording] = (),
    only: str | None = None,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Measure a checkpoint. About ten minutes of one processor with the defaults, half of it rendering.

    Args:
        checkpoint: name or folder; `still` for the preview engine, which should pass nothing that matters.
        clips: held-out presenters, each with a held-out sentence; eight in a row speak eight languages.
        seconds: at most so much of each sentence.
        steps: denoising steps; the checkpoint's own when None.
        recordings: of human speech; without any, `real_voice_auc` is left out.
        only: one figure of `BARS` or one of `SECTIONS`: only the part that measures it.
        progress: called with the share that is done, 0..1.

    Returns:
        Figures by name. `<figure>_ceiling` is what the drawn truth reaches when it is measured in the same way; for
        `mouth_correlation_wrong_audio` it is the least that a perfect mouth could show. None: could not be measured.

        speech, per clip in `per_clip`:
        `mouth_correlation`: opening of the generated mouth against the drawn one, Pearson, mean over clips; also per language
        (`_en` ...), `_worst` clip, and `_wrong_audio`: against what was drawn for every other clip's sound. All clips begin
        with 0.3 s of silence, which helps both; `_speaking` leaves out silence before and after speech.
        `mouth_amplitude`: spread of the generated opening over that of the drawn one.
        `av_offset_frames`: lag of best mean correlation; positive: the mouth is late.
        `bilabial_closure`: share of p, b, m at which lips close, of those `bilabials` where they were open before or after;
        `_wrong_audio`: at the moments of other clips, which is chance.
        `viseme_accuracy`: recall of five mouth shapes (closed, open, wide, round, teeth), mean over shapes.
        `identity_top1`, `identity_margin`: see `identity`; frames with an open mouth only.
        `expression_correlation`: of brows, eyes and nods (those of them that the voice moves), mean over clips and parts.
        `blink_correlation`: lids against the idle motion that was asked for.
        `seam_ratio`: change across clip borders over change within clips, within four frames of them.
        `background_noise_ratio`: frame-to-frame noise of still background of encoded clips, over that of the encoded truth
        (`background_noise`, `background_noise_truth` in grey values); three pixels beside what moves are left out, and in
        `_far` fifteen more.
        `psnr_face` (dB), `ssim_face`, `face_error`, `full_frame_error` (RMS, 0..1), each with `_copy`: of the portrait shown
        instead; `grain`: texture that the drawing does not have (median absolute second difference, 0..1).
        `cpu_seconds_per_frame`: process time over generated frames.

        speed: `speed_spearman` of the head speeds asked for (0 to 20 degrees a second, several presenters) and those read
        from pictures, `speed_read` for each; `blinks_per_minute` with idle motion of production's own.

        drift: `drift_60s`, the largest relative change of contrast, sharpness and identity margin from second 2 to second 60
        of one take, each relative to the drawn truth.

        voice: `real_voice_auc`, see `recordings`.

        work: `seconds_per_second`, see `work`.

        `bars`: for every figure with a bar, its value, the bar, and whether it is met.

    Raises:
        MissingEngineError, InputError: there is no such checkpoint or figure, or a recording cannot be read.
    """
    from models.emo.evaluation import measures
    from models.emo.evaluation.takes import clip_frames_of, renderer_of

    wanted = sections_for(only)
    renderer = renderer_of(checkpoint, models_dir)
    parts = ("fit", *wanted)
    total, done = sum(_SHARES[part] for part in parts), 0.0

    def within(part: str) -> Callable[[float], None]:
        begun = done

        def tell(share: float) -> None:
            if progress is not None:
                progress(min(1.0, (begun + share * _SHARES[part]) / total))

        return tell

    began, work = time.monotonic(), time.process_time()
    figures: dict[str, Any] = {
        "checkpoint": renderer.info.name,
        "fingerprint": renderer.info.fingerprint,
        "size": renderer.info.size,
        "steps": steps or renderer.info.steps,
        "held_out_language": HELD_OUT_LANGUAGE,
    }
    if wanted != ("work",):
        instruments = measures.fitted_instruments(renderer.info.size)
    for part in parts:
        tell = within(part)
        if part == "speech":
            clip_frames = clip_frames_of(checkpoint, models_dir)
            figures |= measures.measure_speech(renderer, instruments, clip_frames, clips, seconds, steps, tell)
        elif part == "speed":
            figures |= measures.measure_speed(renderer, instruments, steps, tell)
        elif part == "drift":
            figures |= measures.measure_drift(renderer, instruments, steps, tell)
        elif part == "voice":
            figures |= measures.measure_voice(renderer, instruments, recordings, steps, tell)
        elif part == "work":
            figures |= measures.measure_pace(checkpoint, models_dir, steps, tell)
        done += _SHARES[part]
    figures["evaluation_seconds"] = round(time.monotonic() - began, 1)
    figures["evaluation_cpu_seconds"] = round(time.process_time() - work, 1)
    per_clip = figures.pop("per_clip", None)
    figures["bars"] = judged(figures)
    if per_clip is not None:
        figures["per_clip"] = per_clip
    return figures
