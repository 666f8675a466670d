"""Who is who in a show: recognised by voice or name, confirmed, corrected, and shown with the same face."""

import math

import pytest
from sample_catalog import everybody, produce
from sqlalchemy.orm import Session

from catalog import shows
from catalog.casting import CastingRequest, CastingRules, cast_speakers, list_castings, record_voice
from catalog.portraits import retire, seed
from catalog.shows import VoicePrint
from catalog.tables import Casting
from media.errors import InputError


def voice(degrees: float, seconds: float = 10.0, model: str = "dvector") -> VoicePrint:
    """A voice in a plane: two are as alike as the cosine of the angle between them."""
    return VoicePrint((math.cos(math.radians(degrees)), math.sin(math.radians(degrees))), model, seconds)


def episode(
    session: Session, name: str, voices: dict[str, VoicePrint], *silent: str, wishes: dict[str, str] | None = None
) -> dict[str, str]:
    """Casts an episode of the show `news` as `tasks.casting` does; returns portraits by speaker."""
    produce(session, name)
    speakers = [*voices, *silent]
    known = shows.recognise(session, "news", name, speakers, voices)
    requests = []
    for one in speakers:
        person = known.get(one)
        sticky = (person.portrait, person.reason) if person and person.portrait else None
        requests.append(CastingRequest(one, wish=(wishes or {}).get(one), known=sticky))
    decisions = cast_speakers(session, name, requests, CastingRules(reserved=shows.reserved(session, "news")))
    shows.remember(session, "news", name, {one.speaker: one.portrait_id for one in decisions}, known, voices)
    session.commit()
    return {one.speaker: one.portrait_slug for one in decisions}


def reasons(session: Session, name: str) -> dict[str, str]:
    return {one.speaker: one.reason for one in list_castings(session, name)}


@pytest.fixture
def first(session: Session) -> dict[str, str]:
    """The first episode: Ann and Bob sound quite different."""
    seed(session, everybody())
    return episode(session, "one", {"Ann": voice(0), "Bob": voice(90)})


def test_a_voice_keeps_its_face_whatever_it_is_called(session: Session, first: dict[str, str]) -> None:
    second = episode(session, "two", {"Speaker 1": voice(80), "Speaker 2": voice(10), "Speaker 3": voice(45)})
    assert (second["Speaker 1"], second["Speaker 2"]) == (first["Bob"], first["Ann"])
    assert second["Speaker 3"] not in first.values()
    assert reasons(session, "two")["Speaker 2"] == "'Ann' of the show (voice 0.98)"
    # A recording's "Speaker 1" is nobody's name: the next one has another voice.
    third = episode(session, "three", {"Speaker 1": voice(47), "Speaker 4": voice(180)})
    assert third["Speaker 1"] == second["Speaker 3"]
    assert third["Speaker 4"] not in {*first.values(), *second.values()}
    assert episode(session, "two", {"Speaker 1": voice(80), "Speaker 2": voice(10), "Speaker 3": voice(45)}) == second


def test_the_best_match_wins_and_one_member_is_one_speaker(session: Session, first: dict[str, str]) -> None:
    second = episode(session, "two", {"X": voice(20), "Y": voice(5)})
    assert second["Y"] == first["Ann"] and second["X"] not in first.values()


def test_prints_of_other_models_are_not_compared_and_scripts_go_by_name(
    session: Session, first: dict[str, str]
) -> None:
    second = episode(session, "two", {"Ann": voice(0, model="other")})
    assert second["Ann"] != first["Ann"]
    assert episode(session, "script", {}, "bob", "Cy")["bob"] == first["Bob"]


def test_who_is_absent_does_not_lend_their_face(session: Session, first: dict[str, str]) -> None:
    crowd = episode(
        session, "crowd", {f"Guest {number}": voice(150 + 40 * number) for number in range(4)}, *"abcdefghijklmnopqrs"
    )
    assert not {*first.values()} & {*crowd.values()}


def test_a_member_whose_portrait_is_retired_gets_another_one_and_keeps_that(
    session: Session, first: dict[str, str]
) -> None:
    retire(session, first["Ann"])
    second = episode(session, "two", {"A": voice(0)})
    assert second["A"] != first["Ann"]
    assert (
        f"'Ann' of the show (voice 1.00) had '{first['Ann']}', which may not be used any more"
        in reasons(session, "two")["A"]
    )
    assert episode(session, "three", {"B": voice(3)})["B"] == second["A"]


def test_a_wish_outweighs_the_show(session: Session, first: dict[str, str]) -> None:
    second = episode(session, "two", {"A": voice(0), "B": voice(90)}, wishes={"B": first["Ann"]})
    assert second["B"] == first["Ann"] and second["A"] not in first.values()


def test_a_confirmed_recognition_is_on_record(session: Session, first: dict[str, str]) -> None:
    episode(session, "two", {"Speaker 1": voice(5)})
    assert shows.confirm(session, "two", "speaker 1").confirmed
    people = {
        member.name: [one.confirmed_at is not None for one in links]
        for member, links in shows.list_people(session, "news")
    }
    assert people == {"Ann": [False, True], "Bob": [False]}


def test_two_that_were_mistaken_for_each_other_can_be_exchanged(session: Session, first: dict[str, str]) -> None:
    voices = {"S1": voice(20), "S2": voice(70)}
    second = episode(session, "two", voices)
    assert second == {"S1": first["Ann"], "S2": first["Bob"]}
    record_voice(session, "two", "S1", "en", {"name": "f1"})
    assert shows.correct(session, "two", "S1", member="bob").member == "Bob"
    session.commit()
    assert episode(session, "two", voices) == {"S1": first["Bob"], "S2": first["Ann"]}
    assert session.get_one(Casting, ("two", "S1")).voice == {}
    # What was said is learnt: Bob sounds like both of his episodes now.
    assert episode(session, "three", {"S": voice(52)})["S"] == first["Bob"]


def test_somebody_new_can_be_told_apart_from_a_member(session: Session, first: dict[str, str]) -> None:
    voices = {"S1": voice(30)}
    assert episode(session, "two", voices)["S1"] == first["Ann"]
    assert shows.correct(session, "two", "S1", new="Cy").portrait is None
    session.commit()
    second = episode(session, "two", voices)
    assert second["S1"] not in first.values()
    third = episode(session, "three", {"A": voice(32), "B": voice(1)})
    assert third == {"A": second["S1"], "B": first["Ann"]}
    shows.rename(session, "news", "cy", "Cyrus")
    assert [member.name for member, _ in shows.list_people(session, "news")] == ["Ann", "Bob", "Cyrus"]


def test_what_cannot_be_corrected_is_refused_in_one_sentence(session: Session, first: dict[str, str]) -> None:
    for wrong, message in (
        (lambda: shows.correct(session, "one", "Ann", member="Zoe"), "nobody called 'Zoe'; there are Ann, Bob"),
        (lambda: shows.correct(session, "one", "Ann", new="bob"), "somebody called 'bob' already"),
        (lambda: shows.confirm(session, "one", "Zoe"), "'Zoe' is nobody of a show; there are Ann, Bob"),
        (lambda: shows.confirm(session, "nine", "Ann"), "no production 'nine'"),
        (lambda: shows.rename(session, "news", "Ann", "Bob"), "empty or taken"),
        (lambda: shows.list_people(session, "olds"), "nobody is known of a show 'olds'; there are news"),
    ):
        with pytest.raises(InputError, match=message):
            wrong()  # type: ignore[no-untyped-call]
