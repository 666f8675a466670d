"""The nightly flow: what it makes is what `produce` would make."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from media.errors import RenderError


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_a_missing_language_is_made_as_the_others_were(
    portrayal: Callable[..., Any], script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.localize import localize, missing_renditions

    (tmp_path / "names.yaml").write_text("sí: {es: sii}\n")
    (tmp_path / "terms.yaml").write_text("keep: [Ann]\n")
    other = next(one["slug"] for one in portrayal("catalog", "list", "--json").json[::-1])
    options = (
        "--engine", "render=still", "--engine", "synthesis=espeak", "--name", "night", "--layout", "duet", "--aspect", "1:1",
        "--captions", "sidecar", "--timeline", "locked", "--cast", f"Bob={other}", "--voice", "Ann=f4:70", "--show", "Night",
        "--lexicon", "names.yaml", "--glossary", "terms.yaml", "--seed", "7", "--fps", "20", "--source-lang", "en",
        "--priority", "urgent", "--json",
    )  # fmt: skip
    made = portrayal("produce", "talk.txt", "--out", "out", "--lang", "en", *options)
    assert made.code == 0, made
    monkeypatch.chdir("/")  # where a worker runs
    (missing,) = missing_renditions()
    assert missing.languages == ("es",)
    asked = missing.request().model_dump(mode="json")
    assert asked["priority"] is None, "whoever was in a hurry has their video"
    assert asked | {"languages": ["en"], "priority": "urgent"} == made.json["request"]
    assert asked["lexicon"] == str(tmp_path / "names.yaml") and asked["source"] == str(script)
    videos = localize()
    assert videos == [str(tmp_path / "out" / "night.es.mp4")] and missing_renditions() == []
    nightly = json.loads((tmp_path / "out" / "production.json").read_text())
    assert [one["language"] for one in nightly["renditions"]] == ["es", "en"]
    monkeypatch.chdir(tmp_path)
    again = portrayal("produce", "talk.txt", "--out", "other", "--lang", "es", *options).json
    assert again["renditions"][0]["assembled_before"]
    assert again["figures"]["turns_spoken"] == again["figures"]["rendered"] == 0
    assert (tmp_path / "other" / "night.es.mp4").read_bytes() == Path(videos[0]).read_bytes()
    assert again["renditions"][0]["voices"]["Ann"] == nightly["renditions"][0]["voices"]["Ann"]
    assert {"night.es.vtt", "night.es.srt"} <= {path.name for path in (tmp_path / "out").iterdir()}
    # Without its record nobody knows how it was made, and no guess is made.
    for folder in ("out", "other"):
        (tmp_path / folder / "night.es.mp4").unlink()
        (tmp_path / folder / "production.json").unlink()
    with pytest.raises(RenderError, match=r"talk\.txt: .*no record says how night was made; run `portrayal produce`"):
        localize()


def test_a_translation_imported_for_a_recording_is_found_and_made_as_it_was_asked_for(
    home: Path, tmp_path: Path
) -> None:
    from catalog.productions import finish_rendition, open_production, start_rendition
    from catalog.session import session_factory
    from flows.localize import missing_renditions
    from media.localization import Unit
    from media.xliff import write_xliff
    from tasks import workspace
    from tasks.request import checked_request

    recording, video = tmp_path / "call.wav", tmp_path / "out" / "call.en.mp4"
    for path in (recording, video):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"sound")
    request = checked_request(
        source=str(recording), out=str(video.parent), languages=["en"], purpose="advertising", region="DE",
        engines={"transcription": "whisper:small"}, speakers={"exactly": 2},
    )  # fmt: skip
    record = {"production": "call", "request": request.model_dump(mode="json")}
    (video.parent / "production.json").write_text(json.dumps(record))
    with session_factory(workspace.catalog()).begin() as session:
        open_production(
            session,
            id="call",
            title="call",
            source_name=str(recording),
            source_sha256="0" * 64,
            source_kind="recording",
        )
        rendition = start_rendition(session, "call", "en")
        finish_rendition(session, rendition.id, state="done", video_path=str(video), duration_s=1.0)
    assert missing_renditions() == []
    for tag, target in (("de", "Ja."), ("fr", "")):
        units = [Unit("t1", "Yes.", target)]
        (tmp_path / f"call.{tag}.xlf").write_text(write_xliff(units, "en", tag, "call.wav"), encoding="utf-8")
    (missing,) = missing_renditions()
    assert missing.languages == ("de",), "not one that is half done"
    now = missing.request()
    assert (now.languages, now.source_language) == (["de"], "en")
    assert (now.purpose, now.region, now.speakers, now.engines) == (
        request.purpose, request.region, request.speakers, request.engines,
    )  # fmt: skip
    # Asked for once more in German, it was a dub; what is spoken in it was never said.
    record["request"] |= {"languages": ["de"]}
    (video.parent / "production.json").write_text(json.dumps(record))
    assert missing.request().source_language is None


NIGHT = """
import json
import subprocess
import sys
from flows.localize import localize
print("made", json.dumps(localize(languages=["es", "en"])))
"""


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_two_runs_that_overlap_make_each_video_once(
    portrayal: Callable[..., Any], script: Path, tmp_path: Path
) -> None:
    from flows.localize import missing_renditions

    text = script.read_text()
    for name in ("one", "two"):
        (tmp_path / f"{name}.txt").write_text(text.replace("Yes.", f"Yes, {name}."))
        made = portrayal("produce", f"{name}.txt", "--out", name, "--lang", "en", "--engine", "render=still")
        assert made.code == 0, made
    runs = [
        subprocess.Popen([sys.executable, "-c", NIGHT], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [run.communicate(timeout=200)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    made = [path for text in said for path in json.loads(text.split("made ", 1)[1])]
    assert sorted(made) == [str(tmp_path / name / f"{name}.es.mp4") for name in ("one", "two")]
    assert missing_renditions(languages=["es", "en"]) == []
    assert [one.languages for one in missing_renditions(languages=["fr"])] == [("fr",), ("fr",)]
