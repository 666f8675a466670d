"""Whether somebody may be shown is asked when they are cast, before each clip, and once more in the moment of publishing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from catalog.portraits import ConsentFacts, add_consent, find_portrait, revoke_consent
from catalog.rights import list_appearances
from catalog.session import session_factory
from catalog.tables import Consent, Portrait
from media.errors import InputError, RightsError
from tasks import assembling, casting, rendering, segments, workspace
from tasks.request import checked_request
from tasks.sources import read_source
from tasks.speaking import speak

SCRIPT = "language: en\nspeaker: Ann = feminine\n\nAnn: Yes.\n"


def revoke(slug: str) -> None:
    with session_factory(workspace.catalog()).begin() as session:
        for consent in find_portrait(session, slug).consents:
            revoke_consent(session, consent.id)


@pytest.fixture
def made(tmp_path: Path, seeded_home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Works on a script up to the moment before its video is assembled; `assemble` then does that."""
    import shutil

    home = tmp_path / "home"
    shutil.copytree(seeded_home, home)
    monkeypatch.setenv("PORTRAYAL_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.txt").write_text(SCRIPT)

    def work(**options: Any) -> tuple[str, Callable[..., Any], list[Any]]:
        request = checked_request(
            source="talk.txt", out=str(tmp_path / "out"), engines={"render": "still"}, captions="none", **options
        )
        source = read_source(request)
        cast = casting.cast_portraits(request, source, source.dialogue)
        performance = speak(request, source, "en", cast, segments.frames_per_second(request))
        planned = segments.plan_segments(request, performance, cast, listeners=False)
        clips = {one.key: rendering.render(one.job) for one in planned}

        def assemble(advance: Callable[[float], None] = lambda seconds: None) -> Any:
            return assembling.assemble(request, source, performance, (), cast, planned, clips, advance)

        return cast[0].portrait, assemble, [one.job for one in planned]

    return work


def test_a_revocation_while_the_video_is_put_together_stops_it_from_being_published(
    made: Callable[..., Any], tmp_path: Path
) -> None:
    slug, assemble, jobs = made()
    published = Path(assemble().video)
    with session_factory(workspace.catalog(), read_only=True)() as session:
        [appearance] = list_appearances(session, portrait=slug)
    assert (appearance.video, appearance.today) == (str(published), "holds")
    published.unlink()
    done = []

    def revoke_at_the_end(seconds: float) -> None:
        done.append(seconds)
        revoke(slug)

    with pytest.raises(RightsError, match=rf"talk\.en\.mp4 is not published: portrait '{slug}' .*revoked"):
        assemble(revoke_at_the_end)
    assert done, "it was refused before the work and not after it"
    assert list((tmp_path / "out").iterdir()) == []
    # Nor is anything begun from now on, though all clips are there.
    with pytest.raises(RightsError, match=f"portrait '{slug}' may not be used"):
        assemble(lambda seconds: pytest.fail("worked in vain"))
    with pytest.raises(RightsError, match="revoked"):
        rendering.render(jobs[0])
    with session_factory(workspace.catalog(), read_only=True)() as session:
        assert [one.today[:7] for one in list_appearances(session, portrait=slug)] == ["revoked"]


def test_what_a_production_is_for_decides_who_is_cast_and_rendered(made: Callable[..., Any]) -> None:
    with session_factory(workspace.catalog()).begin() as session:
        for consent in session.scalars(select(Consent)):
            revoke_consent(session, consent.id)
        slug = session.scalars(select(Portrait.slug)).first() or ""
        limits = ConsentFacts(subject="O. P.", purposes=["training"], regions=["DE"], languages=["en"])
        add_consent(session, find_portrait(session, slug), limits)
    with pytest.raises(InputError, match="only 0 may be used"):
        made()
    with pytest.raises(RightsError, match=rf"Ann: portrait '{slug}' .*training and not advertising"):
        made(cast={"Ann": slug}, purpose="Advertising", region="de")
    chosen, assemble, jobs = made(purpose="training", region="de")
    assert chosen == slug
    assert Path(assemble().video).exists()
    with pytest.raises(RightsError, match="covers language en and not es"):
        rendering.require_rights(replace(jobs[0], language="es"))
    rendering.require_rights(jobs[-1])  # an idle clip speaks no language
    with session_factory(workspace.catalog(), read_only=True)() as session:
        assert [(one.purpose, one.region) for one in list_appearances(session)] == [("training", "DE")]
