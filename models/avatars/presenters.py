"""Who the illustrated presenters are: every trait that decides how one looks, random ones, and the starter cast.

A presenter is a value. Nothing here draws; `drawing.draw` does.
"""

import re
import unicodedata
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeVar, get_args

import numpy as np

Age = Literal["young", "adult", "senior"]
Presentation = Literal["feminine", "masculine", "neutral"]
_Option = TypeVar("_Option")

SKINS: dict[str, str] = {
    "porcelain": "#f8dccb",
    "ivory": "#f5d2b8",
    "rose": "#f2c3a9",
    "sand": "#ecbc95",
    "honey": "#dfa87c",
    "olive": "#cf9a6c",
    "caramel": "#bf8458",
    "bronze": "#a86d45",
    "chestnut": "#8d5636",
    "cocoa": "#74452d",
    "espresso": "#5c3624",
    "ebony": "#4a2b1f",
}
"""From light to dark."""

HAIR_COLOURS: dict[str, str] = {
    "black": "#26212a",
    "soft black": "#332a2c",
    "dark brown": "#46302a",
    "brown": "#684433",
    "chestnut": "#84492e",
    "auburn": "#93402b",
    "copper": "#bb6132",
    "dark blonde": "#a57b48",
    "blonde": "#d5a860",
    "grey": "#8f9097",
    "silver": "#c3c5ca",
    "white": "#e6e4e0",
}
GREYS = ("grey", "silver", "white")

HAIR_STYLES: tuple[str, ...] = (
    "bald",
    "receding",
    "buzz",
    "crop",
    "quiff",
    "side part",
    "curly top",
    "pixie",
    "afro",
    "bob",
    "bob fringe",
    "long straight",
    "long wavy",
    "long curly",
    "bun",
    "ponytail",
)
_HAIR_OF = {
    "feminine": ("bob", "bob fringe", "long straight", "long wavy", "long curly", "bun", "ponytail", "pixie", "afro"),
    "masculine": ("bald", "buzz", "crop", "quiff", "side part", "curly top", "afro", "receding"),
    "neutral": ("pixie", "crop", "curly top", "bob", "afro", "quiff", "bun", "side part", "buzz"),
}
_NOT_UNDER_A_CAP = ("afro", "bun", "quiff", "curly top", "bald", "receding")

HEAD_COVERINGS: tuple[str, ...] = ("none", "hijab", "turban", "headwrap", "beanie", "cap")
_COVERINGS_OF = {
    "feminine": ("hijab", "hijab", "headwrap", "beanie"),
    "masculine": ("turban", "turban", "cap", "beanie"),
    "neutral": ("beanie", "cap", "headwrap"),
}
_TONES_OF_COVERING = {"headwrap": range(5, len(SKINS)), "turban": range(4, 10)}
"""Positions in SKINS; a covering that is not here goes with all of them."""
GLASSES: tuple[str, ...] = ("none", "round", "square")
FACIAL_HAIR: tuple[str, ...] = ("none", "stubble", "moustache", "goatee", "short beard", "full beard")
EARRINGS: tuple[str, ...] = ("none", "stud", "hoop", "drop")
CLOTHING: tuple[str, ...] = (
    "tee",
    "v-neck",
    "shirt",
    "blazer",
    "suit",
    "turtleneck",
    "hoodie",
    "cardigan",
    "kurta",
    "blouse",
)
_CLOTHING_OF = {
    "feminine": ("tee", "v-neck", "shirt", "blazer", "turtleneck", "hoodie", "cardigan", "blouse", "kurta"),
    "masculine": ("tee", "v-neck", "shirt", "blazer", "suit", "turtleneck", "hoodie", "cardigan", "kurta"),
    "neutral": ("tee", "v-neck", "shirt", "blazer", "turtleneck", "hoodie", "cardigan", "kurta"),
}
CLOTH_COLOURS: dict[str, str] = {
    "navy": "#2c3e5f",
    "teal": "#2a7f86",
    "forest": "#3a6350",
    "sage": "#8fac93",
    "mustard": "#dca43c",
    "coral": "#e2725c",
    "brick": "#a84a3d",
    "plum": "#6d4470",
    "lavender": "#a698cf",
    "sky": "#7fb0d8",
    "cobalt": "#3a62ad",
    "blush": "#e6aeb0",
    "charcoal": "#414650",
    "stone": "#bcb2a4",
    "cream": "#efe6d6",
    "white": "#f6f5f2",
}
BACKGROUNDS: dict[str, tuple[str, str, str]] = {
    "mist": ("gradient", "#dfe9f0", "#b9cddb"),
    "peach": ("disk", "#fbe3d3", "#f5c5a6"),
    "mint": ("disk", "#ddf0e6", "#addac4"),
    "lilac": ("gradient", "#e9e3f4", "#c7bbe2"),
    "sun": ("disk", "#fdf0cd", "#f6d98c"),
    "ocean": ("gradient", "#a9d0dd", "#5f9fb6"),
    "dusk": ("gradient", "#8c93bd", "#555d8e"),
    "clay": ("disk", "#efd9cc", "#d9a68c"),
    "slate": ("gradient", "#8d9cab", "#566575"),
    "rosewater": ("disk", "#f8e1e5", "#eebbc4"),
    "studio": ("gradient", "#f1f0ee", "#cfccc8"),
    "fern": ("gradient", "#bdd3b4", "#7fa67c"),
}
"""Name: kind, upper or outer colour, lower or inner colour."""
EYE_COLOURS: dict[str, str] = {
    "dark brown": "#3b2418",
    "brown": "#5f3b22",
    "hazel": "#7a5f2d",
    "green": "#557a4e",
    "blue": "#4479a6",
    "grey": "#66788a",
}


@dataclass(frozen=True, slots=True)
class Presenter:
    """Everything that decides how a presenter looks. Shape traits are around 0, in [-1, 1]."""

    slug: str
    name: str
    age: Age = "adult"
    presentation: Presentation = "neutral"
    skin: str = "honey"
    hair: str = "crop"
    hair_colour: str = "dark brown"
    head_covering: str = "none"
    covering_colour: str = "teal"
    glasses: str = "none"
    frame_colour: str = "charcoal"
    facial_hair: str = "none"
    earrings: str = "none"
    clothing: str = "tee"
    cloth_colour: str = "navy"
    accent_colour: str = "white"
    background: str = "mist"
    eye_colour: str = "brown"
    face_width: float = 0.0
    jaw: float = 0.0
    chin: float = 0.0
    eye_size: float = 0.0
    eye_distance: float = 0.0
    nose_size: float = 0.0
    lip_fullness: float = 0.0
    mouth_width: float = 0.0
    brow_weight: float = 0.0
    brow_arch: float = 0.0
    parted_left: bool = False
    detail: int = 0
    """Decides small random marks: curls, freckles."""
    freckles: bool = False
    languages: tuple[str, ...] = ()
    """BCP 47 languages this presenter suits, as a hint to casting; empty means any."""

    def attributes(self) -> dict[str, Any]:
        """What a catalog stores about this portrait, as plain values."""
        return {
            "style": "illustrated",
            "age_band": self.age,
            "presentation": self.presentation,
            "skin": self.skin,
            "hair": self.hair if self.head_covering in ("none", "cap", "beanie") else "covered",
            "hair_colour": self.hair_colour,
            "glasses": self.glasses,
            "head_covering": self.head_covering,
            "facial_hair": self.facial_hair,
            "clothing": self.clothing,
            "languages": list(self.languages),
        }


def slug_of(name: str) -> str:
    """A name as lower-case ASCII words joined by dashes."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


_CHOICES: dict[str, tuple[str, ...]] = {
    "age": get_args(Age),
    "presentation": get_args(Presentation),
    "skin": tuple(SKINS),
    "hair": HAIR_STYLES,
    "hair_colour": tuple(HAIR_COLOURS),
    "head_covering": HEAD_COVERINGS,
    "covering_colour": tuple(CLOTH_COLOURS),
    "glasses": GLASSES,
    "frame_colour": tuple(CLOTH_COLOURS),
    "facial_hair": FACIAL_HAIR,
    "earrings": EARRINGS,
    "clothing": CLOTHING,
    "cloth_colour": tuple(CLOTH_COLOURS),
    "accent_colour": tuple(CLOTH_COLOURS),
    "background": tuple(BACKGROUNDS),
    "eye_colour": tuple(EYE_COLOURS),
}
"""The values of every field of Presenter that has a list of them."""


def _is_number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _require_value(field: str, value: Any) -> None:
    """Raises ValueError if a presenter's `field` cannot be `value`."""
    if field in _CHOICES:
        fine, allowed = isinstance(value, str) and value in _CHOICES[field], f"one of {', '.join(_CHOICES[field])}"
    elif field == "slug":
        fine = isinstance(value, str) and value != "" and value == slug_of(value)
        allowed = "lower-case ASCII words joined by dashes"
    elif field == "name":
        fine, allowed = isinstance(value, str) and value.strip() != "", "text that is not blank"
    elif field == "languages":
        fine = isinstance(value, tuple) and all(isinstance(tag, str) and tag for tag in value)
        allowed = "a tuple of BCP 47 languages"
    elif field in ("parted_left", "freckles"):
        fine, allowed = isinstance(value, bool), "True or False"
    elif field == "detail":
        fine = isinstance(value, int) and _is_number(value, 0, (1 << 30) - 1)
        allowed = "a whole number from 0 to 1073741823"
    else:
        fine, allowed = _is_number(value, -1, 1), "a number from -1 to 1"
    if not fine:
        raise ValueError(f"a presenter's {field} cannot be {value!r}: it must be {allowed}.")


def _require_traits(traits: dict[str, Any]) -> None:
    """Raises ValueError if one of these is not a field of Presenter, or has a value which that field cannot have."""
    known = [field.name for field in fields(Presenter)]
    for field, value in traits.items():
        if field not in known:
            raise ValueError(f"a presenter has no '{field}' that could be {value!r}: it has {', '.join(known)}.")
        _require_value(field, value)


def _narrow(options: Sequence[_Option], fits: Callable[[_Option], bool]) -> list[_Option]:
    """The options that fit; all of them if none does."""
    return [option for option in options if fits(option)] or list(options)


def _ages(fixed: dict[str, Any]) -> list[str]:
    """The ages that go with the fixed traits."""
    if "age" in fixed:
        return [fixed["age"]]
    ages = list(get_args(Age))
    if fixed.get("hair") == "receding":
        ages = _narrow(ages, lambda age: age != "young")
    colour = fixed.get("hair_colour", "dark brown")
    if colour in GREYS:
        return _narrow(ages, lambda age: age == "senior" or (age == "adult" and colour == "grey"))
    return ages if colour == "dark brown" else _narrow(ages, lambda age: age != "senior")


def _presentations(fixed: dict[str, Any]) -> list[str]:
    """The presentations that go with the fixed traits."""
    if "presentation" in fixed:
        return [fixed["presentation"]]
    found = list(get_args(Presentation))
    if fixed.get("facial_hair", "none") != "none":
        found = _narrow(found, lambda one: one == "masculine")
    if fixed.get("earrings", "none") != "none":
        found = _narrow(found, lambda one: one != "masculine")
    if fixed.get("head_covering", "none") != "none":
        found = _narrow(found, lambda one: fixed["head_covering"] in _COVERINGS_OF[one])
    if "hair" in fixed:
        found = _narrow(found, lambda one: fixed["hair"] in _HAIR_OF[one])
    if "clothing" in fixed:
        found = _narrow(found, lambda one: fixed["clothing"] in _CLOTHING_OF[one])
    return found


def _hair_colours(tone: int) -> tuple[str, ...]:
    """The colours of hair, not yet grey, that go with a skin: its position in SKINS."""
    if tone <= 3:
        return tuple(HAIR_COLOURS)[:9]
    return ("black", "soft black", "dark brown", "brown", "chestnut")[: 5 if tone <= 5 else 3]


def _suits_tone(hair: str, tone: int) -> bool:
    return not (hair == "afro" and tone < 6) and not (hair in ("long straight", "bob fringe") and tone > 9)


def _tones(fixed: dict[str, Any]) -> list[int]:
    """Positions in SKINS of the skins that go with the fixed traits."""
    tones = list(range(len(SKINS)))
    if "skin" in fixed:
        return [list(SKINS).index(fixed["skin"])]
    if fixed.get("head_covering") in _TONES_OF_COVERING:
        tones = _narrow(tones, lambda tone: tone in _TONES_OF_COVERING[fixed["head_covering"]])
    if "hair" in fixed:
        tones = _narrow(tones, lambda tone: _suits_tone(fixed["hair"], tone))
    if "hair_colour" in fixed and fixed["hair_colour"] not in GREYS:
        tones = _narrow(tones, lambda tone: fixed["hair_colour"] in _hair_colours(tone))
    if fixed.get("freckles") or fixed.get("eye_colour") in ("green", "blue", "grey"):
        tones = _narrow(tones, lambda tone: tone <= 3)
    return tones


def _coverings(presentation: str, tones: list[int], fixed: dict[str, Any]) -> list[str]:
    """The head coverings that chance may add to the fixed traits: none that hides hair or earrings which are fixed."""
    found = [c for c in _COVERINGS_OF[presentation] if any(t in _TONES_OF_COVERING.get(c, tones) for t in tones)]
    if "hair" in fixed or "hair_colour" in fixed:
        found = [c for c in found if c in ("cap", "beanie") and fixed.get("hair") not in _NOT_UNDER_A_CAP]
    return [c for c in found if not (c == "hijab" and fixed.get("earrings", "none") != "none")]


def random_presenter(rng: np.random.Generator, **fixed: Any) -> Presenter:
    """A presenter with traits that go together. The same generator state gives the same presenter.

    Args:
        rng: where chance comes from.
        **fixed: fields of Presenter and their values, which are kept. What is left to chance goes with them wherever
            anything does: `presentation="feminine"` alone gives no beard, `hair="afro"` alone no light skin.

    Raises:
        ValueError: a name is not a field of Presenter, or a value is not one that its field can have.
    """
    _require_traits(fixed)

    def pick(options: Sequence[str], weights: list[float] | None = None) -> str:
        p = None if weights is None else np.asarray(weights) / np.sum(weights)
        return str(options[int(rng.choice(len(options), p=p))])

    def trait(scale: float = 0.6) -> float:
        return round(float(np.clip(rng.normal(0, scale), -1, 1)), 3)

    ages = _ages(fixed)
    age = pick(ages, [{"young": 0.38, "adult": 0.4, "senior": 0.22}[one] for one in ages])
    presentations = _presentations(fixed)
    presentation = pick(
        presentations, [{"feminine": 0.45, "masculine": 0.43, "neutral": 0.12}[p] for p in presentations]
    )
    tones = _tones(fixed)
    tone = tones[int(rng.integers(len(tones)))]
    covering = fixed.get("head_covering", "none")
    if "head_covering" not in fixed and rng.random() < 0.18:
        coverings = _coverings(presentation, tones, fixed)
        covering = pick(coverings) if coverings else "none"
    if covering in _TONES_OF_COVERING:
        suited = _narrow(tones, lambda one: one in _TONES_OF_COVERING[covering])
        tone = min(suited, key=lambda one: abs(one - tone))
    allowed = [
        s
        for s in _HAIR_OF[presentation]
        if _suits_tone(s, tone)
        and not (s == "receding" and age == "young")
        and not (s == "bald" and age == "young" and rng.random() < 0.7)
        and not (s == "bald" and "hair_colour" in fixed)
        and not (covering in ("cap", "beanie") and s in _NOT_UNDER_A_CAP)
    ]
    hair = fixed.get("hair") or pick(allowed)
    if "hair_colour" in fixed:
        colour = fixed["hair_colour"]
    elif age == "senior":
        colour = pick(["grey", "silver", "white", "dark brown"], [0.35, 0.35, 0.22, 0.08])
    elif age == "adult" and rng.random() < 0.08:
        colour = "grey"
    else:
        colour = pick(_hair_colours(tone), [0.5, 0.3, 0.2] if tone > 5 else None)
    facial = "none"
    if presentation == "masculine" and rng.random() < (0.3 if age == "young" else 0.6):
        facial = pick(["stubble", "moustache", "goatee", "short beard", "full beard"], [3, 1.2, 1, 3, 2])
        if covering == "turban" or (hair == "bald" and rng.random() < 0.4):
            facial = pick(["short beard", "full beard"])
    long_hair = hair in ("bob", "bob fringe", "long straight", "long wavy", "long curly", "afro")
    earrings = "none"
    if presentation != "masculine" and covering != "hijab" and rng.random() < 0.55:
        earrings = pick(["stud", "drop"] if long_hair else ["stud", "hoop", "drop"])
    cloth = fixed.get("cloth_colour") or pick([c for c in CLOTH_COLOURS if c != fixed.get("accent_colour")])
    accent = pick([c for c in CLOTH_COLOURS if c != cloth])
    if tone <= 3:
        eye = pick(list(EYE_COLOURS))
    else:
        eye = pick(["dark brown", "brown", "hazel"], [0.55, 0.4, 0.05])
    glasses = "none" if rng.random() > (0.5 if age == "senior" else 0.27) else pick(["round", "square"])
    detail = int(rng.integers(1 << 30))
    drawn = Presenter(
        slug=f"presenter-{detail:08x}",
        name=f"Presenter {detail:08x}",
        age=age,  # type: ignore[arg-type]
        presentation=presentation,  # type: ignore[arg-type]
        skin=list(SKINS)[tone],
        hair=hair,
        hair_colour=colour,
        head_covering=covering,
        covering_colour=pick(list(CLOTH_COLOURS)),
        glasses=glasses,
        frame_colour=pick(["charcoal", "navy", "brick", "mustard"], [5, 2, 1.5, 1]),
        facial_hair=facial,
        earrings=earrings,
        clothing=pick(_CLOTHING_OF[presentation]),
        cloth_colour=cloth,
        accent_colour=accent,
        background=pick(list(BACKGROUNDS)),
        eye_colour=eye,
        face_width=trait(),
        jaw=trait() + {"feminine": -0.3, "masculine": 0.35, "neutral": 0.0}[presentation],
        chin=trait(),
        eye_size=trait() + (0.15 if presentation == "feminine" else 0.0),
        eye_distance=trait(0.5),
        nose_size=trait() + (0.2 if presentation == "masculine" else -0.1),
        lip_fullness=trait() + (0.25 if presentation == "feminine" else -0.15) + (0.25 if tone > 6 else 0.0),
        mouth_width=trait(),
        brow_weight=trait() + {"feminine": -0.3, "masculine": 0.4, "neutral": 0.0}[presentation],
        brow_arch=trait(),
        parted_left=bool(rng.random() < 0.5),
        detail=detail,
        freckles=bool(tone <= 3 and rng.random() < 0.2),
    )
    return replace(drawn, **fixed)


def _cast(
    name: str, age: Age, presentation: Presentation, skin: str, hair: str, colour: str, **traits: Any
) -> Presenter:
    slug = slug_of(name)
    traits.setdefault("detail", zlib.crc32(slug.encode()) & 0x3FFFFFFF)
    return Presenter(slug, name, age, presentation, skin, hair, colour, **traits)


STARTER_CAST: tuple[Presenter, ...] = (
    _cast(
        "Maya Okafor",
        "adult",
        "feminine",
        "cocoa",
        "long curly",
        "black",
        clothing="blazer",
        cloth_colour="mustard",
        accent_colour="cream",
        background="ocean",
        eye_colour="dark brown",
        earrings="stud",
        jaw=-0.3,
        eye_size=0.3,
        lip_fullness=0.6,
        brow_weight=-0.1,
        languages=("en", "ig", "yo", "fr"),
    ),
    _cast(
        "Daniel Lindqvist",
        "adult",
        "masculine",
        "ivory",
        "side part",
        "dark blonde",
        clothing="shirt",
        cloth_colour="sky",
        background="studio",
        eye_colour="blue",
        facial_hair="stubble",
        jaw=0.5,
        chin=0.3,
        brow_weight=0.2,
        nose_size=0.3,
        languages=("sv", "en", "de", "no"),
    ),
    _cast(
        "Mei-Ling Chen",
        "adult",
        "feminine",
        "sand",
        "bob fringe",
        "black",
        clothing="turtleneck",
        cloth_colour="teal",
        background="peach",
        eye_colour="dark brown",
        glasses="round",
        face_width=0.3,
        jaw=-0.2,
        eye_size=-0.1,
        languages=("zh", "en"),
    ),
    _cast(
        "Arjun Mehta",
        "adult",
        "masculine",
        "caramel",
        "quiff",
        "black",
        clothing="suit",
        cloth_colour="navy",
        accent_colour="brick",
        background="mist",
        eye_colour="dark brown",
        facial_hair="short beard",
        jaw=0.4,
        brow_weight=0.6,
        languages=("hi", "gu", "en"),
    ),
    _cast(
        "Leila Haddad",
        "adult",
        "feminine",
        "honey",
        "long wavy",
        "dark brown",
        head_covering="hijab",
        covering_colour="sage",
        clothing="tee",
        cloth_colour="forest",
        background="rosewater",
        eye_colour="hazel",
        jaw=-0.2,
        eye_size=0.4,
        brow_weight=0.2,
        languages=("ar", "fr", "en"),
    ),
    _cast(
        "Harpreet Singh",
        "adult",
        "masculine",
        "bronze",
        "crop",
        "black",
        head_covering="turban",
        covering_colour="coral",
        clothing="blazer",
        cloth_colour="charcoal",
        accent_colour="white",
        background="mint",
        eye_colour="dark brown",
        facial_hair="full beard",
        brow_weight=0.5,
        nose_size=0.3,
        languages=("pa", "hi", "en"),
    ),
    _cast(
        "Sofia Ramirez",
        "young",
        "feminine",
        "olive",
        "long wavy",
        "dark brown",
        clothing="blouse",
        cloth_colour="coral",
        background="sun",
        eye_colour="brown",
        earrings="drop",
        jaw=-0.4,
        eye_size=0.2,
        mouth_width=0.4,
        lip_fullness=0.4,
        languages=("es", "en", "pt"),
    ),
    _cast(
        "Kwame Mensah",
        "senior",
        "masculine",
        "espresso",
        "buzz",
        "silver",
        clothing="kurta",
        cloth_colour="cobalt",
        accent_colour="mustard",
        background="clay",
        eye_colour="dark brown",
        facial_hair="short beard",
        jaw=0.3,
        face_width=0.3,
        nose_size=0.5,
        languages=("en", "ak", "fr"),
    ),
    _cast(
        "Hannah Weber",
        "senior",
        "feminine",
        "rose",
        "bob",
        "silver",
        clothing="cardigan",
        cloth_colour="plum",
        accent_colour="cream",
        background="lilac",
        eye_colour="grey",
        glasses="square",
        frame_colour="brick",
        earrings="stud",
        jaw=-0.1,
        languages=("de", "en"),
    ),
    _cast(
        "Kenji Watanabe",
        "senior",
        "masculine",
        "sand",
        "side part",
        "grey",
        clothing="suit",
        cloth_colour="charcoal",
        accent_colour="plum",
        background="slate",
        eye_colour="dark brown",
        glasses="square",
        face_width=0.2,
        brow_weight=0.1,
        languages=("ja", "en"),
    ),
    _cast(
        "Amara Diallo",
        "young",
        "feminine",
        "ebony",
        "afro",
        "black",
        clothing="tee",
        cloth_colour="white",
        background="fern",
        eye_colour="dark brown",
        earrings="drop",
        eye_size=0.3,
        lip_fullness=0.6,
        jaw=-0.3,
        languages=("fr", "wo", "en"),
    ),
    _cast(
        "Liam Brennan",
        "young",
        "masculine",
        "porcelain",
        "curly top",
        "copper",
        clothing="hoodie",
        cloth_colour="forest",
        accent_colour="cream",
        background="mint",
        eye_colour="green",
        freckles=True,
        jaw=0.1,
        brow_weight=0.1,
        parted_left=True,
        languages=("en", "ga"),
    ),
    _cast(
        "Priya Raman",
        "young",
        "feminine",
        "bronze",
        "ponytail",
        "black",
        clothing="kurta",
        cloth_colour="plum",
        accent_colour="mustard",
        background="peach",
        eye_colour="dark brown",
        earrings="hoop",
        eye_size=0.4,
        jaw=-0.3,
        brow_weight=0.0,
        languages=("ta", "hi", "en"),
    ),
    _cast(
        "Mateo Silva",
        "young",
        "masculine",
        "olive",
        "crop",
        "soft black",
        clothing="tee",
        cloth_colour="mustard",
        background="dusk",
        eye_colour="brown",
        facial_hair="stubble",
        jaw=0.3,
        brow_weight=0.4,
        languages=("pt", "es"),
    ),
    _cast(
        "Ingrid Solberg",
        "adult",
        "feminine",
        "porcelain",
        "long straight",
        "blonde",
        clothing="v-neck",
        cloth_colour="cobalt",
        background="studio",
        eye_colour="blue",
        jaw=-0.1,
        chin=0.2,
        eye_size=0.1,
        languages=("no", "en", "da"),
    ),
    _cast(
        "Tunde Adeyemi",
        "adult",
        "masculine",
        "cocoa",
        "bald",
        "black",
        clothing="turtleneck",
        cloth_colour="charcoal",
        background="sun",
        eye_colour="dark brown",
        glasses="round",
        frame_colour="charcoal",
        facial_hair="goatee",
        jaw=0.4,
        nose_size=0.4,
        lip_fullness=0.3,
        languages=("en", "yo"),
    ),
    _cast(
        "Yasmin Demir",
        "adult",
        "feminine",
        "sand",
        "pixie",
        "auburn",
        clothing="blazer",
        cloth_colour="teal",
        accent_colour="white",
        background="clay",
        eye_colour="green",
        earrings="hoop",
        jaw=-0.2,
        eye_size=0.2,
        parted_left=True,
        languages=("tr", "de", "en"),
    ),
    _cast(
        "Noa Ben-David",
        "young",
        "neutral",
        "honey",
        "curly top",
        "brown",
        clothing="hoodie",
        cloth_colour="lavender",
        accent_colour="navy",
        background="mist",
        eye_colour="brown",
        eye_size=0.2,
        brow_weight=0.1,
        languages=("he", "en"),
    ),
    _cast(
        "Alex Moreau",
        "adult",
        "neutral",
        "ivory",
        "quiff",
        "chestnut",
        clothing="shirt",
        cloth_colour="sage",
        background="rosewater",
        eye_colour="grey",
        glasses="round",
        frame_colour="navy",
        chin=-0.2,
        languages=("fr", "en"),
    ),
    _cast(
        "Ewa Kowalska",
        "senior",
        "feminine",
        "ivory",
        "bun",
        "white",
        clothing="blouse",
        cloth_colour="brick",
        background="mint",
        eye_colour="blue",
        earrings="drop",
        face_width=0.3,
        jaw=0.0,
        detail=4,
        languages=("pl", "en", "uk"),
    ),
    _cast(
        "Giorgio Conti",
        "senior",
        "masculine",
        "honey",
        "receding",
        "grey",
        clothing="cardigan",
        cloth_colour="navy",
        accent_colour="sky",
        background="sun",
        eye_colour="hazel",
        facial_hair="moustache",
        face_width=0.4,
        jaw=0.3,
        nose_size=0.6,
        languages=("it", "en"),
    ),
    _cast(
        "Thandiwe Nkosi",
        "senior",
        "feminine",
        "chestnut",
        "buzz",
        "grey",
        head_covering="headwrap",
        covering_colour="mustard",
        clothing="blouse",
        cloth_colour="teal",
        background="lilac",
        eye_colour="dark brown",
        earrings="hoop",
        face_width=0.3,
        lip_fullness=0.4,
        languages=("zu", "xh", "en"),
    ),
    _cast(
        "Minh Tran",
        "adult",
        "masculine",
        "sand",
        "crop",
        "black",
        clothing="v-neck",
        cloth_colour="brick",
        background="ocean",
        eye_colour="dark brown",
        face_width=0.1,
        jaw=0.1,
        brow_weight=0.1,
        parted_left=True,
        languages=("vi", "en"),
    ),
    _cast(
        "Nadia Petrova",
        "young",
        "feminine",
        "rose",
        "bob",
        "brown",
        clothing="turtleneck",
        cloth_colour="blush",
        background="slate",
        eye_colour="green",
        freckles=True,
        jaw=-0.4,
        eye_size=0.3,
        parted_left=True,
        languages=("ru", "bg", "en"),
    ),
    _cast(
        "Omar Farouk",
        "adult",
        "masculine",
        "olive",
        "buzz",
        "soft black",
        clothing="blazer",
        cloth_colour="stone",
        accent_colour="navy",
        background="fern",
        eye_colour="brown",
        facial_hair="full beard",
        jaw=0.5,
        brow_weight=0.6,
        languages=("ar", "en"),
    ),
    _cast(
        "Jada Thompson",
        "young",
        "feminine",
        "chestnut",
        "bun",
        "soft black",
        clothing="cardigan",
        cloth_colour="coral",
        accent_colour="white",
        background="dusk",
        eye_colour="brown",
        glasses="square",
        frame_colour="charcoal",
        earrings="stud",
        lip_fullness=0.5,
        eye_size=0.2,
        detail=7,
        languages=("en",),
    ),
    _cast(
        "Kai Nakamura",
        "young",
        "neutral",
        "sand",
        "pixie",
        "soft black",
        clothing="tee",
        cloth_colour="sky",
        background="peach",
        eye_colour="dark brown",
        brow_weight=-0.1,
        languages=("ja", "en"),
    ),
    _cast(
        "Sami Virtanen",
        "young",
        "masculine",
        "ivory",
        "crop",
        "dark blonde",
        head_covering="beanie",
        covering_colour="mustard",
        clothing="hoodie",
        cloth_colour="charcoal",
        accent_colour="white",
        background="ocean",
        eye_colour="blue",
        jaw=0.2,
        languages=("fi", "sv", "en"),
    ),
    _cast(
        "Min-jun Park",
        "young",
        "masculine",
        "ivory",
        "side part",
        "soft black",
        clothing="suit",
        cloth_colour="sky",
        accent_colour="plum",
        background="mint",
        eye_colour="dark brown",
        jaw=0.1,
        eye_size=0.1,
        languages=("ko", "en"),
    ),
    _cast(
        "Somchai Prasert",
        "adult",
        "masculine",
        "olive",
        "curly top",
        "soft black",
        clothing="kurta",
        cloth_colour="mustard",
        accent_colour="brick",
        background="lilac",
        eye_colour="dark brown",
        face_width=0.3,
        jaw=0.1,
        languages=("th", "en"),
    ),
    _cast(
        "Dewi Lestari",
        "adult",
        "feminine",
        "honey",
        "bob",
        "dark brown",
        head_covering="hijab",
        covering_colour="plum",
        clothing="blazer",
        cloth_colour="stone",
        accent_colour="cream",
        background="sun",
        eye_colour="brown",
        glasses="round",
        frame_colour="charcoal",
        jaw=-0.2,
        eye_size=0.2,
        languages=("id", "ms", "en"),
    ),
    _cast(
        "Juma Mwangi",
        "young",
        "masculine",
        "espresso",
        "afro",
        "black",
        clothing="tee",
        cloth_colour="coral",
        background="studio",
        eye_colour="dark brown",
        jaw=0.2,
        nose_size=0.2,
        lip_fullness=0.3,
        languages=("sw", "en"),
    ),
    _cast(
        "Balázs Nagy",
        "adult",
        "masculine",
        "porcelain",
        "crop",
        "copper",
        clothing="shirt",
        cloth_colour="forest",
        background="peach",
        eye_colour="hazel",
        facial_hair="short beard",
        freckles=True,
        jaw=0.3,
        languages=("hu", "en"),
    ),
    _cast(
        "Pavel Dvořák",
        "senior",
        "masculine",
        "rose",
        "receding",
        "white",
        clothing="turtleneck",
        cloth_colour="navy",
        background="clay",
        eye_colour="blue",
        glasses="round",
        frame_colour="brick",
        facial_hair="full beard",
        jaw=0.2,
        languages=("cs", "sk", "en"),
    ),
    _cast(
        "Ioana Popescu",
        "young",
        "feminine",
        "sand",
        "pixie",
        "chestnut",
        clothing="hoodie",
        cloth_colour="brick",
        accent_colour="cream",
        background="fern",
        eye_colour="brown",
        glasses="square",
        frame_colour="navy",
        eye_size=0.3,
        jaw=-0.4,
        languages=("ro", "en"),
    ),
    _cast(
        "Nikos Papadakis",
        "adult",
        "masculine",
        "honey",
        "quiff",
        "dark brown",
        clothing="shirt",
        cloth_colour="white",
        background="ocean",
        eye_colour="brown",
        facial_hair="moustache",
        brow_weight=0.6,
        nose_size=0.5,
        jaw=0.4,
        languages=("el", "en"),
    ),
    _cast(
        "Oksana Bondar",
        "adult",
        "feminine",
        "ivory",
        "bun",
        "blonde",
        clothing="turtleneck",
        cloth_colour="sage",
        background="dusk",
        eye_colour="green",
        earrings="hoop",
        jaw=-0.1,
        brow_arch=0.3,
        detail=9,
        languages=("uk", "en"),
    ),
    _cast(
        "Parisa Karimi",
        "senior",
        "feminine",
        "sand",
        "long straight",
        "grey",
        head_covering="hijab",
        covering_colour="navy",
        clothing="cardigan",
        cloth_colour="stone",
        accent_colour="white",
        background="mist",
        eye_colour="dark brown",
        brow_weight=0.1,
        languages=("fa", "en"),
    ),
    _cast(
        "Rahul Chatterjee",
        "senior",
        "masculine",
        "bronze",
        "side part",
        "silver",
        clothing="cardigan",
        cloth_colour="mustard",
        accent_colour="charcoal",
        background="rosewater",
        eye_colour="dark brown",
        glasses="square",
        frame_colour="charcoal",
        facial_hair="stubble",
        face_width=0.2,
        nose_size=0.4,
        languages=("bn", "en"),
    ),
    _cast(
        "Ayesha Siddiqui",
        "adult",
        "feminine",
        "caramel",
        "ponytail",
        "dark brown",
        clothing="v-neck",
        cloth_colour="teal",
        background="sun",
        eye_colour="brown",
        earrings="drop",
        jaw=-0.3,
        lip_fullness=0.3,
        parted_left=True,
        languages=("ur", "pa", "en"),
    ),
    _cast(
        "Sanne de Vries",
        "senior",
        "feminine",
        "porcelain",
        "pixie",
        "silver",
        clothing="blazer",
        cloth_colour="cobalt",
        accent_colour="white",
        background="peach",
        eye_colour="blue",
        earrings="stud",
        face_width=0.1,
        mouth_width=0.3,
        languages=("nl", "en"),
    ),
    _cast(
        "Rafael Almeida",
        "adult",
        "masculine",
        "chestnut",
        "buzz",
        "black",
        head_covering="cap",
        covering_colour="cobalt",
        clothing="tee",
        cloth_colour="stone",
        background="sun",
        eye_colour="dark brown",
        facial_hair="goatee",
        jaw=0.3,
        lip_fullness=0.3,
        languages=("pt-BR", "es"),
    ),
    _cast(
        "Dawit Tesfaye",
        "young",
        "masculine",
        "espresso",
        "buzz",
        "soft black",
        head_covering="beanie",
        covering_colour="brick",
        clothing="kurta",
        cloth_colour="cream",
        accent_colour="forest",
        background="lilac",
        eye_colour="dark brown",
        facial_hair="stubble",
        jaw=0.2,
        languages=("am", "en"),
    ),
    _cast(
        "Jun Reyes",
        "young",
        "neutral",
        "olive",
        "bob",
        "black",
        clothing="blazer",
        cloth_colour="plum",
        accent_colour="sky",
        background="mint",
        eye_colour="dark brown",
        jaw=-0.1,
        face_width=0.1,
        languages=("fil", "en"),
    ),
    _cast(
        "Gurleen Kaur",
        "adult",
        "feminine",
        "bronze",
        "long straight",
        "black",
        head_covering="turban",
        covering_colour="cobalt",
        clothing="kurta",
        cloth_colour="coral",
        accent_colour="mustard",
        background="studio",
        eye_colour="dark brown",
        eye_size=0.2,
        brow_weight=0.2,
        languages=("pa", "hi", "en"),
    ),
    _cast(
        "Ivana Horvat",
        "young",
        "feminine",
        "rose",
        "bob fringe",
        "auburn",
        clothing="cardigan",
        cloth_colour="sky",
        accent_colour="white",
        background="clay",
        eye_colour="grey",
        freckles=True,
        jaw=-0.3,
        languages=("hr", "sr", "en"),
    ),
    _cast(
        "Robin Taylor",
        "senior",
        "neutral",
        "caramel",
        "crop",
        "white",
        clothing="v-neck",
        cloth_colour="charcoal",
        background="fern",
        eye_colour="hazel",
        glasses="round",
        frame_colour="mustard",
        chin=0.2,
        languages=("en",),
    ),
    _cast(
        "Ama Boateng",
        "young",
        "feminine",
        "ebony",
        "bun",
        "black",
        head_covering="headwrap",
        covering_colour="coral",
        clothing="v-neck",
        cloth_colour="cobalt",
        background="mist",
        eye_colour="dark brown",
        earrings="drop",
        lip_fullness=0.6,
        eye_size=0.3,
        jaw=-0.3,
        languages=("ak", "en"),
    ),
)
"""The presenters that ship with the project: fictional people, free to use."""
