"""Casting: which portrait every speaker of a production gets, and why.

One SQL query scores the portraits that may be used against everything asked of every speaker. Who gets which of them is
then settled for all speakers together: the best total fit first, then looks that are easily told apart, then the
portraits used least, then lots that are drawn from names alone, so that the same question has the same answer on every
machine and database, in whatever order it is asked.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Integer,
    Row,
    Select,
    String,
    bindparam,
    case,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import Session, joinedload
from sqlalchemy.types import TypeEngine

from catalog.portraits import find_portrait
from catalog.productions import lock_production
from catalog.rights import ANY_USE, Use, consented, licensed, purposes, require_rights, usable
from catalog.tables import AGE_BANDS, LOTS, PRESENTATIONS, Casting, Consent, Portrait, UtcDateTime, now
from media.dialogue import language_tag
from media.errors import InputError, RightsError

PITCH_CLASSES = ("low", "mid", "high")
_SUITS = {"low": "masculine", "high": "feminine"}

# Points. One step of a line outweighs everything below it together, so that hints are never traded for a voice's pitch,
# nor pitch for language.
_GENDER, _GENDER_NEAR = 7680, 3840
_AGE, _AGE_NEAR = 2560, 1280
_PITCH, _PITCH_NEAR = 640, 320
_LANGUAGE, _LANGUAGE_ANY = 160, 80
_TAGS = 48  # for all of them; a part of them for some
_STYLE = 12

_SPARE_CANDIDATES = 32
"""How many portraits a speaker brings to the settling beyond one per speaker, for looks to choose from."""

_REACH = 2
"""Consents are asked for of so many times more portraits than are wanted, at first."""

_LOOKS = {"presentation": 2, "age_band": 1, "skin": 2, "hair": 2, "clothing": 1, "glasses": 2, "head_covering": 3}
"""How much two portraits look alike when they have this in common."""
_LOOKS_IN_ATTRIBUTES = {"hair_colour": 2, "facial_hair": 2}
_OUT_OF_REACH = 1 << 120
_LIKE_ANYBODY = 5
"""Likeness up to which two faces are not confused: what two young women with the same hair have in common."""

_OF_SOMEBODY = Consent.kind == "person"
_Looks = frozenset[tuple[str, str]]


class TooFewPortraitsError(InputError):
    """There are fewer portraits than speakers."""

    def __init__(self, message: str, *, enough_of_others: bool) -> None:
        """`enough_of_others`: there would be enough if portraits of another style could be cast."""
        super().__init__(message)
        self.enough_of_others = enough_of_others


@dataclass(frozen=True, slots=True)
class CastingRequest:
    """What is known about a speaker. Everything but the name may be missing."""

    speaker: str
    wish: str | None = None
    """Slug of the portrait that this speaker shall have."""
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
class CastingDecision:
    speaker: str
    portrait_slug: str
    portrait_id: int
    score: float
    """How much of what was asked for the portrait meets, 0..1."""
    reason: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A portrait as one speaker sees it."""

    id: int
    slug: str
    fit: int
    """Points."""
    uses: int
    """In how many other productions it is cast."""
    draw: int
    """This speaker's draw of its lot, 0 <= draw < LOTS."""
    equals: int
    """How many free portraits fit this speaker as well, itself included."""
    speaks: bool
    looks: _Looks
    style: str = ""
    tags: frozenset[str] = frozenset()


def cast_speakers(
    session: Session,
    production_id: str,
    requests: Sequence[CastingRequest],
    seed: int = 0,
    use: Use = ANY_USE,
    exclude: Sequence[str] = (),
    reserved: Collection[int] = (),
    style: str | None = None,
) -> list[CastingDecision]:
    """One portrait per speaker, no two the same, in the order of `requests`; kept for the next time.

    A casting that the production has is kept, unless a wish says otherwise or the portrait may not be used any more.
    Wishes come first. Nobody is in a cast twice: of two pictures of one person, by the consents, one is chosen at most.
    Roll the session back to ask what would be cast without casting it.

    Args:
        production_id: decides, with `seed`, between portraits that suit equally well; it must not change when a line
            of the source does, or the speakers would get other faces.
        exclude: slugs of portraits that nobody shall have, except those who wish for one or have it already.
        reserved: ids of portraits that others shall have, such as who is in other episodes; they are cast only when
            there are not enough without them.
        style: what the renderer is made for: `photo`, or `illustrated`, which every other style counts as; only such
            portraits are cast, and others are not kept. None: any.
        use: what the portraits are for; those whose licence or consent does not cover it are not cast.

    Raises:
        InputError: no such production; a speaker twice; a hint or portrait that does not exist; two speakers who wish
            for one portrait or one person.
        TooFewPortraitsError: fewer usable portraits than speakers.
        RightsError: a portrait that was wished for may not be used.
    """
    _check(requests)
    lock_production(session, production_id)
    at = now()
    earlier = {
        one.speaker: one
        for one in session.scalars(
            _castings(production_id).execution_options(populate_existing=True)  # what others cast before the lock
        )
    }
    wished = _wished(session, requests, at, use)
    decided, lost = _kept(session, requests, earlier, wished, at, use, style)
    missing = sorted((one for one in requests if one.speaker not in decided), key=lambda one: one.speaker)
    if missing:
        taken = {one.portrait_id for one in decided.values()}
        excluded = {find_portrait(session, slug).id for slug in exclude}
        barred = taken | excluded
        # Speakers of this production who are not asked for now keep their portraits, as long as there are enough.
        asked = {one.speaker for one in requests}
        held = {one.portrait_id for speaker, one in earlier.items() if speaker not in asked}
        held |= set(reserved) - taken
        fixed: list[_Looks] = []
        if taken:
            cast_already = session.scalars(select(Portrait).where(Portrait.id.in_(sorted(taken))))
            fixed = [_looks_of(one) for one in cast_already]
            barred |= _others_of_the_same_people(session, taken)
        while True:
            candidates = _candidates(session, production_id, seed, missing, barred | held, at, use, style)
            if held and _count(candidates) < len(missing):
                candidates = _candidates(session, production_id, seed, missing, barred, at, use, style)
            if _count(candidates) < len(missing):
                kind = "" if style is None else f" that are {'photographs' if style == 'photo' else 'illustrated'}"
                everything = _candidates(session, production_id, seed, missing, barred, at, use, None)
                raise TooFewPortraitsError(
                    f"{len(requests)} speakers need {len(requests)} different portraits{kind} and only "
                    f"{_count(candidates) + len(taken)} may be used, each of another person; add portraits or renew "
                    "consents (see `portrayal catalog list`).",
                    enough_of_others=_count(everything) >= len(missing),
                )
            settled = _settle(candidates, fixed)
            # Of two pictures of one person, who fits better stays, and the cast is settled again without the other.
            twins = _twins(session, [choice for choice, _ in settled])
            if not twins:
                break
            barred |= twins
        for request, others, (choice, for_looks) in zip(missing, candidates, settled, strict=True):
            reason = "; ".join([*_reasons(request, choice, others, for_looks), *lost.get(request.speaker, ())])
            decided[request.speaker] = CastingDecision(
                request.speaker, choice.slug, choice.id, _score(request, choice), reason
            )
    _store(session, production_id, earlier, decided)
    return [decided[one.speaker] for one in requests]


def list_castings(session: Session, production_id: str) -> list[CastingDecision]:
    """What is cast in a production, by speaker's name."""
    found = session.scalars(_castings(production_id))
    return sorted((_decision(one) for one in found), key=lambda one: one.speaker)


def record_voice(session: Session, production_id: str, speaker: str, language: str, voice: dict[str, Any]) -> None:
    """Keep the voice that a speaker has in a language, as plain values, beside the portrait.

    Raises:
        InputError: the speaker is not cast in this production.
    """
    lock_production(session, production_id)
    casting = session.get(Casting, (production_id, speaker), populate_existing=True)
    if casting is None:
        raise InputError(f"speaker '{speaker}' is not cast in production '{production_id}'.")
    casting.voice = casting.voice | {language: voice}
    session.flush()


def _castings(production_id: str) -> Select[Casting]:
    return select(Casting).where(Casting.production_id == production_id).options(joinedload(Casting.portrait))


def _decision(casting: Casting) -> CastingDecision:
    portrait = casting.portrait
    return CastingDecision(casting.speaker, portrait.slug, portrait.id, casting.score, casting.reason)


def _check(requests: Sequence[CastingRequest]) -> None:
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


def _wished(session: Session, requests: Sequence[CastingRequest], at: datetime, use: Use) -> dict[str, Portrait]:
    wished: dict[str, Portrait] = {}
    for request in sorted(requests, key=lambda one: one.speaker):
        if request.wish is None:
            continue
        portrait = find_portrait(session, request.wish)
        for other, theirs in wished.items():
            if theirs.id == portrait.id:
                raise InputError(
                    f"'{other}' and '{request.speaker}' both wish for portrait '{portrait.slug}'; "
                    "give one of them another portrait."
                )
        try:
            require_rights(session, portrait, at, use)
        except RightsError as error:
            raise RightsError(f"casting of '{request.speaker}': {error}") from None
        wished[request.speaker] = portrait
    for speaker, portrait in wished.items():
        others = _others_of_the_same_people(session, [portrait.id]) if len(wished) > 1 else set()
        for other, theirs in wished.items():
            if theirs.id in others:
                raise InputError(
                    f"'{speaker}' and '{other}' wish for two pictures of one person, '{portrait.slug}' and '{theirs.slug}'; "
                    "give one of them another portrait."
                )
    return wished


def _kept(
    session: Session,
    requests: Sequence[CastingRequest],
    earlier: dict[str, Casting],
    wished: dict[str, Portrait],
    at: datetime,
    use: Use,
    style: str | None,
) -> tuple[dict[str, CastingDecision], dict[str, list[str]]]:
    """What wishes and earlier castings decide, and for those who lose their portrait the reason why."""
    portraits = [one.portrait_id for one in earlier.values()]
    known: dict[str, Portrait] = {}
    if slugs := [one.known[0] for one in requests if one.known is not None]:
        known = {one.slug: one for one in session.scalars(select(Portrait).where(Portrait.slug.in_(slugs)))}
    portraits += [one.id for one in known.values()]
    usable_ids: set[int] = set()
    if portraits:
        usable_ids = set(session.scalars(select(Portrait.id).where(Portrait.id.in_(portraits), usable(at, use))))
    other: set[int] = set()
    if portraits and style is not None:
        other = set(session.scalars(select(Portrait.id).where(Portrait.id.in_(portraits), ~_of_style(style))))
    # Wishes first, then who is known from other episodes; both may take a portrait from who only happens to have it.
    spoken_for = {portrait.id: speaker for speaker, portrait in wished.items()}
    decided: dict[str, CastingDecision] = {}
    lost: dict[str, list[str]] = {}
    theirs: dict[str, tuple[Portrait, str]] = {
        speaker: (portrait, "wished for") for speaker, portrait in wished.items()
    }
    for request in requests:
        if request.known is None or request.speaker in wished or request.known[0] not in known:
            continue
        portrait, how = known[request.known[0]], request.known[1]
        if portrait.id in other:
            lost[request.speaker] = [f"{how} had '{portrait.slug}', {_not_rendered(portrait)}"]
        elif portrait.id not in usable_ids:
            lost[request.speaker] = [f"{how} had '{portrait.slug}', which may not be used any more"]
        elif spoken_for.setdefault(portrait.id, request.speaker) != request.speaker:
            lost[request.speaker] = [f"{how} had '{portrait.slug}', which is another speaker's here"]
        else:
            theirs[request.speaker] = (portrait, how)
    for speaker in (one.speaker for one in requests):
        before = earlier.get(speaker)
        if speaker in theirs and (before is None or before.portrait_id != theirs[speaker][0].id):
            portrait, reason = theirs[speaker]
            decided[speaker] = CastingDecision(speaker, portrait.slug, portrait.id, 1.0, reason)
        elif before is not None and before.portrait_id in other:
            lost.setdefault(speaker, []).append(f"had '{before.portrait.slug}', {_not_rendered(before.portrait)}")
        elif before is not None and before.portrait_id not in usable_ids:
            lost.setdefault(speaker, []).append(f"'{before.portrait.slug}' may not be used any more")
        elif before is not None and spoken_for.get(before.portrait_id, speaker) != speaker:
            lost.setdefault(speaker, []).append(f"'{before.portrait.slug}' is wished for by another speaker")
        elif before is not None:
            decided[speaker] = _decision(before)
    return decided, lost


def _others_of_the_same_people(session: Session, portraits: Collection[int]) -> set[int]:
    """Ids of other portraits of the people shown in some; drawn faces are nobody's."""
    theirs = select(func.lower(Consent.subject)).where(Consent.portrait_id.in_(sorted(portraits)), _OF_SOMEBODY)
    query = select(Consent.portrait_id).where(func.lower(Consent.subject).in_(theirs), _OF_SOMEBODY)
    return set(session.scalars(query)) - set(portraits)


def _twins(session: Session, chosen: Sequence[_Candidate]) -> set[int]:
    """Ids of portraits to be left out so that nobody is in a cast twice, by the people whom consents name."""
    order = sorted(chosen, key=lambda one: (-one.fit, one.uses, one.slug))
    query = select(Consent.portrait_id, func.lower(Consent.subject)).where(
        Consent.portrait_id.in_(sorted(one.id for one in chosen)), _OF_SOMEBODY
    )
    people: dict[int, set[str]] = {}
    for portrait_id, subject in session.execute(query):
        people.setdefault(portrait_id, set()).add(subject)
    seen: set[str] = set()
    found = set()
    for one in order:
        theirs = people.get(one.id, set())
        if seen & theirs:
            found.add(one.id)
        seen |= theirs
    return found


def _candidates(
    session: Session,
    production_id: str,
    seed: int,
    requests: Sequence[CastingRequest],
    taken: set[int],
    at: datetime,
    use: Use,
    style: str | None,
) -> list[list[_Candidate]]:
    """For every request its best candidates, best first: as many as there are requests, and some more.

    With n speakers and the best n of each, no speaker is ever better off with one that was left out.
    """
    limit = len(requests) + _SPARE_CANDIDATES
    found, all_seen = _best(session, production_id, seed, requests, taken, at, use, style, limit, _REACH * limit)
    if not all_seen and any(len(column) < limit for column in found):
        # Consents bar most of those that fit best: look at everybody.
        found, _ = _best(session, production_id, seed, requests, taken, at, use, style, limit, LOTS)
    return found


def _best(
    session: Session,
    production_id: str,
    seed: int,
    requests: Sequence[CastingRequest],
    taken: set[int],
    at: datetime,
    use: Use,
    style: str | None,
    limit: int,
    reach: int,
) -> tuple[list[list[_Candidate]], bool]:
    """For every request the best `limit` of the portraits that may be used, and whether none was left unseen.

    Consents are asked for only of the kinds that fit best, until they hold `reach` portraits.
    """
    tag_count = max(len(one.tags) for one in requests)
    query = _scoring(session.get_bind().dialect.name == "sqlite", len(requests), tag_count, use, style)
    asked: dict[str, Any] = {
        "production": production_id,
        "at": at,
        "taken": sorted(taken),
        "limit": limit,
        "reach": reach,
    }
    for index, request in enumerate(requests):
        asked |= {f"{name}_{index}": value for name, value in _asked(request, production_id, seed, tag_count).items()}
    rows = session.execute(query, asked).all()
    found: list[list[_Candidate]] = [[] for _ in requests]
    seen: dict[int, tuple[_Looks, frozenset[str]]] = {}
    for row in rows:
        if row.id not in seen:
            seen[row.id] = _looks_of(row), frozenset(str(tag).lower() for tag in row.attributes.get("tags", ()))
        looks, tags = seen[row.id]
        found[row.request].append(
            _Candidate(
                id=row.id,
                slug=row.slug,
                fit=row.fit,
                uses=row.uses,
                draw=row.draw,
                equals=int(row.equals),
                speaks=bool(row.speaks),
                looks=looks,
                style=row.style,
                tags=tags,
            )
        )
    return found, reach >= LOTS or any(row.altogether <= reach for row in rows)


@lru_cache(maxsize=64)
def _scoring(sqlite: bool, speakers: int, tag_count: int, use: Use, style: str | None) -> Select[Any]:
    """The query of `_best`, for so many speakers who ask for so many tags each; putting it together takes milliseconds.

    Points depend on a portrait's kind alone, and there are far fewer kinds than portraits: kinds are scored, and portraits
    looked at only where their kind is among the best. Its parameters are those of `_best` and, numbered by speaker, `_asked`.
    """
    at: Any = bindparam("at", type_=UtcDateTime())
    asked = union_all(
        *(
            select(
                literal_column(str(index), Integer).label("request"),
                *(bindparam(f"{name}_{index}", type_=type_).label(name) for name, type_ in _ASKED.items()),
                *(bindparam(f"tag_{tag}_{index}", type_=String()).label(f"tag_{tag}") for tag in range(tag_count)),
            )
            for index in range(speakers)
        )
    ).cte("asked")
    languages, tags = (
        func.coalesce(Portrait.attributes[name].as_string(), "[]", type_=String).label(name)
        for name in ("languages", "tags")
    )
    same = (Portrait.presentation, Portrait.age_band, Portrait.style, languages, tags)
    kinds = (
        select(
            *same,
            func.min(Portrait.id).label("kind"),  # a number that no other kind has
            func.count().label("portraits"),
            (func.json_group_array(Portrait.id) if sqlite else func.array_agg(Portrait.id)).label("ids"),
        )
        .where(
            licensed(at, use),
            Portrait.id.not_in(bindparam("taken", type_=Integer(), expanding=True)),
            _of_style(style),
        )
        .group_by(*same)
        .cte("kinds")
    )
    graded = (
        select(
            asked.c.request,
            asked.c.factor,
            asked.c.shift,
            kinds.c.kind,
            kinds.c.portraits,
            _fit(kinds, asked, tag_count).label("fit"),
            func.coalesce(_speaks(kinds, asked), false()).label("speaks"),
        )
        .select_from(asked.join(kinds, true()))
        .subquery()
    )
    of_request, portraits = graded.c.request, func.sum(graded.c.portraits)
    counted = select(
        graded,
        portraits.over(partition_by=(of_request, graded.c.fit)).label("equals"),
        portraits.over(partition_by=of_request, order_by=graded.c.fit.desc(), range_=(None, 0)).label("so_many"),
        portraits.over(partition_by=of_request).label("altogether"),
    ).subquery()
    reach = bindparam("reach", type_=BigInteger())
    promising = select(counted).where(counted.c.so_many - counted.c.equals < reach).cte("promising")
    # Neither database guesses how few these are, hence the fences.
    chosen = (
        select(kinds.c.kind, kinds.c.ids)
        .where(kinds.c.kind.in_(select(promising.c.kind)))
        .cte("chosen")
        .prefix_with("MATERIALIZED")
    )
    if sqlite:
        member = func.json_each(chosen.c.ids).table_valued("value", name="member")
    else:
        member = func.unnest(chosen.c.ids).table_valued("value", name="member").render_derived()
    uses = (
        select(func.count())
        .where(Casting.portrait_id == Portrait.id, Casting.production_id != bindparam("production", type_=String()))
        .scalar_subquery()
    )
    # Each portrait once, however many speakers it suits.
    allowed = (
        select(chosen.c.kind, Portrait.id, Portrait.slug, Portrait.lot, uses.label("uses"))
        .select_from(chosen)
        .join(member, true())
        .join(Portrait, Portrait.id == member.c.value)
        .where(consented(at, use))
        .cte("allowed")
        .prefix_with("MATERIALIZED")
    )
    drawn = (
        select(
            promising.c.request,
            promising.c.fit,
            promising.c.speaks,
            promising.c.altogether,
            allowed.c.id,
            allowed.c.slug,
            allowed.c.uses,
            # A different permutation of the lots for every speaker, in integers that every database multiplies alike.
            ((allowed.c.lot * promising.c.factor + promising.c.shift) % LOTS).label("draw"),
        )
        .select_from(promising)
        .join(allowed, allowed.c.kind == promising.c.kind)
        .subquery()
    )
    order = (drawn.c.fit.desc(), drawn.c.uses, drawn.c.draw, drawn.c.slug)
    best = select(
        drawn,
        func.count().over(partition_by=(drawn.c.request, drawn.c.fit)).label("equals"),
        func.row_number().over(partition_by=drawn.c.request, order_by=order).label("place"),
    ).subquery()
    return (
        select(best, Portrait.style, Portrait.attributes, *(getattr(Portrait, trait) for trait in _LOOKS))
        .join(Portrait, Portrait.id == best.c.id)
        .where(best.c.place <= bindparam("limit", type_=Integer()))
        .order_by(best.c.request, best.c.place)
    )


def _of_style(style: str | None) -> ColumnElement[bool]:
    """Whether a renderer for `style` is made for a portrait."""
    if style is None:
        return true()
    photo: Any = literal_column("'photo'")  # a bound value would get the name of one of the queries' own
    return Portrait.style == photo if style == "photo" else Portrait.style != photo


def _not_rendered(portrait: Portrait) -> str:
    return f"which is {'a photograph' if portrait.style == 'photo' else 'drawn'} and not what the renderer is made for"


_ASKED: dict[str, TypeEngine[Any]] = {
    "factor": BigInteger(),
    "shift": BigInteger(),
    "tag_points": Integer(),
    **dict.fromkeys(
        ("gender", "gender_near", "gender_near_too", "age", "age_near", "age_near_too", "suits", "suits_near"), String()
    ),
    **dict.fromkeys(("suits_near_too", "language", "variety", "style"), String()),
}
"""What a request asks for, in words of the query; and tags."""


def _asked(request: CastingRequest, production_id: str, seed: int, tag_count: int) -> dict[str, Any]:
    """What one request asks for, None where it asks for nothing, and the numbers of its draw."""
    digest = hashlib.sha256(f"{production_id}\n{seed}\n{request.speaker}".encode()).digest()
    suits = _SUITS.get(request.pitch_class or "")
    primary = _primary(request.language)
    near = {"gender": _near_genders(request.gender), "age": _near_ages(request.age), "suits": _near_genders(suits)}
    found: dict[str, Any] = {
        "factor": 1 + int.from_bytes(digest[:8], "big") % (LOTS - 1),
        "shift": int.from_bytes(digest[8:16], "big") % LOTS,
        "tag_points": _TAGS // max(len(request.tags), 1),
        "gender": request.gender,
        "age": request.age,
        "suits": suits,
        "language": None if primary is None else f'%"{primary}"%',
        "variety": None if primary is None else f'%"{primary}-%',
        "style": request.style,
    }
    for name, values in near.items():
        found[f"{name}_near"], found[f"{name}_near_too"] = (*values, None, None)[:2]
    return found | {
        f"tag_{number}": f'%"{request.tags[number]}"%' if number < len(request.tags) else None
        for number in range(tag_count)
    }


def _fit(kind: CTE, asked: CTE, tag_count: int) -> ColumnElement[int]:
    """Points. What is compared with NULL, since it is not asked for, earns none."""
    k, a = kind.c, asked.c
    fit = (
        _grade(k.presentation, a.gender, (a.gender_near, a.gender_near_too), _GENDER, _GENDER_NEAR)
        + _grade(k.age_band, a.age, (a.age_near, a.age_near_too), _AGE, _AGE_NEAR)
        + _grade(k.presentation, a.suits, (a.suits_near, a.suits_near_too), _PITCH, _PITCH_NEAR)
        + case(
            (a.language.is_(None), 0), (k.languages == "[]", _LANGUAGE_ANY), (_speaks(kind, asked), _LANGUAGE), else_=0
        )
        + case((k.style == a.style, _STYLE), else_=0)
    )
    for number in range(tag_count):
        fit = fit + case((func.lower(k.tags).like(a[f"tag_{number}"]), a.tag_points), else_=0)
    return fit


def _speaks(kind: CTE, asked: CTE) -> ColumnElement[bool]:
    """Whether a portrait names the language, or a variety of it, as one that it suits."""
    named = func.lower(kind.c.languages)
    return or_(named.like(asked.c.language), named.like(asked.c.variety))


def _grade(column: Any, same: Any, near: Sequence[Any], points: int, near_points: int) -> ColumnElement[int]:
    return case((column == same, points), (or_(*(column == one for one in near)), near_points), else_=0)


def _near_genders(gender: str | None) -> tuple[str, ...]:
    if gender is None:
        return ()
    return ("feminine", "masculine") if gender == "neutral" else ("neutral",)


def _near_ages(age: str | None) -> tuple[str, ...]:
    if age is None:
        return ()
    return ("young", "senior") if age == "adult" else ("adult",)


def _primary(language: str | None) -> str | None:
    """`pt` of `pt-BR`; None when the language is not known."""
    return None if language in (None, "und") else str(language).lower().split("-")[0]


def _looks_of(portrait: "Portrait | Row[Any]") -> _Looks:
    look = {trait: getattr(portrait, trait) for trait in _LOOKS}
    look |= {trait: str(portrait.attributes.get(trait, "")) for trait in _LOOKS_IN_ATTRIBUTES}
    return frozenset((trait, value) for trait, value in look.items() if value not in ("", "none"))


def _count(candidates: Sequence[Sequence[_Candidate]]) -> int:
    return len({one.id for column in candidates for one in column})


def _settle(candidates: Sequence[Sequence[_Candidate]], fixed: Sequence[_Looks]) -> list[tuple[_Candidate, bool]]:
    """One candidate per speaker, all different, and whether it was changed to look less like somebody.

    First the assignment with the best sum of fit, uses and draws. Then, while two of the cast look alike, the one change
    at the same fit that helps most. `fixed` are the looks of those who are cast already.
    """
    choice = _assign(candidates)
    changed: set[int] = set()
    while True:
        used = {one.id for one in choice}
        changes: list[tuple[tuple[int, int, int], int, _Candidate]] = []
        for speaker, current in enumerate(choice):
            others = [*fixed, *(one.looks for one in choice if one is not current)]
            confusion = _confusion(current.looks, others)
            for other in candidates[speaker] if confusion else ():
                if other.id not in used and other.fit == current.fit:
                    gain = confusion - _confusion(other.looks, others)
                    if gain > 0:
                        changes.append(((-gain, other.uses, other.draw), speaker, other))
        if not changes:
            return [(one, speaker in changed) for speaker, one in enumerate(choice)]
        _, speaker, choice[speaker] = min(changes, key=lambda change: change[:2])
        changed.add(speaker)


def _confusion(looks: _Looks, others: Sequence[_Looks]) -> int:
    """How easily a face is taken for one of the others: 0 when it is like none of them."""
    weights = _LOOKS | _LOOKS_IN_ATTRIBUTES
    likeness = (sum(weights[trait] for trait, _ in looks & other) for other in others)
    # Squares: one pair of twins is worse than several faint likenesses.
    return sum(max(0, value - _LIKE_ANYBODY) ** 2 for value in likeness)


def _assign(candidates: Sequence[Sequence[_Candidate]]) -> list[_Candidate]:
    """Different portraits for all speakers at the least total cost.

    By shortest augmenting paths (Jonker and Volgenant 1987), in whole numbers, so that the answer is exact. There must
    be an assignment; there is one when each speaker has at least as many candidates as there are speakers, or all.
    """
    ids = sorted({one.id: one.slug for column in candidates for one in column}.items(), key=lambda pair: pair[1])
    column_of = {portrait_id: column for column, (portrait_id, _) in enumerate(ids)}
    seen = [{column_of[one.id]: one for one in row} for row in candidates]
    costs = [[_OUT_OF_REACH] * len(ids) for _ in candidates]
    for row, by_column in enumerate(seen):
        for column, one in by_column.items():
            # Fit decides, then uses, then draws: each has room for the sum over a few hundred speakers.
            costs[row][column] = (-one.fit << 80) + (one.uses << 40) + one.draw

    row_price, column_price = [0] * len(costs), [0] * len(ids)
    row_of: dict[int, int] = {}
    for start in range(len(costs)):
        distance: dict[int, int] = {}
        before: dict[int, int | None] = {}
        path: list[int] = []
        unreached = set(range(len(ids)))
        row, reached, so_far = start, None, 0
        while reached is None or reached in row_of:
            for column in unreached:
                length = so_far + costs[row][column] - row_price[row] - column_price[column]
                if column not in distance or length < distance[column]:
                    distance[column], before[column] = length, reached
            reached = min(unreached, key=lambda column: (distance[column], column))
            so_far = distance[reached]
            unreached.remove(reached)
            path.append(reached)
            row = row_of.get(reached, row)
        row_price[start] += so_far
        for column in path[:-1]:
            row_price[row_of[column]] += so_far - distance[column]
            column_price[column] -= so_far - distance[column]
        while reached is not None:
            came_from = before[reached]
            row_of[reached] = start if came_from is None else row_of[came_from]
            reached = came_from
    chosen = {row: column for column, row in row_of.items()}
    return [seen[row][chosen[row]] for row in range(len(costs))]


def _asked_points(request: CastingRequest) -> int:
    return (
        (_GENDER if request.gender is not None else 0)
        + (_AGE if request.age is not None else 0)
        + (_PITCH if request.pitch_class in _SUITS else 0)
        + (_LANGUAGE_ANY if _primary(request.language) is not None else 0)
        + len(request.tags) * (_TAGS // max(len(request.tags), 1))
        + (_STYLE if request.style is not None else 0)
    )


def _score(request: CastingRequest, choice: _Candidate) -> float:
    asked = _asked_points(request)
    return 1.0 if asked == 0 else round(min(1.0, choice.fit / asked), 3)


def _reasons(
    request: CastingRequest, choice: _Candidate, candidates: Sequence[_Candidate], for_looks: bool
) -> list[str]:
    """Such as "high voice and 'feminine' hint match", "least used of 9 candidates"."""
    look = dict(choice.looks)
    presentation, age_band = look["presentation"], look["age_band"]
    asked: list[tuple[str, str, str, Sequence[str]]] = []
    if request.pitch_class in _SUITS:
        suits = _SUITS[request.pitch_class]
        asked.append((f"{request.pitch_class} voice", suits, presentation, _near_genders(suits)))
    if request.gender is not None:
        asked.append((f"'{request.gender}' hint", request.gender, presentation, _near_genders(request.gender)))
    if request.age is not None:
        asked.append((f"'{request.age}' hint", request.age, age_band, _near_ages(request.age)))
    met = [what for what, wanted, got, _ in asked if got == wanted]
    reasons = [f"{' and '.join(met)} match{'es' if len(met) == 1 else ''}"] if met else []
    for what, wanted, got, near in asked:
        if got != wanted:
            reasons.append(f"{what} {'nearly met' if got in near else 'not met'} ('{got}')")
    if request.pitch_class == "mid":
        reasons.append("mid voice suits any presentation")
    if choice.speaks:
        reasons.append(f"suits language {request.language}")
    if request.tags:
        met = [tag for tag in request.tags if tag in choice.tags]
        reasons.append(f"tagged {', '.join(met)}" if met else f"not tagged {', '.join(request.tags)}")
    if request.style is not None:
        reasons.append(f"{'' if choice.style == request.style else 'not '}of style '{request.style}'")
    equals = [one for one in candidates if one.fit == choice.fit]
    if choice.equals == 1:
        reasons.append("no other candidate fits as well")
    elif for_looks:
        reasons.append(f"of {choice.equals} candidates, not like another speaker")
    elif choice.uses == equals[0].uses < equals[-1].uses:
        reasons.append(f"least used of {choice.equals} candidates")
    else:
        reasons.append(f"drawn from {choice.equals} candidates")
    return reasons


def _store(
    session: Session, production_id: str, earlier: dict[str, Casting], decided: dict[str, CastingDecision]
) -> None:
    changed = [
        one
        for one in decided.values()
        if one.speaker not in earlier or earlier[one.speaker].portrait_id != one.portrait_id
    ]
    given = {one.portrait_id for one in changed}
    # A speaker who is not asked for now and whose portrait went to another one is cast again when asked for.
    gone = [earlier[one.speaker] for one in changed if one.speaker in earlier]
    gone += [one for speaker, one in earlier.items() if speaker not in decided and one.portrait_id in given]
    voices = {one.speaker: one.voice for one in gone}
    for casting in gone:
        session.delete(casting)
    # Before the new ones go in: two speakers may have exchanged their portraits.
    session.flush()
    session.add_all(
        Casting(
            production_id=production_id,
            speaker=one.speaker,
            portrait_id=one.portrait_id,
            voice=voices.get(one.speaker, {}),
            reason=one.reason,
            score=one.score,
        )
        for one in changed
    )
    session.flush()
