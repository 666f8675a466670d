"""The main job with the preview engine, on a real Prefect server: what is made, and what is not made again."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.audio import read_audio, wav_bytes
from media.loudness import measure
from media.provenance import read_metadata
from media.video import probe_video

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

STILL = ("--engine", "render=still")


@pytest.fixture
def produce(portrayal: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Produces into `out`, and returns what `--json` printed."""

    def call(source: Path, *options: object, code: int = 0) -> Any:
        answer = portrayal("produce", source, "--out", tmp_path / "out", *STILL, *options, "--json")
        assert answer.code == code, answer
        return answer.json

    return call


def test_a_script_becomes_one_video_per_language(produce: Callable[..., Any], script: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = produce(script, "--lang", "en", "--lang", "es")
    assert sorted(path.name for path in out.iterdir()) == [
        "production.json",
        *(f"talk.{language}.{suffix}" for language in ("en", "es") for suffix in ("json", "mp4", "srt", "vtt")),
    ]
    for language in ("en", "es"):
        video = out / f"talk.{language}.mp4"
        info = probe_video(video)
        assert (info.width, info.height) == (1280, 720)
        assert info.audio_duration is not None and abs(info.duration - info.audio_duration) <= 0.04
        tags = read_metadata(video)
        assert tags["comment"].startswith("AI-generated") and tags["language"] == language
        loudness, peak = measure(read_audio(video, 48_000), 48_000)
        assert abs(loudness + 16) < 1 and peak < -1
    assert "Sí." in (out / "talk.es.vtt").read_text() and "Bob: No." in (out / "talk.es.srt").read_text()
    record = json.loads((out / "production.json").read_text())
    assert [turn["text"] for turn in record["renditions"][0]["turns"]] == ["Yes.", "No.", "Why?"]
    portraits = {one["speaker"]: one for one in record["portraits"]}
    assert portraits["Ann"]["presentation"] == "feminine" and portraits["Bob"]["presentation"] == "masculine"
    assert all(one["reason"] and one["licence"] and one["consents"] for one in portraits.values())
    assert record["disclosure"]["text"].startswith("AI-generated")
    assert "still/1" in record["engines"]["render"] and record["engines"]["synthesis"].startswith("espeak")
    # Three turns in two languages and an idle clip of each speaker.
    assert record["figures"]["segments"] == record["figures"]["rendered"] == 8
    assert made["status"] == "done" and made["renditions"][0]["video"] == str(out / "talk.en.mp4")


def test_a_draft_is_marked_in_picture_file_name_and_record(
    portrayal: Callable[..., Any], script: Path, tmp_path: Path
) -> None:
    from media.video import read_frames

    out = tmp_path / "out"
    answer = portrayal("produce", script, "--out", out, "--draft", "--lang", "en", "--json")
    assert answer.code == 0, answer
    assert sorted(path.name for path in out.iterdir()) == [
        "production.draft.json",
        *(f"talk.en.draft.{suffix}" for suffix in ("json", "mp4", "srt", "vtt")),
    ]
    assert json.loads((out / "production.draft.json").read_text())["draft"] is True
    assert read_metadata(out / "talk.en.draft.mp4")["title"].startswith("DRAFT")
    for frame in read_frames(out / "talk.en.draft.mp4"):
        corner = frame[30:50, 24:30].astype(int)  # the plate, left of its letters
        assert (corner[..., 0] > corner[..., 1] + 80).mean() > 0.9
    # A production that was only previewed still lacks its video.
    assert all(one["renditions"] == [] for one in portrayal("report", "--json").json)


def test_whoever_is_not_of_the_starter_cast_is_never_drafted(
    portrayal: Callable[..., Any], script: Path, tmp_path: Path
) -> None:
    from catalog.portraits import seed
    from catalog.session import session_factory
    from models.avatars.presenters import random_presenter
    from tasks import workspace
    from tasks.portraits import _starter_facts

    somebody = _starter_facts(random_presenter(np.random.default_rng(1)), workspace.store())
    with session_factory(workspace.catalog()).begin() as session:
        seed(session, [somebody])
    for command in (("plan", script), ("produce", script, "--out", tmp_path / "out")):
        answer = portrayal(*command, "--draft", "--cast", f"Ann={somebody.slug}")
        assert answer.code == 1 and "Ann" in answer.err and f"'{somebody.slug}'" in answer.err, answer
    assert not (tmp_path / "out").exists()


def test_a_production_outlives_its_databases_end(
    produce: Callable[..., Any], script: Path, postgresql_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg
    from sqlalchemy import event

    from tasks import workspace

    with psycopg.connect(f"{postgresql_server}/postgres", autocommit=True) as administrator:
        administrator.execute("CREATE DATABASE cut_off")
        monkeypatch.setenv("PORTRAYAL_DATABASE_URL", f"{postgresql_server}/cut_off")
        cut_off: list[str] = []

        def terminate(connection: Any, _cursor: Any, statement: str, *_: object) -> None:
            if statement.startswith(("INSERT INTO renditions", "INSERT INTO segments")) and statement not in cut_off:
                cut_off.append(statement)
                pid = connection.connection.driver_connection.info.backend_pid
                administrator.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

        event.listen(workspace.catalog(), "before_cursor_execute", terminate)
        made = produce(script, "--lang", "en")
        workspace.catalog().dispose()
    assert len(cut_off) == 2 and made["status"] == "done"
    assert made["figures"]["segments"] == 5 and made["figures"]["rendered"] + made["figures"]["reused"] == 5


def test_a_second_run_renders_nothing_and_changes_no_video(
    produce: Callable[..., Any], script: Path, tmp_path: Path
) -> None:
    produce(script)
    video = tmp_path / "out" / "talk.en.mp4"
    before = video.stat().st_mtime_ns, video.read_bytes()
    again = produce(script)
    assert again["figures"]["rendered"] == 0 and again["renditions"][0]["assembled_before"]
    assert (video.stat().st_mtime_ns, video.read_bytes()) == before
    video.unlink()
    restored = produce(script)
    assert restored["figures"]["rendered"] == 0 and video.read_bytes() == before[1]


def test_changing_one_line_renders_that_line_only(produce: Callable[..., Any], script: Path, tmp_path: Path) -> None:
    first = produce(script)
    script.write_text(script.read_text().replace("Bob: No.", "Bob: Never."))
    second = produce(script)
    assert second["figures"]["rendered"] == 1
    before, after = ([turn["segment"] for turn in made["renditions"][0]["turns"]] for made in (first, second))
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]
    assert [one["portrait"] for one in first["portraits"]] == [one["portrait"] for one in second["portraits"]]


def test_an_edit_speaks_and_renders_only_what_it_changes_in_every_language(
    produce: Callable[..., Any], portrayal: Callable[..., Any], script: Path
) -> None:
    languages = ("--lang", "en", "--lang", "es")

    def counts(made: Any) -> dict[str, tuple[int, int, int, int]]:
        """By language: turns spoken and reused, clips rendered and reused (an idle clip of each speaker among them)."""
        figures = ("turns_spoken", "turns_reused", "rendered", "reused")
        rows = {one["language"]: tuple(one[figure] for figure in figures) for one in made["renditions"]}
        assert [made["figures"][figure] for figure in figures[:2]] == [
            sum(row[i] for row in rows.values()) for i in (0, 1)
        ]
        return rows

    assert counts(produce(script, *languages)) == {"en": (3, 0, 5, 0), "es": (3, 0, 5, 0)}
    assert counts(produce(script, *languages)) == {"en": (0, 3, 0, 5), "es": (0, 3, 0, 5)}
    # The text of Bob's line, in English only.
    script.write_text(script.read_text().replace("Bob: No.", "Bob: Never."))
    assert counts(produce(script, *languages)) == {"en": (1, 2, 1, 4), "es": (0, 3, 0, 5)}
    # The voice of Bob, who has one line of three; then Ann's, who has two.
    voices = ("--voice", "Bob=david:35")
    assert counts(produce(script, *languages, *voices)) == {"en": (1, 2, 1, 4), "es": (1, 2, 1, 4)}
    voices += ("--voice", "Ann=f4")
    assert counts(produce(script, *languages, *voices)) == {"en": (2, 1, 2, 3), "es": (2, 1, 2, 3)}
    # Bob's portrait: his line and how he listens are rendered anew, and nothing is spoken.
    made = produce(script, *languages, *voices)
    used = {one["portrait"] for one in made["portraits"]}
    rows = portrayal("catalog", "list", "--json").json
    other = next(one["slug"] for one in rows if one["slug"] not in used)
    made = produce(script, *languages, *voices, "--cast", f"Bob={other}")
    assert counts(made) == {"en": (0, 3, 2, 3), "es": (0, 3, 2, 3)}
    assert made["figures"]["rendered"] == 3  # two lines, and the idle clip that the languages share
    assert {one["voices"]["Bob"]["name"] for one in made["renditions"]} == {"david"}


def test_another_language_keeps_the_cast_and_the_record_of_the_first(
    produce: Callable[..., Any], script: Path, tmp_path: Path
) -> None:
    english = produce(script, "--lang", "en")
    spanish = produce(script, "--lang", "es")
    assert [one["portrait"] for one in english["portraits"]] == [one["portrait"] for one in spanish["portraits"]]
    assert [one["language"] for one in spanish["renditions"]] == ["es", "en"]
    keys = {one["key"] for one in spanish["segments"]}
    assert all(turn["segment"] in keys for one in spanish["renditions"] for turn in one["turns"])


def test_captions_only_as_asked_for(produce: Callable[..., Any], script: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for option, files in (("none", ["talk.en.mp4"]), ("burn", ["talk.en.mp4"])):
        made = produce(script, "--captions", option)
        assert sorted(path.name for path in out.glob("talk*")) == files and made["renditions"][0]["captions"] == []
    without = (out / "talk.en.mp4").read_bytes()
    produce(script, "--captions", "sidecar")
    assert sorted(path.name for path in out.glob("talk*")) == [
        f"talk.en.{suffix}" for suffix in ("json", "mp4", "srt", "vtt")
    ]
    assert (out / "talk.en.mp4").read_bytes() != without


def test_a_recording_keeps_its_own_sound_and_times(produce: Callable[..., Any], tmp_path: Path) -> None:
    recording, rttm = a_conversation(tmp_path)
    (tmp_path / "call.vtt").write_text(
        "WEBVTT\n\n00:00.200 --> 00:01.400\n<v Ann>How are you today?\n\n00:01.700 --> 00:03.000\n<v Bob>Fine, thank you.\n"
    )
    made = produce(recording, "--rttm", rttm, "--layout", "gallery", "--aspect", "1:1")
    rendition = made["renditions"][0]
    assert rendition["language"] == "en"
    assert [(turn["speaker"], turn["text"]) for turn in rendition["turns"]] == [
        ("Ann", "How are you today?"),
        ("Bob", "Fine, thank you."),
    ]
    info = probe_video(Path(rendition["video"]))
    assert (info.width, info.height) == (960, 960)
    source = read_audio(recording, 16_000)
    assert abs(info.duration - len(source) / 16_000) <= 0.04
    # The sound is the recording's: at the same times, only louder.
    heard = read_audio(Path(rendition["video"]), 16_000)[: len(source)]
    lag = int(np.argmax(np.correlate(heard, source[4000:-4000], mode="valid"))) - 4000
    assert abs(lag) <= 0.04 * 16_000
    assert produce(recording, "--rttm", rttm, "--aspect", "1:1")["figures"]["rendered"] == 0


def test_a_recording_that_nobody_wrote_down_has_no_captions_and_says_so(
    produce: Callable[..., Any], tmp_path: Path
) -> None:
    recording, rttm = a_conversation(tmp_path)
    made = produce(recording, "--rttm", rttm)
    assert [path.name for path in (tmp_path / "out").glob("call*")] == ["call.und.mp4"]
    assert sum("No captions" in note for note in made["notes"]) == 1


def test_one_bad_segment_is_named_and_everything_else_is_kept(
    produce: Callable[..., Any], portrayal: Callable[..., Any], script: Path, home: Path, tmp_path: Path
) -> None:
    slugs = {one["speaker"]: one["portrait"] for one in portrayal("catalog", "cast", script, "--json").json}
    picture = Path(portrayal("catalog", "show", slugs["Bob"], "--json").json["picture"].removeprefix("file://"))
    whole = picture.read_bytes()
    picture.write_bytes(b"not a picture")
    answer = portrayal("produce", script, "--out", tmp_path / "out", *STILL, "--json")
    assert answer.code == 2
    assert "turn 2 (Bob) in en" in answer.err
    made = answer.json
    assert made["status"] == "incomplete" and made["figures"]["failed"] == 2  # the turn, and Bob's idle clip
    assert made["figures"]["rendered"] == 3
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["production.json"]
    assert portrayal("report", "--json").json[0]["state"] == "incomplete"
    picture.write_bytes(whole)
    mended = produce(script)
    assert mended["status"] == "done" and mended["figures"]["rendered"] == 2
    assert portrayal("report", "--json").json[0]["state"] == "done"


def test_a_consent_that_is_revoked_while_work_goes_on_stops_the_rendering(
    produce: Callable[..., Any], portrayal: Callable[..., Any], script: Path, home: Path
) -> None:
    from media.errors import RightsError
    from media.segment import Segment
    from tasks.rendering import RenderJob, render

    slug = str(portrayal("catalog", "list", "--json").json[0]["slug"])
    facts = portrayal("catalog", "show", slug, "--json").json
    segment = Segment("portraits/x.png", "audio/x.wav", (0.2, 0.2, 0.8, 0.8), "still", "still/1")
    job = RenderJob(segment, 5, 25, "turn 1 (Ann) in en", slug)
    assert portrayal("catalog", "consent", "revoke", facts["consents"][0]["id"]).code == 0
    with pytest.raises(RightsError, match=slug):
        render(job)


def test_a_consent_that_is_revoked_before_the_last_video_is_published_stops_that_one(
    portrayal: Callable[..., Any], script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from catalog.portraits import find_portrait, revoke_consent
    from catalog.session import session_factory
    from tasks import assembling, workspace

    record = assembling.record_speed  # called between putting a video together and publishing it
    slug = {one["speaker"]: one["portrait"] for one in portrayal("catalog", "cast", script, "--json").json}["Bob"]
    videos: list[str] = []

    def revoke_before_the_second(*arguments: Any) -> None:
        record(*arguments)
        videos.append(str(arguments[0]))
        if len(videos) == 2:
            with session_factory(workspace.catalog()).begin() as session:
                revoke_consent(session, find_portrait(session, slug).consents[0].id)

    monkeypatch.setattr(assembling, "record_speed", revoke_before_the_second)
    answer = portrayal("produce", script, "--out", tmp_path / "out", *STILL, "--lang", "en", "--lang", "es", "--json")
    assert answer.code == 1
    assert "talk.es.mp4 is not published" in answer.err and f"'{slug}'" in answer.err and "revoked" in answer.err
    assert sorted(path.name for path in (tmp_path / "out").glob("*.mp4")) == ["talk.en.mp4"]
    outcome = {
        one["language"]: one["status"]
        for one in json.loads((tmp_path / "out/production.json").read_text())["renditions"]
    }
    assert outcome == {"en": "done", "es": "incomplete"}
    shown = portrayal("catalog", "audit", slug, "--json").json
    assert [(one["language"], one["speaker"], one["today"][:7]) for one in shown] == [("en", "Bob", "revoked")]
    assert portrayal("catalog", "audit", slug, "--changes", "--json").json[0]["table"] == "consents"


def test_a_person_reads_a_table_and_a_program_reads_json(
    produce: Callable[..., Any], portrayal: Callable[..., Any], script: Path, tmp_path: Path
) -> None:
    answer = portrayal("produce", script, "--out", tmp_path / "out", *STILL)
    assert answer.code == 0
    assert "talk.en.mp4" in answer.out and "production.json" in answer.out
    assert "Render the clips" in answer.err
    machine = portrayal("produce", script, "--out", tmp_path / "out", *STILL, "--json")
    assert machine.err == "" and machine.json["figures"]["rendered"] == 0


def test_a_plan_says_what_is_cached_and_how_long_the_rest_takes(
    produce: Callable[..., Any], portrayal: Callable[..., Any], script: Path, tmp_path: Path
) -> None:
    first = portrayal("plan", script, *STILL, "--lang", "en", "--lang", "es", "--json").json
    assert first["to_render"] == 8 and first["cached"] == 0 and first["estimated_seconds"] > 0
    assert not (tmp_path / "out").exists()
    assert portrayal("report", "--json").json == []
    made = produce(script, "--lang", "en")
    assert [one["portrait"] for one in made["portraits"]] == [one["portrait"] for one in first["castings"]]
    second = portrayal("plan", script, *STILL, "--lang", "en", "--lang", "es", "--json").json
    assert second["to_render"] == 3 and second["cached"] == 5
    text = portrayal("plan", script, *STILL).out
    assert "cached" in text and "Ann" in text and "about" in text


@pytest.mark.timeout(600)
def test_killed_in_every_stage_nothing_that_was_finished_is_made_twice(
    home: Path, tmp_path: Path, translation_server: Any
) -> None:
    recording = a_longer_conversation(tmp_path)
    command = [sys.executable, "-m", "flows.cli", "produce", str(recording), "--out", str(tmp_path / "out"), *STILL]
    command += ["--engine", "diarization=dvector", "--speakers", "2", "--layout", "spotlight", "--aspect", "1:1"]
    command += ["--source-lang", "en", "--lang", "en", "--lang", "de", "--engine", "translation=openai"]
    environment = os.environ | {"PORTRAYAL_RENDERERS": "2", "PORTRAYAL_TRANSLATION_MODEL": "polyglot"}
    environment |= {"PORTRAYAL_TRANSLATION_URL": translation_server.url}
    # For one of the runs, a server of its own, which shall end with it.
    alone = {key: value for key, value in environment.items() if not key.startswith("PREFECT_")}
    store = home / "artifacts"
    translating = threading.Event()

    def wait(entries: list[Any], turn: int) -> list[Any]:
        translating.set()
        time.sleep(1.0 if turn == 1 else 0.0)
        return entries

    translation_server.fault = wait

    def there(*kinds: str) -> dict[Path, tuple[int, int]]:
        """Finished artifacts, and what changes when one is made again."""
        found = (path for kind in kinds or ("*",) for path in store.glob(f"{kind}/[0-9a-f]*"))
        return {path: (state.st_ino, state.st_mtime_ns) for path in found for state in [path.stat()]}

    finished: dict[Path, tuple[int, int]] = {}
    for stage, begun in (
        ("Listen to the recording", lambda: True),
        ("Listen to the recording", lambda: there("diarizations")),
        ("Translate what is said", translating.is_set),
        ("Speak the script", lambda: len(there("speech")) >= 2),
        ("Render the clips", lambda: len(there("clips")) >= 6),  # three clips, each with its measurements
        ("Assemble the video", lambda: there("videos")),
    ):
        run = Run(command, alone if stage == "Render the clips" else environment)
        run.kill_when(stage, begun)
        assert not any(is_alive(child) for child in run.children_afterwards()), (
            f"{stage}: something outlives the command"
        )
        assert run.stages[-1] == stage, f"it was killed too late: {run.stages}"
        assert {path: state for path, state in there().items() if path in finished} == finished, stage
        finished = there()
        # Videos come out whole, and the record when all of them are there. What was being copied has a name with a dot.
        assert [path.name for path in (tmp_path / "out").glob("[!.]*")] in ([], ["call.en.mp4"])
    assert len(there("diarizations")) == len(there("alignments")) == len(there("videos")) == 1
    assert len(translation_server.asked) == 2  # the first time it was killed before it had the answer
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    last = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "Traceback" not in last.stderr and "resource_tracker" not in last.stderr
    made = json.loads(last.stdout)
    english, german = made["renditions"]
    figures = made["figures"]
    assert (made["status"], english["assembled_before"], german["assembled_before"]) == ("done", True, False)
    assert {name: figures[name] for name in ("heard", "turns_translated", "turns_spoken", "rendered")} == {
        "heard": [], "turns_translated": 0, "turns_spoken": 0, "rendered": 0
    }  # fmt: skip
    assert figures["turns_reused"] == len(german["turns"]) >= 4 and figures["videos_assembled"] == 1
    assert {path: state for path, state in there().items() if path in finished} == finished
    assert german["turns"][0]["text"] == f"<{english['turns'][0]['text']}>" and len(german["voices"]) == 2
    assert german["translation"]["machine_translated_turns"] == list(range(1, len(german["turns"]) + 1))
    captions = (tmp_path / "out" / "call.de.srt").read_text().replace("‹", "<").replace("›", ">")
    assert "<Good morning, how are you today?>" in " ".join(captions.split())
    # To find that all is there takes less than the processor time of 20 seconds on two cores.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 30


class Run:
    """A command line as a process of its own, of which it is seen in which stage it is."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self._children: list[int] = []
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append(line.rstrip())

    @property
    def stages(self) -> list[str]:
        return [line.removesuffix(" ...") for line in self.lines if line.endswith(" ...")]

    def kill_when(self, stage: str, begun: Callable[[], Any]) -> None:
        """Kill it, and nothing else, as soon as it is in a stage and `begun` says so."""
        deadline = time.monotonic() + 200
        while not (stage in self.stages and begun()):
            assert self._process.poll() is None and time.monotonic() < deadline, self.lines
            time.sleep(0.002)
        self._process.send_signal(signal.SIGSTOP)  # so that it has no child that is not seen here
        self._children = children_of(self._process.pid)
        self._process.send_signal(signal.SIGKILL)
        assert self._process.wait() == -signal.SIGKILL, self.lines
        self._reader.join()

    def children_afterwards(self) -> list[int]:
        """Its children (server, renderers) that are still there after the time in which they notice its end."""
        deadline = time.monotonic() + 20
        while (alive := [child for child in self._children if is_alive(child)]) and time.monotonic() < deadline:
            time.sleep(0.05)
        return alive


def a_longer_conversation(folder: Path) -> Path:
    """Two synthetic voices in turn, with a transcript beside."""
    from media.audio import resample
    from models.speech.engines import synthesizer

    engine = synthesizer("espeak")
    voices = dict(zip(("Ann", "Bob"), engine.voices("en", 2, ["feminine", "masculine"]), strict=True))
    sounds, cues, at = [], ["WEBVTT", ""], 0.0
    for name, text in (
        ("Ann", "Good morning, how are you today?"),
        ("Bob", "I am very well, thank you for asking."),
        ("Ann", "Did you sleep well in the end?"),
        ("Bob", "The whole night, like a stone."),
    ):
        speech = engine.speak(text, "en", voices[name])
        sounds += [resample(speech.samples, speech.sample_rate, 16_000), np.zeros(9600, np.float32)]
        end = at + len(sounds[-2]) / 16_000
        cues += [f"00:{at:06.3f} --> 00:{end:06.3f}", f"<v {name}>{text}", ""]
        at = end + 0.6
    (folder / "call.wav").write_bytes(wav_bytes(np.concatenate(sounds), 16_000))
    (folder / "call.vtt").write_text("\n".join(cues))
    return folder / "call.wav"


def test_the_short_demo_makes_both_videos_and_says_how_good_the_diarization_is(
    portrayal: Callable[..., Any], tmp_path: Path
) -> None:
    answer = portrayal("demo", "--short", "--out", tmp_path / "out", *STILL)
    assert answer.code == 0, answer
    assert sorted(path.name for path in (tmp_path / "out").glob("*.mp4")) == ["launch.en.mp4", "telephone-call.en.mp4"]
    assert "Diarization error rate" in answer.out and "launch.en.mp4" in answer.out
    assert {path.name for path in (tmp_path / "out").glob("*.json")} == {
        "production.json",
        "telephone-call.production.json",
        "launch.en.json",
        "telephone-call.en.json",
    }


def a_conversation(folder: Path) -> tuple[Path, Path]:
    """Two synthetic voices, three seconds, and who speaks when."""
    from models.speech.engines import synthesizer

    engine = synthesizer("espeak")
    ann, bob = engine.voices("en", 2, ["feminine", "masculine"])
    track = np.zeros(round(3.2 * 16_000), np.float32)
    for start, text, voice in ((0.2, "How are you today?", ann), (1.7, "Fine, thank you.", bob)):
        from media.audio import resample

        speech = engine.speak(text, "en", voice)
        samples = resample(speech.samples, speech.sample_rate, 16_000)
        at = round(start * 16_000)
        track[at : at + len(samples)] = samples[: len(track) - at]
    (folder / "call.wav").write_bytes(wav_bytes(track, 16_000))
    lines = ("SPEAKER call 1 0.2 1.2 <NA> <NA> a <NA> <NA>", "SPEAKER call 1 1.7 1.3 <NA> <NA> b <NA> <NA>", "")
    (folder / "who.rttm").write_text("\n".join(lines))
    return folder / "call.wav", folder / "who.rttm"


def children_of(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(line.split()[0]) for line in found.splitlines() if int(line.split()[1]) == pid]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.strip().startswith("Z")
