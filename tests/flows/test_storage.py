"""Productions whose artifacts and videos are on S3: what one machine made, another finds."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from media.video import probe_video

STILL = ("--engine", "render=still", "--aspect", "1:1")

Machine = Callable[..., Any]

ANA = ("ana.en.json", "ana.en.mp4", "ana.en.srt", "ana.en.vtt", "production.json")


@pytest.fixture
def machine(
    seeded_home: Path, tmp_path: Path, bucket: Any, portrayal: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Machine:
    """Produces with a home of its own, in a process of its own if that is wished; nothing is shared but the script."""

    def produce(name: str, script: Path, out: str, *, own_process: bool = False, code: int = 0, **more: str) -> Any:
        home = tmp_path / name
        if not home.exists():
            home.mkdir()
            shutil.copy(seeded_home / "catalog.db", home)
        own = {"PORTRAYAL_HOME": str(home), "PORTRAYAL_STORE_URL": f"s3://{bucket.name}/artifacts"}
        own |= {"PORTRAYAL_RENDERERS": "1" if own_process else "0", "PORTRAYAL_STORE_PATIENCE": "2"} | more
        arguments = ["produce", str(script), "--out", out, *STILL, "--json"]
        if not own_process:
            for variable, value in own.items():
                monkeypatch.setenv(variable, value)
            answer = portrayal(*arguments)
            assert answer.code == code, answer
            return answer.json if code == 0 else answer.err
        command = [sys.executable, "-m", "flows.cli", *arguments]
        made = subprocess.run(command, env=os.environ | own, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(made.stdout)

    return produce


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_what_one_machine_made_another_finds_and_mends(
    machine: Machine, bucket: Any, script: Path, tmp_path: Path
) -> None:
    counts = ("rendered", "reused", "turns_spoken", "turns_reused", "videos_assembled")
    elsewhere = f"s3://{bucket.name}/videos"
    first = machine("first", script, elsewhere, own_process=True)
    assert [first["figures"][one] for one in counts] == [5, 0, 3, 0, 1]
    assert first["out"] == elsewhere and first["renditions"][0]["video"] == f"{elsewhere}/talk.en.mp4"
    published = {one.key.removeprefix("videos/") for one in bucket.objects.filter(Prefix="videos/")}
    assert published == {"production.json", *(f"talk.en.{suffix}" for suffix in ("mp4", "vtt", "srt", "json"))}
    assert all(one["clip"].startswith(f"s3://{bucket.name}/artifacts/clips/") for one in first["segments"])
    record = json.loads(bucket.Object("videos/production.json").get()["Body"].read())
    assert str(tmp_path / "first") not in json.dumps(record)

    second = machine("second", script, str(tmp_path / "out"))
    assert [second["figures"][one] for one in counts] == [0, 5, 0, 3, 0]
    video = tmp_path / "out" / "talk.en.mp4"
    assert video.read_bytes() == bucket.Object("videos/talk.en.mp4").get()["Body"].read()
    assert probe_video(video).frames > 0

    # A clip and the video are damaged where they are: the third machine makes both anew, and nothing else.
    clip = bucket.Object("artifacts/clips/" + first["segments"][1]["clip"].rpartition("/")[2])
    (whole,) = list(bucket.objects.filter(Prefix="artifacts/videos/"))
    for damaged in (clip, whole.Object()):
        damaged.put(Body=b"half", Metadata=damaged.metadata)
    third = machine("third", script, elsewhere)
    assert [third["figures"][one] for one in counts] == [1, 4, 0, 3, 1]
    assert whole.Object().get()["Body"].read() == video.read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_a_campaign_publishes_into_a_bucket_what_was_approved_and_another_machine_finds_its_scripts(
    bucket: Any,
    s3_network: Any,
    portrayal: Callable[..., Any],
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from flows.localize import missing_renditions
    from tasks.sources import read_source

    monkeypatch.setenv("PORTRAYAL_STORE_URL", f"s3://{bucket.name}/artifacts")
    monkeypatch.setenv("PORTRAYAL_STORE_PATIENCE", "2")
    (tmp_path / "hello.txt").write_text("language: en\nspeaker: Ann = feminine\nAnn: Hi {name}.\n  es: Hola {name}.\n")
    (tmp_path / "spring.csv").write_text(
        "request_id,source,languages,var.name\nana,hello.txt,en,Ana\nbo,hello.txt,en,Bo\n"
    )
    out = f"s3://{bucket.name}/videos"
    queue = ("campaign", "queue", "spring.csv", "--out", out, "--engine", "render=still", "--approve")
    assert portrayal(*queue).code == 0
    answer = portrayal("campaign", "run", "spring", "--json")
    assert answer.code == 0 and answer.json["by_state"] == {"awaiting approval": 2}, answer.err

    def keys(folder: str) -> list[str]:
        return [one.key.removeprefix(f"{folder}/") for one in bucket.objects.filter(Prefix=f"{folder}/")]

    waiting = keys("artifacts/unpublished")
    assert len(waiting) == 10 and keys("videos") == [], "nobody sees what waits for approval"
    assert portrayal("campaign", "approve", "spring", "--row", "ana").code == 0
    assert keys("videos") == [f"ana/{name}" for name in ANA] and len(keys("artifacts/unpublished")) == 5
    record = json.loads(bucket.Object("videos/ana/production.json").get()["Body"].read())
    assert "unpublished" not in json.dumps(record) and record["renditions"][0]["video"] == f"{out}/ana/ana.en.mp4"
    video = bucket.Object("videos/ana/ana.en.mp4").get()
    assert hashlib.sha256(video["Body"].read()).hexdigest() == video["Metadata"]["sha256"]
    shown = {one["id"]: one["renditions"][0]["video"] for one in portrayal("report", "--json").json}
    s3_network.requests = lambda piece, number: None if piece.startswith(b"PUT ") and b"/videos/bo/" in piece else piece
    answer = portrayal("campaign", "approve", "spring", "--json")
    assert answer.code == 2 and "does not answer as it should" in answer.json["problems"][0]
    s3_network.heal()
    states = [one["state"] for one in portrayal("campaign", "status", "spring", "--json").json]
    assert states == ["done", "awaiting approval"], "it is not the row's fault"
    assert portrayal("campaign", "approve", "spring").code == 0
    assert len(keys("videos")) == 10 and keys("artifacts/unpublished") == []
    assert shown["ana"] == f"{out}/ana/ana.en.mp4" and shown["bo"].startswith(f"s3://{bucket.name}/artifacts/")
    # Another machine, which shares the catalog and the store.
    monkeypatch.setenv("PORTRAYAL_DATABASE_URL", f"sqlite:///{home / 'catalog.db'}")
    monkeypatch.setenv("PORTRAYAL_HOME", str(tmp_path / "elsewhere"))
    missing = {one.production_id: one for one in missing_renditions()}
    assert {name: one.languages for name, one in missing.items()} == {"ana": ("es",), "bo": ("es",)}
    source = read_source(missing["ana"].request())
    assert source.production_id == "ana" and Path(source.path).is_relative_to(tmp_path / "elsewhere")
    assert source.script is not None and source.script.dialogues["es"].turns[0].text == "Hola Ana."
    (kept,) = keys("artifacts/scripts")[:1]
    bucket.Object(f"artifacts/scripts/{kept}").delete()
    assert list(missing_renditions()) == [missing["bo"]], "a source that is gone is left out"


def test_a_store_that_is_gone_or_is_none_is_said_before_any_work(
    machine: Machine, script: Path, tmp_path: Path
) -> None:
    for environment, code, words in (
        ({"PORTRAYAL_STORE_URL": "s3://nobody-made-this"}, 1, ("no bucket 'nobody-made-this'",)),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, 2, ("127.0.0.1:9 does not answer", "again")),
    ):
        said = machine("home", script, str(tmp_path / "out"), code=code, **environment)
        assert said.count("\n") == 1 and said.startswith("portrayal: ") and all(word in said for word in words), said
        assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_a_store_that_goes_away_while_work_goes_on_is_said_and_the_next_run_goes_on(
    machine: Machine, bucket: Any, script: Path, s3_network: Any, tmp_path: Path
) -> None:
    def cut_after_the_second_clip(piece: bytes, number: int) -> bytes | None:
        clips = [one for one in bucket.objects.filter(Prefix="artifacts/clips/") if one.key.endswith(".mp4")]
        return piece if len(clips) < 2 else None

    s3_network.requests = cut_after_the_second_clip
    said = machine("home", script, str(tmp_path / "out"), code=2)
    lines = [line for line in said.splitlines() if line.startswith("portrayal: ")]  # Prefect logs there, too
    assert len(lines) == 1 and "does not answer as it should" in lines[0] and "again" in lines[0], said
    s3_network.heal()
    figures = machine("home", script, str(tmp_path / "out"))["figures"]
    assert (figures["turns_spoken"], figures["reused"], figures["rendered"]) == (0, 2, 3)
