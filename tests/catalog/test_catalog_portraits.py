"""Portraits and consents: who may be shown, and what is said when somebody may not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sample_catalog import everybody, facts
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.portraits import (
    NO_REAL_PERSON,
    ConsentFacts,
    add_consent,
    add_portrait,
    find_portrait,
    list_portraits,
    retire,
    revoke_consent,
    seed,
)
from catalog.rights import require_rights
from catalog.tables import Consent, Portrait, now
from media.errors import InputError, RightsError

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)


def consent(**changes: Any) -> ConsentFacts:
    return replace(ConsentFacts(subject="Ann Lee", granted_at=JANUARY), **changes)


def test_a_portrait_is_kept_with_all_that_is_known_about_it(session: Session) -> None:
    known = facts(
        "ann-lee",
        presentation="feminine",
        age_band="senior",
        skin="olive",
        hair="bun",
        glasses="round",
        head_covering="hijab",
        clothing="suit",
        style="illustrated",
        attributes={"languages": ["pt-br", "hi"], "freckles": True},
    )
    add_portrait(session, known)
    session.commit()
    session.expire_all()
    portrait = find_portrait(session, "ann-lee")
    for name in ("name", "image_key", "content_sha256", "width", "height", "face", "licence", "source", "presentation"):
        assert getattr(portrait, name) == getattr(known, name)
    for name in ("age_band", "skin", "hair", "glasses", "head_covering", "clothing", "style"):
        assert getattr(portrait, name) == getattr(known, name)
    assert portrait.attributes == {"languages": ["pt-BR", "hi"], "freckles": True}
    assert [(one.kind, one.subject, one.valid_until) for one in portrait.consents] == [
        ("synthetic", "synthetic: no real person", None)
    ]


def test_adding_a_portrait_again_changes_nothing(session: Session) -> None:
    first = add_portrait(session, facts("ann"))
    again = add_portrait(session, facts("ann"))
    assert first.id == again.id
    assert session.scalar(select(func.count()).select_from(Consent)) == 1


def test_a_name_cannot_be_given_to_another_picture(session: Session) -> None:
    add_portrait(session, facts("ann"))
    with pytest.raises(InputError, match=r"'ann'.*another slug"):
        add_portrait(session, facts("ann", content_sha256=facts("bob").content_sha256))


def test_a_picture_cannot_be_added_under_a_second_name_unless_the_first_is_retired(session: Session) -> None:
    add_portrait(session, facts("ann"))
    twin = facts("anne", content_sha256=facts("ann").content_sha256)
    with pytest.raises(InputError, match=r"'anne'.*in the catalog as 'ann'"):
        add_portrait(session, twin)
    retire(session, "ann")
    assert add_portrait(session, twin).slug == "anne"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slug": "Ann Lee"}, "'Ann Lee'.*slug"),
        ({"slug": ""}, "slug"),
        ({"slug": "a" * 101}, "slug"),
        ({"content_sha256": "abc"}, "content_sha256"),
        ({"content_sha256": "G" * 64}, "content_sha256"),
        ({"width": 0}, "0 x 256"),
        ({"face": (0.5, 0.0, 0.5, 1.0)}, "face region"),
        ({"face": (0.0, 0.0, 1.5, 1.0)}, "face region"),
        ({"face": (0.0, float("nan"), 1.0, 1.0)}, "face region"),
        ({"presentation": "female"}, "feminine, masculine, neutral"),
        ({"age_band": "old"}, "young, adult, senior"),
        ({"licence": " "}, "licence"),
        ({"attributes": {"languages": "en"}}, "list"),
        ({"attributes": {"languages": ["klingonese"]}}, "klingonese"),
        ({"consent": ConsentFacts(subject="")}, "whose face"),
        ({"consent": ConsentFacts(subject="Ann", kind="rumour")}, "rumour"),
        ({"consent": ConsentFacts(subject="Ann", valid_from=datetime(2026, 1, 1))}, "time zone"),
        ({"consent": consent(valid_until=JANUARY)}, "would end on 2026-01-01"),
    ],
)
def test_what_cannot_be_a_portrait_is_refused_in_one_sentence(
    session: Session, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as refusal:
        add_portrait(session, facts(**({"slug": "ann"} | changes)))
    assert "\n" not in str(refusal.value)
    assert session.scalar(select(func.count()).select_from(Portrait)) == 0


def test_seeding_puts_in_what_is_missing_and_leaves_the_rest_alone(session: Session) -> None:
    add_portrait(session, facts("masculine-adult-0", name="My own", consent=None))
    retire(session, "masculine-adult-0")
    assert seed(session, everybody()) == 26
    assert seed(session, everybody()) == 0
    assert find_portrait(session, "masculine-adult-0").name == "My own"
    assert find_portrait(session, "masculine-adult-0").retired_at is not None
    assert session.scalar(select(func.count()).select_from(Consent)) == 26


def test_seeding_is_all_or_nothing(session: Session) -> None:
    with pytest.raises(InputError, match="licence"):
        seed(session, [facts("ann"), facts("bob"), facts("cid", licence="")])
    session.commit()
    assert list_portraits(session, include_retired=True) == []


def test_a_name_that_does_not_exist_brings_up_the_ones_that_are_close(session: Session) -> None:
    seed(session, [facts("ann-lee"), facts("bob-ray"), facts("anna-leigh")])
    retire(session, "anna-leigh")
    with pytest.raises(
        InputError, match=r"no portrait 'ann-le': did you mean 'ann-lee'\? See `portrayal catalog list`"
    ):
        find_portrait(session, "ann-le")
    with pytest.raises(InputError, match="no portrait 'xyz': see `portrayal catalog list`"):
        find_portrait(session, "xyz")


def test_portraits_are_listed_by_name_and_found_by_what_they_look_like(session: Session) -> None:
    # Some servers leave hyphens out when they sort; slugs sort by their bytes on every database.
    seed(session, [facts("ann-z", hair="bun"), facts("anna", hair="bun"), facts("ann"), facts("ann-b")])
    retire(session, "ann-b")
    assert [one.slug for one in list_portraits(session)] == ["ann", "ann-z", "anna"]
    assert [one.slug for one in list_portraits(session, include_retired=True)] == ["ann", "ann-b", "ann-z", "anna"]
    assert [one.slug for one in list_portraits(session, hair="bun", presentation="neutral")] == ["ann-z", "anna"]
    assert list_portraits(session, hair="bun", presentation="feminine") == []
    with pytest.raises(InputError, match="filtered by 'shoes'"):
        list_portraits(session, shoes="red")


def test_only_portraits_that_may_be_used_are_listed_when_asked_for(session: Session) -> None:
    seed(
        session,
        [
            facts("drawn"),
            facts("ends-in-june", consent=consent(valid_until=JUNE)),
            facts("nobody-asked", consent=None),
            facts("starts-in-june", consent=consent(valid_from=JUNE)),
        ],
    )
    spring = [one.slug for one in list_portraits(session, usable_at=JUNE - timedelta(microseconds=1))]
    summer = [one.slug for one in list_portraits(session, usable_at=JUNE)]
    later = [one.slug for one in list_portraits(session, usable_at=now() + timedelta(days=36500))]
    assert (spring, summer) == (["drawn", "ends-in-june"], ["drawn", "starts-in-june"])
    assert later == ["drawn", "starts-in-june"]


def test_a_drawn_portrait_may_be_used_whatever_the_clock_says(session: Session) -> None:
    portrait = add_portrait(session, facts("ann", consent=NO_REAL_PERSON))
    require_rights(session, portrait)
    require_rights(session, portrait, datetime(1999, 1, 1, tzinfo=UTC))
    require_rights(session, portrait, datetime(2999, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "no consent on record"),
        ([consent(valid_until=JUNE)], "'Ann Lee' expired on 2026-06-01"),
        ([consent(valid_from=JUNE + timedelta(days=60))], "not valid before 2026-07-31"),
        ([consent(valid_until=JUNE), consent(valid_from=JUNE + timedelta(days=60))], "not valid before 2026-07-31"),
        (
            [consent(valid_until=JUNE - timedelta(days=9)), consent(subject="Ann L.", valid_until=JUNE)],
            "'Ann L.' expired on 2026-06-01",
        ),
    ],
)
def test_a_portrait_without_a_consent_that_holds_may_not_be_used(
    session: Session, given: list[ConsentFacts], message: str
) -> None:
    portrait = add_portrait(session, facts("ann", consent=None))
    for one in given:
        add_consent(session, portrait, one)
    with pytest.raises(RightsError, match=f"portrait 'ann' may not be used: .*{message}"):
        require_rights(session, portrait, JUNE)


def test_a_consent_holds_from_its_first_moment_until_just_before_its_last(session: Session) -> None:
    portrait = add_portrait(session, facts("ann", consent=consent(valid_until=JUNE)))
    require_rights(session, portrait, JANUARY)
    require_rights(session, portrait, JUNE - timedelta(microseconds=1))
    for outside in (JANUARY - timedelta(microseconds=1), JUNE):
        with pytest.raises(RightsError):
            require_rights(session, portrait, outside)


def test_a_revoked_consent_holds_no_more_and_a_new_one_may_be_given(session: Session) -> None:
    portrait = add_portrait(session, facts("ann", consent=None))
    first = add_consent(session, portrait, consent(valid_until=datetime(2999, 1, 1, tzinfo=UTC)))
    require_rights(session, portrait, JUNE)
    revoke_consent(session, first.id, JUNE - timedelta(days=1))
    assert revoke_consent(session, first.id, JUNE).revoked_at == JUNE - timedelta(days=1), "the first revocation stays"
    with pytest.raises(RightsError, match="'Ann Lee' revoked the consent on 2026-05-31"):
        require_rights(session, portrait, JUNE)
    require_rights(session, portrait, JUNE - timedelta(days=2))
    add_consent(session, portrait, consent())
    require_rights(session, portrait, JUNE)
    assert len(portrait.consents) == 2


def test_revoking_what_was_never_given_is_an_error(session: Session) -> None:
    with pytest.raises(InputError, match="no consent 77"):
        revoke_consent(session, 77)


def test_a_retired_portrait_may_not_be_used_and_stays_in_the_catalog(session: Session) -> None:
    portrait = add_portrait(session, facts("ann"))
    retired_at = retire(session, "ann").retired_at
    assert retire(session, "ann").retired_at == retired_at
    with pytest.raises(RightsError, match=f"'ann' may not be used: it was retired on {retired_at:%Y-%m-%d}"):
        require_rights(session, portrait)
    assert find_portrait(session, "ann").id == portrait.id
