"""Casting: who gets which portrait, why, and that it stays so."""

import itertools
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sample_catalog import empty, everybody, facts, furnish, produce
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from catalog.casting import (
    CastingDecision,
    CastingRequest,
    CastingRules,
    cast_speakers,
    list_castings,
    record_voice,
)
from catalog.casting_candidates import Candidate
from catalog.casting_settlement import _assign
from catalog.casting_weights import CastingWeights, read_weights
from catalog.portraits import ConsentFacts, add_portrait, find_portrait, list_portraits, retire, revoke_consent
from catalog.session import session_factory
from catalog.tables import Casting
from media.errors import InputError, RightsError


def slugs(decisions: list[CastingDecision]) -> dict[str, str]:
    return {one.speaker: one.portrait_slug for one in decisions}


def cast(session: Session, *requests: CastingRequest, production: str = "talk", seed: int = 0) -> dict[str, str]:
    return slugs(cast_speakers(session, production, requests, CastingRules(seed=seed)))


def test_every_speaker_gets_a_portrait_of_their_own_in_the_order_asked(session: Session) -> None:
    furnish(session)
    names = ["Zoe", "Ann", "Bob", "Émile", "राज"]
    decisions = cast_speakers(session, "talk", [CastingRequest(name) for name in names])
    assert [one.speaker for one in decisions] == names
    assert len({one.portrait_id for one in decisions}) == 5
    for one in decisions:
        assert find_portrait(session, one.portrait_slug).id == one.portrait_id
        assert one.score == 1.0


def test_as_many_speakers_as_portraits_can_be_cast_and_no_more(session: Session) -> None:
    furnish(session)
    crowd = [CastingRequest(f"Speaker {number}", gender="feminine") for number in range(27)]
    assert len(set(cast(session, *crowd).values())) == 27
    produce(session, "other")
    with pytest.raises(InputError, match="28 speakers need 28 different portraits and only 27 may be used"):
        cast(session, *crowd, CastingRequest("One more"), production="other")


def test_two_pictures_of_one_person_are_never_two_speakers_of_a_cast(session: Session) -> None:
    ann, bob = ConsentFacts(subject="Ann Lee"), ConsentFacts(subject="Bob")
    young = {"presentation": "feminine", "age_band": "young"}
    furnish(
        session,
        facts("ann-1", consent=ann, **young),
        facts("ann-2", consent=ConsentFacts(subject="ann lee"), **young),
        facts("bob", consent=bob, presentation="masculine", age_band="senior"),
        facts("drawn-1"),
        facts("drawn-2"),
    )
    session.commit()
    hinted = [CastingRequest(name, gender="feminine", age="young") for name in "AB"]
    for seed in range(4):
        found = set(cast(session, *hinted, seed=seed).values())
        assert len(found & {"ann-1", "ann-2"}) == 1, found
        session.rollback()
    found = cast(session, CastingRequest("A", wish="ann-2"), *hinted[1:])
    assert found["A"] == "ann-2" and found["B"] != "ann-1"
    produce(session, "other")
    with pytest.raises(InputError, match="'A' and 'B' wish for two pictures of one person, 'ann-1' and 'ann-2'"):
        cast(session, *(CastingRequest(name, wish=f"ann-{n}") for n, name in enumerate("AB", 1)), production="other")
    with pytest.raises(InputError, match="5 different portraits and only 4 may be used, each of another person"):
        cast(session, *map(CastingRequest, "ABCDE"), production="other")


def test_hints_are_met_where_a_portrait_meets_them(session: Session) -> None:
    furnish(session)
    for gender, age in itertools.product(("feminine", "masculine", "neutral"), ("young", "adult", "senior")):
        (decision,) = cast_speakers(session, "talk", [CastingRequest(f"{gender} {age}", gender=gender, age=age)])
        assert decision.portrait_slug.startswith(f"{gender}-{age}-")
        assert decision.score == 1.0
        assert decision.reason.startswith(f"'{gender}' hint and '{age}' hint match")


@pytest.mark.parametrize(("pitch", "presentation"), [("high", "feminine"), ("low", "masculine")])
def test_a_voice_decides_where_no_hint_is_given(session: Session, pitch: str, presentation: str) -> None:
    furnish(session)
    (decision,) = cast_speakers(session, "talk", [CastingRequest("A", pitch_class=pitch)])
    assert decision.portrait_slug.startswith(presentation)
    assert decision.reason == f"{pitch} voice matches; drawn from 9 candidates"


def test_a_hint_outweighs_the_voice_and_gender_outweighs_age(session: Session) -> None:
    furnish(session, facts("she", presentation="feminine", age_band="senior"), facts("he", presentation="masculine"))
    assert cast(session, CastingRequest("A", gender="masculine", pitch_class="high")) == {"A": "he"}
    decision = cast_speakers(session, "talk", [CastingRequest("B", gender="feminine", age="adult", pitch_class="low")])
    assert decision[0].portrait_slug == "she"
    assert decision[0].score == pytest.approx((480 + 80) / (480 + 160 + 40), abs=0.001)
    assert "low voice not met ('feminine'); 'adult' hint nearly met ('senior')" in decision[0].reason


def test_a_mid_voice_suits_everybody(session: Session) -> None:
    furnish(session)
    (decision,) = cast_speakers(session, "talk", [CastingRequest("A", pitch_class="mid")])
    assert decision.score == 1.0
    assert decision.reason == "mid voice suits any presentation; drawn from 27 candidates"


@pytest.mark.parametrize(
    ("language", "expected"), [("hi", "indian"), ("hi-Latn", "indian"), ("pt", "brazilian"), ("sw", "anybody")]
)
def test_a_portrait_that_suits_the_language_is_preferred_then_one_for_any(
    session: Session, language: str, expected: str
) -> None:
    furnish(
        session,
        facts("indian", attributes={"languages": ["hi", "ta"]}),
        facts("brazilian", attributes={"languages": ["pt-BR"]}),
        facts("anybody"),
    )
    (decision,) = cast_speakers(session, "talk", [CastingRequest("A", language=language)])
    assert decision.portrait_slug == expected
    assert (f"suits language {language}" in decision.reason) == (expected != "anybody")


def test_the_portrait_used_least_is_taken_and_the_reason_says_so(session: Session) -> None:
    furnish(session, *(facts(f"p-{number}") for number in range(4)), productions=("1", "2", "3", "4", "5"))
    chosen = [cast_speakers(session, name, [CastingRequest("A")])[0] for name in ("1", "2", "3", "4", "5")]
    assert len({one.portrait_slug for one in chosen[:4]}) == 4
    assert [one.reason for one in chosen] == [
        "drawn from 4 candidates",
        "least used of 4 candidates",
        "least used of 4 candidates",
        "least used of 4 candidates",
        "drawn from 4 candidates",
    ]


def test_nobody_takes_what_somebody_else_needs_more(session: Session) -> None:
    """Best first would give Ann the only senior woman now and then."""
    furnish(
        session,
        facts("senior-woman", presentation="feminine", age_band="senior"),
        facts("young-woman", presentation="feminine", age_band="young"),
        facts("man", presentation="masculine", age_band="senior"),
    )
    for number in range(8):
        produce(session, f"talk {number}")
        wanted = [
            CastingRequest("Ann", gender="feminine"),
            CastingRequest("Bea", gender="feminine", age="senior"),
            CastingRequest("Cy", age="senior"),
        ]
        assert cast(session, *wanted, production=f"talk {number}") == {
            "Ann": "young-woman",
            "Bea": "senior-woman",
            "Cy": "man",
        }


def test_two_speakers_do_not_look_like_one_another(session: Session) -> None:
    twin = {"presentation": "feminine", "skin": "olive", "hair": "bob", "clothing": "suit"}
    twins = [facts(f"twin-{number}", **twin) for number in range(9)]
    furnish(session, *twins, facts("other", presentation="feminine", skin="ebony", hair="afro", clothing="tee"))
    for number in range(10):
        produce(session, f"talk {number}")
        women = [CastingRequest("Ann", gender="feminine"), CastingRequest("Bea", gender="feminine")]
        assert "other" in cast(session, *women, production=f"talk {number}").values()


def test_looks_never_outweigh_a_hint(session: Session) -> None:
    twin = {"skin": "olive", "hair": "bob", "clothing": "suit", "presentation": "feminine"}
    furnish(
        session, facts("twin-1", **twin), facts("twin-2", **twin), facts("man", presentation="masculine", skin="ebony")
    )
    women = [CastingRequest("Ann", gender="feminine"), CastingRequest("Bea", gender="feminine")]
    assert set(cast(session, *women).values()) == {"twin-1", "twin-2"}


def test_weights_decide_what_outweighs_what_and_the_reason_says_so(session: Session) -> None:
    furnish(
        session,
        facts("old-she", presentation="feminine", age_band="senior"),
        facts("young-he", presentation="masculine", age_band="young"),
        facts("adult-he", presentation="masculine", age_band="adult"),
    )
    asked = CastingRequest("Ann", age="young", pitch_class="high", tags=("brand-x",))

    def chosen(**weights: float) -> CastingDecision:
        rules = CastingRules(weights=CastingWeights(**read_weights(weights, "--weight")))
        (decision,) = cast_speakers(session, "talk", [asked], rules)
        session.rollback()
        return decision

    session.commit()
    assert chosen().portrait_slug == "young-he" and "weights" not in chosen().reason
    heavier = chosen(voice=5)
    assert heavier.portrait_slug == "old-she" and heavier.reason.endswith("; weights voice=5")
    assert heavier.score == pytest.approx(5 * 640 / (2560 + 5 * 640 + 48), abs=0.001)
    deaf = chosen(voice=0, tags=0)
    assert (deaf.portrait_slug, deaf.score) == ("young-he", 1.0)
    assert "voice" not in deaf.reason.removesuffix("weights voice=0, tags=0") and "brand-x" not in deaf.reason


@pytest.mark.parametrize("wrong", [{"vioce": 2}, {"voice": -1}, {"voice": "much"}, {"voice": True}, {"age": "nan"}])
def test_a_weight_that_there_is_not_is_refused(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    known = "there are gender, age, voice, language, tags, style" if name == "vioce" else "from 0 to 1000"
    with pytest.raises(InputError, match=f"--weight: .*{name}.*{known}"):
        read_weights(wrong, "--weight")


# Wishes


def test_a_wish_comes_first(session: Session) -> None:
    furnish(session)
    wish = CastingRequest("Ann", wish="masculine-senior-2", gender="feminine")
    (decision,) = cast_speakers(session, "talk", [wish])
    assert (decision.portrait_slug, decision.reason, decision.score) == ("masculine-senior-2", "wished for", 1.0)


def test_a_wish_takes_the_portrait_from_a_speaker_who_only_happens_to_have_it(session: Session) -> None:
    furnish(session)
    before = cast(session, CastingRequest("Ann"), CastingRequest("Bob"), CastingRequest("Cy"))
    wished = [CastingRequest("Ann"), CastingRequest("Bob", wish=before["Ann"]), CastingRequest("Cy")]
    decisions = cast_speakers(session, "talk", wished)
    after = slugs(decisions)
    assert after["Bob"] == before["Ann"]
    assert after["Cy"] == before["Cy"]
    assert after["Ann"] not in before.values() or after["Ann"] == before["Bob"]
    assert f"'{before['Ann']}' is wished for by another speaker" in decisions[0].reason
    assert cast_speakers(session, "talk", wished) == decisions


def test_two_speakers_can_exchange_their_portraits(session: Session) -> None:
    furnish(session)
    before = cast(session, CastingRequest("Ann"), CastingRequest("Bob"))
    after = cast(session, CastingRequest("Ann", wish=before["Bob"]), CastingRequest("Bob", wish=before["Ann"]))
    assert after == {"Ann": before["Bob"], "Bob": before["Ann"]}


def test_two_speakers_cannot_wish_for_one_portrait(session: Session) -> None:
    furnish(session)
    with pytest.raises(InputError, match="'Ann' and 'Bob' both wish for portrait 'neutral-adult-0'"):
        cast(session, CastingRequest("Bob", wish="neutral-adult-0"), CastingRequest("Ann", wish="neutral-adult-0"))


def test_a_wish_that_cannot_be_granted_is_refused_and_nothing_is_cast(session: Session) -> None:
    expired = ConsentFacts(
        subject="Cy", granted_at=datetime(2025, 1, 1, tzinfo=UTC), valid_until=datetime(2026, 1, 1, tzinfo=UTC)
    )
    furnish(session, *everybody(), facts("old-cy", consent=expired), facts("nobody-asked", consent=None))
    retire(session, "neutral-adult-1")
    for wish, error, message in (
        ("neutral-adult-9", InputError, "no portrait 'neutral-adult-9': did you mean 'neutral-adult-"),
        (
            "neutral-adult-1",
            RightsError,
            "casting of 'Ann': portrait 'neutral-adult-1' may not be used: it was retired",
        ),
        ("old-cy", RightsError, "casting of 'Ann': .*expired on 2026-01-01"),
        ("nobody-asked", RightsError, "casting of 'Ann': .*no consent on record"),
    ):
        with pytest.raises(error, match=message):
            cast(session, CastingRequest("Bob"), CastingRequest("Ann", wish=wish))
        assert list_castings(session, "talk") == []


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ([CastingRequest("Ann"), CastingRequest("Ann")], "'Ann' is there twice"),
        ([CastingRequest("")], "cannot be a speaker's name"),
        ([CastingRequest("A\0")], "cannot be a speaker's name"),
        ([CastingRequest("Ann", gender="female")], "casting of 'Ann': gender 'female'"),
        ([CastingRequest("Ann", age="old")], "casting of 'Ann': age 'old'"),
        ([CastingRequest("Ann", pitch_class="deep")], "casting of 'Ann': pitch class 'deep'"),
        ([CastingRequest("Ann", language='%"')], "casting of 'Ann'.*not a language tag"),
    ],
)
def test_a_request_that_means_nothing_is_refused(
    session: Session, requests: list[CastingRequest], message: str
) -> None:
    furnish(session)
    with pytest.raises(InputError, match=message):
        cast_speakers(session, "talk", requests)


def test_a_production_must_be_there(session: Session) -> None:
    furnish(session)
    with pytest.raises(InputError, match="no production 'nothing'"):
        cast(session, CastingRequest("Ann"), production="nothing")


# What stays


def test_a_casting_stays_whatever_is_asked_later_and_in_every_language(session: Session) -> None:
    furnish(session, productions=("talk", "1", "2", "3"))
    first = cast_speakers(session, "talk", [CastingRequest("Ann", pitch_class="high"), CastingRequest("Bob")])
    for other in ("1", "2", "3"):
        cast(session, *(CastingRequest(f"S{number}") for number in range(9)), production=other)
    again = [
        CastingRequest("Bob", language="hi", pitch_class="high"),
        CastingRequest("Ann", gender="masculine", language="es"),
    ]
    assert cast_speakers(session, "talk", again, CastingRules(seed=5)) == first[::-1]
    assert list_castings(session, "talk") == first


def test_a_new_speaker_leaves_the_others_as_they_are(session: Session) -> None:
    furnish(session)
    before = cast(session, CastingRequest("Ann"), CastingRequest("Bob"))
    after = cast(session, CastingRequest("Aaron"), CastingRequest("Bob"), CastingRequest("Ann"))
    assert before.items() < after.items()


def test_a_speaker_who_is_not_asked_for_keeps_the_portrait_as_long_as_there_are_enough(session: Session) -> None:
    furnish(session, *(facts(f"p-{number}") for number in range(3)))
    before = cast(session, CastingRequest("Ann"), CastingRequest("Bob"))
    third = cast(session, CastingRequest("Cy"))
    assert third["Cy"] not in before.values()
    assert slugs(list_castings(session, "talk")) == before | third
    both = cast(session, CastingRequest("Cy"), CastingRequest("Dee"), CastingRequest("Eve"))
    assert both["Cy"] == third["Cy"]
    assert slugs(list_castings(session, "talk")) == both


def test_who_loses_the_right_to_a_portrait_gets_another_one_and_the_others_keep_theirs(session: Session) -> None:
    furnish(session)
    speakers = [CastingRequest(name) for name in ("Ann", "Bob", "Cy")]
    before = cast(session, *speakers)
    retire(session, before["Ann"])
    revoke_consent(session, find_portrait(session, before["Bob"]).consents[0].id)
    decisions = cast_speakers(session, "talk", speakers)
    after = slugs(decisions)
    assert after["Cy"] == before["Cy"]
    assert not {after["Ann"], after["Bob"]} & set(before.values())
    assert f"'{before['Ann']}' may not be used any more" in decisions[0].reason
    assert cast_speakers(session, "talk", speakers) == decisions


def test_a_portrait_without_rights_is_never_cast(session: Session) -> None:
    revoked = facts("revoked", presentation="feminine", consent=ConsentFacts(subject="Rae"))
    furnish(
        session,
        facts("retired", presentation="feminine"),
        facts("nobody-asked", presentation="feminine", consent=None),
        revoked,
        facts("free", presentation="masculine"),
    )
    retire(session, "retired")
    revoke_consent(session, find_portrait(session, "revoked").consents[0].id)
    assert cast(session, CastingRequest("Ann", gender="feminine")) == {"Ann": "free"}
    with pytest.raises(InputError, match="2 speakers need 2 different portraits and only 1 may be used"):
        cast(session, CastingRequest("Ann"), CastingRequest("Bob"))


def test_what_would_be_cast_can_be_asked_without_casting_it(engine: Engine) -> None:
    with session_factory(engine).begin() as session:
        furnish(session)
    with session_factory(engine)() as session:
        produce(session, "tomorrow")
        planned = cast(session, CastingRequest("Ann"), CastingRequest("Bob"), production="tomorrow")
        session.rollback()
        assert list_castings(session, "tomorrow") == []
    with session_factory(engine).begin() as session:
        produce(session, "tomorrow")
        assert cast(session, CastingRequest("Ann"), CastingRequest("Bob"), production="tomorrow") == planned


def test_the_voice_of_a_speaker_is_kept_beside_the_portrait_even_when_that_changes(session: Session) -> None:
    furnish(session)
    before = cast(session, CastingRequest("Ann"))
    record_voice(session, "talk", "Ann", "en", {"name": "en-us", "pitch": 60})
    record_voice(session, "talk", "Ann", "hi", {"name": "hi"})
    retire(session, before["Ann"])
    assert cast(session, CastingRequest("Ann")) != before
    session.expire_all()
    casting = session.scalars(select(Casting)).one()
    assert casting.voice == {"en": {"name": "en-us", "pitch": 60}, "hi": {"name": "hi"}}
    with pytest.raises(InputError, match="'Bob' is not cast in production 'talk'"):
        record_voice(session, "talk", "Bob", "en", {})


# The same everywhere

REQUESTS = st.lists(
    st.builds(
        CastingRequest,
        speaker=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=9),
        gender=st.sampled_from([None, "feminine", "masculine", "neutral"]),
        age=st.sampled_from([None, "young", "adult", "senior"]),
        pitch_class=st.sampled_from([None, "low", "mid", "high"]),
        language=st.sampled_from([None, "und", "en", "pt-BR", "hi"]),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one.speaker,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=REQUESTS, shuffled=st.randoms(use_true_random=False), seed=st.integers(0, 3))
def test_the_order_of_the_question_does_not_change_the_answer(
    session: Session, requests: list[CastingRequest], shuffled: random.Random, seed: int
) -> None:
    furnish(session)
    with session.begin_nested() as nested:
        first = cast_speakers(session, "talk", requests, CastingRules(seed=seed))
        assert cast_speakers(session, "talk", requests, CastingRules(seed=seed)) == first
        nested.rollback()
    other = requests.copy()
    shuffled.shuffle(other)
    with session.begin_nested() as nested:
        second = cast_speakers(session, "talk", other, CastingRules(seed=seed))
        nested.rollback()
    assert sorted(first, key=lambda one: one.speaker) == sorted(second, key=lambda one: one.speaker)


def test_both_databases_give_the_same_answer(sqlite_engine: Engine, postgresql_engine: Engine) -> None:
    answers = []
    for engine in (sqlite_engine, postgresql_engine):
        with session_factory(engine).begin() as session:
            some = [facts(f"speaks-{one[:2]}", attributes={"languages": [one]}) for one in ("en", "hi", "pt-BR")]
            some += everybody()
            for portrait in some if engine is sqlite_engine else reversed(some):
                add_portrait(session, portrait)  # the ids differ: the answer must come from names
            told: list[Any] = []
            for number in range(12):
                produce(session, f"talk {number}")
                hints = random.Random(number)
                requests = [
                    CastingRequest(
                        f"Speaker {index}",
                        gender=hints.choice([None, None, "feminine", "masculine", "neutral"]),
                        age=hints.choice([None, None, "young", "senior"]),
                        pitch_class=hints.choice([None, "low", "mid", "high"]),
                        language=hints.choice([None, "en", "pt", "hi"]),
                    )
                    for index in range(1 + number % 7)
                ]
                decisions = cast_speakers(session, f"talk {number}", requests, CastingRules(seed=number % 2))
                told.append([(one.speaker, one.portrait_slug, one.score, one.reason) for one in decisions])
            answers.append((told, [one.slug for one in list_portraits(session)]))
        empty(engine)
    assert answers[0] == answers[1]


def test_another_seed_or_production_draws_other_portraits(session: Session) -> None:
    furnish(session, productions=tuple(f"talk {number}" for number in range(20)))
    drawn = set()
    for number in range(20):
        with session.begin_nested() as nested:
            drawn.add(cast(session, CastingRequest("Ann"), production=f"talk {number}", seed=number // 10)["Ann"])
            nested.rollback()
    assert len(drawn) > 5


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda speakers: st.integers(speakers, 6).flatmap(
            lambda portraits: st.lists(
                st.lists(
                    st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 9)),
                    min_size=portraits,
                    max_size=portraits,
                ),
                min_size=speakers,
                max_size=speakers,
            )
        )
    )
)
def test_no_other_assignment_is_better(table: list[list[tuple[int, int, int]]]) -> None:
    """Against trying all of them: the best sum of fit, then of uses, then of draws."""
    candidates = [
        [Candidate(column, f"p-{column}", fit, uses, draw, 1, False, frozenset()) for column, (fit, uses, draw) in row]
        for row in (list(enumerate(row)) for row in table)
    ]

    def worth(choice: tuple[Candidate, ...]) -> tuple[int, int, int]:
        return -sum(one.fit for one in choice), sum(one.uses for one in choice), sum(one.draw for one in choice)

    chosen = tuple(_assign(candidates))
    assert len({one.id for one in chosen}) == len(table)
    assert all(one in row for one, row in zip(chosen, candidates, strict=True))
    everything = (
        tuple(row[column] for row, column in zip(candidates, columns, strict=True))
        for columns in itertools.permutations(range(len(table[0])), len(table))
    )
    assert worth(chosen) == min(map(worth, everything))
