"""What is asked for when a production is cast: of each speaker, and of the whole cast."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from catalog.casting_weights import AS_A_RULE, CastingWeights
from catalog.rights import ANY_USE, Use, purposes
from catalog.tables import AGE_BANDS, PRESENTATIONS
from media.dialogue import language_tag
from media.errors import InputError

PITCH_CLASSES = ("low", "mid", "high")
SUITS = {"low": "masculine", "high": "feminine"}
"""Presentation that a voice of this pitch suits; a mid one suits any."""


@dataclass(frozen=True, slots=True)
class CastingRequest:
    """What is known about a speaker. Everything but the name may be missing."""

    speaker: str
    wish: str | None = None
    """Slug of the portrait that this speaker shall have."""
    wish_reason: str = "wished for"
    gender: str | None = None
    """feminine, masculine or neutral."""
    age: str | None = None
    """young, adult or senior."""
    pitch_class: str | None = None
    """low, mid or high."""
    language: str | None = None
    """BCP 47; the source's language."""
    style: str | None = None
    """Such as `illustrated` or `photo`, as the portrait's own."""
    tags: tuple[str, ...] = ()
    """Tags of the portrait that speak for it, such as those of a brand."""
    known: tuple[str, str] | None = None
    """Slug of the portrait that this person has in other episodes of a show, and how they are known; a wish outweighs it."""


@dataclass(frozen=True, slots=True)
class CastingRules:
    """What holds for all speakers of a cast."""

    use: Use = ANY_USE
    """What the portraits are for; those whose licence or consent does not cover it are not cast."""
    exclude: Sequence[str] = ()
    """Slugs of portraits that nobody shall have, except those who wish for one or have it already."""
    reserved: Collection[int] = ()
    """Ids of portraits that others shall have, such as who is in other episodes; they are cast only when there are not
    enough without them."""
    style: str | None = None
    """What the renderer is made for: `photo`, or `illustrated`, which every other style counts as; only such portraits are
    cast, and others are not kept. None: any."""
    weights: CastingWeights = AS_A_RULE
    seed: int = 0


ANY_CAST = CastingRules()


@dataclass(frozen=True, slots=True)
class CastingCall:
    """A cast that is wanted: by which production, at what moment, by which rules."""

    production_id: str
    at: datetime
    rules: CastingRules


def check_requests(requests: Sequence[CastingRequest]) -> None:
    """Refuse what means nothing.

    Raises:
        InputError: a speaker twice or without a name; a hint that there is not.
    """
    names = [one.speaker for one in requests]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"casting: speaker '{twice[0]}' is there twice; name every speaker once.")
    for one in requests:
        if not one.speaker or len(one.speaker) > 200 or "\0" in one.speaker:
            raise InputError(f"casting: '{one.speaker[:40]}' cannot be a speaker's name; use 1 to 200 characters.")
        purposes(one.tags, f"casting of '{one.speaker}', tags")
        if one.language not in (None, "und"):
            language_tag(str(one.language), f"casting of '{one.speaker}'")
        for what, value, allowed in (
            ("gender", one.gender, PRESENTATIONS),
            ("age", one.age, AGE_BANDS),
            ("pitch class", one.pitch_class, PITCH_CLASSES),
        ):
            if value is not None and value not in allowed:
                raise InputError(f"casting of '{one.speaker}': {what} '{value}' is not one of {', '.join(allowed)}.")


def heeded(request: CastingRequest, weights: CastingWeights) -> CastingRequest:
    """The request without what has no weight: that is not asked for, and no reason speaks of it."""
    fields = {"gender": "gender", "age": "age", "voice": "pitch_class", "language": "language", "style": "style"}
    ignored = {field: None for name, field in fields.items() if not weights.points(name)}
    return replace(request, **ignored, tags=request.tags if weights.points("tags") else ())  # type: ignore[arg-type]


def near_genders(gender: str | None) -> tuple[str, ...]:
    if gender is None:
        return ()
    return ("feminine", "masculine") if gender == "neutral" else ("neutral",)


def near_ages(age: str | None) -> tuple[str, ...]:
    if age is None:
        return ()
    return ("young", "senior") if age == "adult" else ("adult",)


def primary_language(language: str | None) -> str | None:
    """`pt` of `pt-BR`; None when the language is not known."""
    return None if language in (None, "und") else str(language).lower().split("-")[0]
