"""Presenters: who is in the starter cast, and what chance may put together."""

import json
from collections import Counter

import numpy as np

from models.avatars.presenters import (
    BACKGROUNDS,
    CLOTH_COLOURS,
    CLOTHING,
    EARRINGS,
    EYE_COLOURS,
    FACIAL_HAIR,
    GLASSES,
    GREYS,
    HAIR_COLOURS,
    HAIR_STYLES,
    HEAD_COVERINGS,
    SKINS,
    STARTER_CAST,
    Presenter,
    random_presenter,
    slug_of,
)


def crowd(seed: int, count: int) -> list[Presenter]:
    rng = np.random.default_rng(seed)
    return [random_presenter(rng) for _ in range(count)]


def test_every_presenter_of_the_cast_has_its_own_slug_name_and_look() -> None:
    assert len(STARTER_CAST) >= 24
    assert len({p.slug for p in STARTER_CAST}) == len(STARTER_CAST)
    assert len({p.name for p in STARTER_CAST}) == len(STARTER_CAST)
    assert all(p.slug == slug_of(p.name) for p in STARTER_CAST)
    looks = {(p.skin, p.hair, p.hair_colour, p.head_covering, p.clothing, p.cloth_colour) for p in STARTER_CAST}
    assert len(looks) == len(STARTER_CAST)


def test_no_group_of_people_takes_over_the_cast() -> None:
    presentation = Counter(p.presentation for p in STARTER_CAST)
    age = Counter(p.age for p in STARTER_CAST)
    assert abs(presentation["feminine"] - presentation["masculine"]) <= 2
    assert presentation["neutral"] >= 2
    assert min(age[a] for a in ("young", "adult", "senior")) >= 5
    assert max(Counter(p.skin for p in STARTER_CAST).values()) <= len(STARTER_CAST) // 4
    assert len({p.skin for p in STARTER_CAST}) >= 10
    assert len({p.hair for p in STARTER_CAST}) >= 10
    assert {"hijab", "turban"} <= {p.head_covering for p in STARTER_CAST}
    assert {p.glasses for p in STARTER_CAST} == set(GLASSES)
    assert len({p.background for p in STARTER_CAST}) >= 8
    assert len({p.languages[0] for p in STARTER_CAST}) >= 12


def test_traits_are_ones_that_can_be_drawn() -> None:
    for p in [*STARTER_CAST, *crowd(1, 300)]:
        assert p.skin in SKINS and p.hair in HAIR_STYLES and p.hair_colour in HAIR_COLOURS, p
        assert p.head_covering in HEAD_COVERINGS and p.glasses in GLASSES and p.facial_hair in FACIAL_HAIR, p
        assert p.earrings in EARRINGS and p.clothing in CLOTHING and p.background in BACKGROUNDS, p
        assert {p.cloth_colour, p.accent_colour, p.covering_colour, p.frame_colour} <= set(CLOTH_COLOURS), p
        assert p.eye_colour in EYE_COLOURS, p


def test_the_same_generator_gives_the_same_people() -> None:
    assert crowd(7, 20) == crowd(7, 20)
    assert crowd(7, 20) != crowd(8, 20)


def test_a_crowd_shows_every_style_there_is() -> None:
    people = crowd(2, 1500)
    assert {p.hair for p in people} == set(HAIR_STYLES)
    assert {p.head_covering for p in people} == set(HEAD_COVERINGS)
    assert {p.skin for p in people} == set(SKINS)
    assert {p.clothing for p in people} == set(CLOTHING)
    assert {p.facial_hair for p in people} == set(FACIAL_HAIR)
    assert len({p.slug for p in people}) == len(people)


def test_seniors_are_mostly_grey_and_the_young_never() -> None:
    people = crowd(3, 600)
    seniors = [p for p in people if p.age == "senior"]
    assert sum(p.hair_colour in GREYS for p in seniors) > 0.8 * len(seniors)
    assert not any(p.hair_colour in GREYS for p in people if p.age == "young")


def test_attributes_are_plain_values_a_catalog_can_store() -> None:
    for p in STARTER_CAST:
        found = p.attributes()
        assert json.loads(json.dumps(found)) == found
        assert found["style"] == "illustrated"
        assert found["age_band"] in ("young", "adult", "senior")
        assert found["presentation"] in ("feminine", "masculine", "neutral")
    by_slug = {p.slug: p.attributes() for p in STARTER_CAST}
    assert by_slug["maya-okafor"]["hair"] == "long curly"
    assert by_slug["leila-haddad"]["hair"] == "covered"


def test_a_slug_is_plain_ascii() -> None:
    assert slug_of("Zoë Núñez-O'Hara") == "zoe-nunez-o-hara"
