"""What the embedded diarizer promises, on a real telephone call and on synthetic voices."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from media.errors import InputError
from models.speech.dvector import DvectorDiarizer, _viterbi
from models.speech.error_rate import diarization_error_rate
from models.speech.protocols import Diarization, Samples, SpeakerTurn

ENGINE = DvectorDiarizer()


@pytest.fixture(scope="module")
def told_two(telephone_samples: Samples) -> Diarization:
    return ENGINE.diarize(telephone_samples, 16000, speakers=2)


def test_told_of_two_speakers_it_separates_a_telephone_call(
    told_two: Diarization, telephone_turns: list[SpeakerTurn]
) -> None:
    assert len(told_two.embeddings) == 2
    assert diarization_error_rate(telephone_turns, told_two.turns, collar=0.25) <= 0.05
    assert diarization_error_rate(telephone_turns, told_two.turns) <= 0.2


def test_turns_are_in_order_and_exclusive_and_within_the_recording(told_two: Diarization) -> None:
    assert told_two.turns == told_two.exclusive
    times = [time for turn in told_two.exclusive for time in (turn.start, turn.end)]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= 30
    assert told_two.turns[0].speaker == "SPEAKER_00"


def test_every_speaker_has_a_voice_of_unit_length(told_two: Diarization) -> None:
    assert set(told_two.embeddings) == {turn.speaker for turn in told_two.turns}
    assert all(np.linalg.norm(vector) == pytest.approx(1, abs=1e-4) for vector in told_two.embeddings.values())


def test_left_alone_with_two_voices_that_are_alike_it_says_that_it_is_not_sure(telephone_samples: Samples) -> None:
    found = ENGINE.diarize(telephone_samples, 16000)
    assert len(found.embeddings) == 2 or "not sure" in found.note


def test_it_finds_two_clear_voices_by_itself_at_any_sample_rate(
    dialogue: tuple[Samples, int, list[SpeakerTurn]],
) -> None:
    samples, rate, turns = dialogue
    shares: list[float] = []
    found = ENGINE.diarize(samples, rate, progress=shares.append)
    assert len(found.embeddings) == 2 and "2 speakers" in found.note
    assert diarization_error_rate(turns, found.turns, collar=0.25) <= 0.02
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)


def test_one_voice_is_one_speaker(dialogue: tuple[Samples, int, list[SpeakerTurn]]) -> None:
    samples, rate, turns = dialogue
    ann = np.concatenate([samples[round(t.start * rate) : round(t.end * rate)] for t in turns if t.speaker == "Ann"])
    assert len(ENGINE.diarize(ann, rate).embeddings) == 1
    assert len(ENGINE.diarize(ann, rate, max_speakers=1).embeddings) == 1


def test_a_least_number_of_speakers_is_kept(dialogue: tuple[Samples, int, list[SpeakerTurn]]) -> None:
    samples, rate, _ = dialogue
    assert len(ENGINE.diarize(samples, rate, min_speakers=3).embeddings) == 3


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(100), np.zeros(48000)])
def test_silence_has_no_turns(samples: Samples) -> None:
    found = ENGINE.diarize(samples.astype(np.float32), 16000, speakers=2)
    assert found.turns == () and found.embeddings == {} and "No speech" in found.note


def test_too_little_speech_for_two_is_one_speaker(dialogue: tuple[Samples, int, list[SpeakerTurn]]) -> None:
    samples, rate, turns = dialogue
    start = round(turns[0].start * rate)
    found = ENGINE.diarize(samples[start : start + rate], rate, speakers=2)
    assert len(found.embeddings) == 1 and "too little" in found.note


@pytest.mark.parametrize(
    "numbers", [{"speakers": 0}, {"min_speakers": -1}, {"min_speakers": 3, "max_speakers": 2}, {"max_speakers": 0}]
)
def test_impossible_numbers_of_speakers_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(InputError, match="speakers"):
        ENGINE.diarize(np.zeros(16000, np.float32), 16000, **numbers)


def test_a_detour_through_another_speaker_must_be_worth_its_price() -> None:
    scores = np.array([[1.0, 0.0]] * 5 + [[0.0, 1.0]] * 3 + [[1.0, 0.0]] * 5)
    assert _viterbi(scores, 1.0).tolist() == [0] * 5 + [1] * 3 + [0] * 5
    assert _viterbi(scores, 2.0).tolist() == [0] * 13


def test_it_is_much_faster_than_real_time(telephone_samples: Samples) -> None:
    before = time.process_time()
    ENGINE.diarize(telephone_samples, 16000, speakers=2)
    assert time.process_time() - before < 30 / 5


def test_diarizing_leaves_the_number_of_threads_alone_and_pyannote_audio_unimported(telephone: Path) -> None:
    program = (
        "import sys, torch; torch.set_num_threads(3)\n"
        "from pathlib import Path\n"
        "from media.audio import read_audio\n"
        "from models.speech.engines import diarizer\n"
        "sound = read_audio(Path(sys.argv[1]), 16000)[6 * 16000 : 16 * 16000]\n"
        "found = diarizer('dvector').diarize(sound, 16000, speakers=2)\n"
        "print(len(found.embeddings), torch.get_num_threads(), [one for one in sys.modules if one.startswith('pyannote')])"
    )
    command = [sys.executable, "-c", program, str(telephone / "sample.wav")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=280)
    assert done.stdout.split(maxsplit=2) == ["2", "3", "[]\n"]
