"""`portrayal diarization`: who speaks when, as a file that people can correct, and how well an engine tells."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli_request import JsonOption, MaxSpeakers, MinSpeakers, SpeakerCount

if TYPE_CHECKING:
    from models.speech.error_rate import DiarizationErrors

app = typer.Typer(help="Say who speaks when in recordings, and measure how well.", no_args_is_help=True)

Engine = Annotated[
    str, typer.Option("--engine", metavar="NAME", help="Diarization engine. Default: the best there is.")
]


@app.command()
def run(
    recording: Annotated[Path, typer.Argument(help="A recording (.wav .mp3 .m4a .mp4 ...).")],
    out: Annotated[Path, typer.Option(help="RTTM file to write.")],
    engine: Engine = "auto",
    speakers: SpeakerCount = None,
    min_speakers: MinSpeakers = None,
    max_speakers: MaxSpeakers = None,
    json: JsonOption = False,
) -> None:
    """Write who speaks when as RTTM, to be corrected by hand and given to `produce --rttm`."""
    from flows.console import print_json, progress_on_stderr
    from media.atomic import whole_file
    from media.audio import audio_blocks
    from media.dialogue import Turn
    from media.errors import InputError
    from media.long_sound import LongSound
    from media.rttm import write_rttm
    from models.speech.engines import diarizer
    from tasks import workspace
    from tasks.progress import stage
    from tasks.request import check_counts

    check_counts(speakers, min_speakers, max_speakers)
    if not recording.is_file():
        raise InputError(f"{recording} does not exist; check the path.")
    if not out.parent.is_dir():
        raise InputError(f"--out {out}: there is no folder {out.parent}; make it first.")
    chosen = diarizer(engine)
    with (
        progress_on_stderr(show=not json),
        stage("Listen to the recording", 1.0) as advance,
        LongSound(workspace.scratch()) as sound,
    ):
        for block in audio_blocks(recording, 16_000):
            sound.append(block)
        found = chosen.diarize(
            sound,
            16_000,
            speakers=speakers,
            min_speakers=min_speakers,
            max_speakers=max_speakers,
            progress=advance,
        )
    if not found.turns:
        raise InputError(f"{recording}: no speech was heard in it; check the file.")
    turns = [Turn(turn.speaker, "", turn.start, turn.end) for turn in found.turns]
    with whole_file(out) as draft:
        draft.write_text(write_rttm(turns, recording.stem), encoding="utf-8")
    count = len({turn.speaker for turn in turns})
    if json:
        print_json(
            {
                "file": str(out),
                "engine": chosen.name,
                "version": chosen.version,
                "speakers": count,
                "turns": len(turns),
                "note": found.note,
            }
        )
    else:
        print(
            f"{out}: {len(turns)} turns of {count} speaker{'s' * (count > 1)}, by {chosen.name}. {found.note}".rstrip()
        )


@app.command()
def benchmark(
    folder: Annotated[Path, typer.Argument(help="Folder of NAME.wav or NAME.flac with NAME.rttm.")],
    engine: Engine = "auto",
    told: Annotated[bool, typer.Option("--told", help="Tell the engine how many speakers there are.")] = False,
    json: JsonOption = False,
) -> None:
    """Print an engine's diarization error rate, speaker counts and speed on recordings whose speakers are known."""
    from flows.console import print_json, print_table, progress_on_stderr
    from models.speech.annotated import recordings_in
    from models.speech.diarization_benchmark import COLLAR
    from models.speech.diarization_benchmark import benchmark as scores_of
    from models.speech.engines import diarizer
    from tasks.progress import stage

    chosen = diarizer(engine)
    recordings = recordings_in(folder)
    with progress_on_stderr(show=not json), stage("Listen to the recordings", 1.0) as advance:
        scores = list(scores_of(chosen, recordings, told=told, progress=advance))
    if json:
        from dataclasses import asdict

        document = {"engine": chosen.name, "version": chosen.version, "told": told, "collar": COLLAR}
        print_json(document | {"recordings": [asdict(score) for score in scores]})
        return
    print_table(
        f"{chosen.name} ({chosen.version}){', told how many speakers there are' if told else ''}",
        (
            *("Recording", "Seconds", "Speakers", "Found", "Error rate", "missed + false + confused"),
            *(f"with ±{COLLAR} s", "missed + false + confused", "x real time"),
        ),
        [
            (
                score.recording,
                f"{score.seconds:.1f}",
                str(score.speakers),
                str(score.speakers_found),
                f"{score.error_rate:.1%}",
                _parts(score.errors),
                f"{score.error_rate_with_collar:.1%}",
                _parts(score.errors_with_collar),
                f"{score.times_real_time:.0f}",
            )
            for score in scores
        ],
    )


def _parts(errors: "DiarizationErrors") -> str:
    return f"{errors.missed:.1%} + {errors.false_alarm:.1%} + {errors.confusion:.1%}"
