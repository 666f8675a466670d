"""Presenters: who is in the starter cast, and what chance may put together."""

import hashlib
import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

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
    assert len(STARTER_CAST) == 48
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


def test_chance_gives_the_people_it_always_gave() -> None:
    """Catalogs, training data and seeds of the past depend on it."""
    drawn = hashlib.sha256(repr(crowd(2026, 200)).encode()).hexdigest()
    assert drawn == "435a9fab42af03e3249c98740c73772787be848e26c0a7d2698fc159a22bc753"


CHOICES: dict[str, tuple[str, ...]] = {
    "age": ("young", "adult", "senior"),
    "presentation": ("feminine", "masculine", "neutral"),
    "skin": tuple(SKINS),
    "hair": HAIR_STYLES,
    "hair_colour": tuple(HAIR_COLOURS),
    "head_covering": HEAD_COVERINGS,
    "glasses": GLASSES,
    "facial_hair": FACIAL_HAIR,
    "clothing": CLOTHING,
    "background": tuple(BACKGROUNDS),
}


def some(count: int = 60, **fixed: Any) -> list[Presenter]:
    """`count` presenters with these traits, each of a generator of its own."""
    return [random_presenter(np.random.default_rng(seed), **fixed) for seed in range(count)]


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in CHOICES.items() for value in values])
def test_what_is_fixed_holds_and_the_rest_stays_various(field: str, value: str) -> None:
    people = some(**{field: value})
    assert {getattr(p, field) for p in people} == {value}
    assert len({replace(p, slug="", name="", detail=0) for p in people}) >= 40


def test_what_is_left_to_chance_goes_with_what_is_fixed() -> None:
    assert {p.facial_hair for p in some(presentation="feminine")} == {"none"}
    assert {p.presentation for p in some(facial_hair="full beard")} == {"masculine"}
    assert {p.presentation for p in some(head_covering="hijab")} == {"feminine"}
    assert {p.presentation for p in some(hair="bob")} == {"feminine", "neutral"}
    assert {p.presentation for p in some(clothing="suit")} == {"masculine"}
    assert not {p.skin for p in some(hair="afro")} & set(list(SKINS)[:6])
    assert {p.skin for p in some(eye_colour="blue")} == set(list(SKINS)[:4])
    assert {p.skin for p in some(hair_colour="blonde")} == set(list(SKINS)[:4])
    assert {p.age for p in some(hair_colour="white")} == {"senior"}
    assert "young" not in {p.age for p in some(hair="receding")}
    assert {p.head_covering for p in some(200, hair="bob")} == {"none", "beanie", "cap"}
    assert "turban" not in {p.head_covering for p in some(400, skin="ivory", presentation="masculine")}
    assert "hijab" not in {p.head_covering for p in some(400, earrings="drop")}
    assert all(p.cloth_colour != "navy" for p in some(200, accent_colour="navy"))


def test_what_is_fixed_holds_even_where_chance_would_not_put_it_together() -> None:
    fixed: dict[str, Any] = {
        "age": "young",
        "presentation": "feminine",
        "skin": "porcelain",
        "hair": "receding",
        "hair_colour": "white",
        "head_covering": "turban",
        "facial_hair": "full beard",
        "earrings": "hoop",
        "clothing": "suit",
        "cloth_colour": "navy",
        "accent_colour": "navy",
        "jaw": 0.5,
        "freckles": True,
        "parted_left": False,
        "detail": 3,
        "name": "Somebody",
        "slug": "somebody",
        "languages": ("en",),
    }
    for p in some(20, **fixed):
        assert {field: getattr(p, field) for field in fixed} == fixed


def test_any_two_fixed_traits_can_be_met() -> None:
    rng = np.random.default_rng(4)
    for one, other in [(one, other) for one in CHOICES for other in CHOICES if one < other]:
        for a in CHOICES[one]:
            for b in CHOICES[other]:
                p = random_presenter(rng, **{one: a, other: b})
                assert (getattr(p, one), getattr(p, other)) == (a, b)


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        (
            {"clothing": "toga"},
            r"^a presenter's clothing cannot be 'toga': it must be one of tee, v-neck, .*, blouse\.$",
        ),
        ({"skin": None}, r"^a presenter's skin cannot be None: it must be one of porcelain, "),
        ({"hat": "fez"}, r"^a presenter has no 'hat' that could be 'fez': it has slug, name, age, .*, languages\.$"),
        ({"jaw": 1.5}, r"^a presenter's jaw cannot be 1\.5: it must be a number from -1 to 1\.$"),
        ({"jaw": float("nan")}, r"^a presenter's jaw cannot be nan"),
        ({"jaw": True}, r"^a presenter's jaw cannot be True"),
        ({"freckles": 1}, r"^a presenter's freckles cannot be 1: it must be True or False\.$"),
        ({"detail": 0.5}, r"^a presenter's detail cannot be 0\.5: it must be a whole number from 0 to 1073741823\.$"),
        ({"slug": "Not a slug"}, r"^a presenter's slug cannot be 'Not a slug': it must be lower-case ASCII words"),
        ({"name": " "}, r"^a presenter's name cannot be ' ': it must be text that is not blank\.$"),
        ({"languages": "en"}, r"^a presenter's languages cannot be 'en': it must be a tuple of BCP 47 languages\.$"),
    ],
)
def test_a_trait_that_cannot_be_says_what_can(fixed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        random_presenter(np.random.default_rng(0), **fixed)
