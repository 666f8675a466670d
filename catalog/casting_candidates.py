"""The one SQL query of casting: the portraits that may be used, scored against everything asked of every speaker.

Points depend on a portrait's kind alone (presentation, age, style, languages, tags), and there are far fewer kinds than
portraits: kinds are scored, and portraits looked at only where their kind is among the best.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
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
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from catalog.casting_request import SUITS, CastingCall, CastingRequest, near_ages, near_genders, primary_language
from catalog.casting_weights import CastingWeights
from catalog.rights import Use, consented, licensed
from catalog.tables import LOTS, Casting, Portrait, UtcDateTime

_SPARE_CANDIDATES = 32
"""How many portraits a speaker brings to the settling beyond one per speaker, for looks to choose from."""

_REACH = 2
"""Consents are asked for of so many times more portraits than are wanted, at first."""

LOOKS = {"presentation": 2, "age_band": 1, "skin": 2, "hair": 2, "clothing": 1, "glasses": 2, "head_covering": 3}
"""How much two portraits look alike when they have this in common."""
LOOKS_IN_ATTRIBUTES = {"hair_colour": 2, "facial_hair": 2}

Looks = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Candidate:
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
    looks: Looks
    style: str = ""
    tags: frozenset[str] = frozenset()


def find_candidates(
    session: Session, call: CastingCall, requests: Sequence[CastingRequest], taken: set[int]
) -> list[list[Candidate]]:
    """For every request its best candidates, best first: as many as there are requests, and some more.

    With n speakers and the best n of each, no speaker is ever better off with one that was left out.
    """
    limit = len(requests) + _SPARE_CANDIDATES
    found, all_seen = _best(session, call, requests, taken, limit, _REACH * limit)
    if not all_seen and any(len(column) < limit for column in found):
        # Consents bar most of those that fit best: look at everybody.
        found, _ = _best(session, call, requests, taken, limit, LOTS)
    return found


def _best(
    session: Session, call: CastingCall, requests: Sequence[CastingRequest], taken: set[int], limit: int, reach: int
) -> tuple[list[list[Candidate]], bool]:
    """For every request the best `limit` of the portraits that may be used, and whether none was left unseen.

    Consents are asked for only of the kinds that fit best, until they hold `reach` portraits.
    """
    tag_count = max(len(one.tags) for one in requests)
    rules = call.rules
    sqlite = session.get_bind().dialect.name == "sqlite"
    query = _scoring(sqlite, len(requests), tag_count, rules.use, rules.style, rules.weights)
    asked: dict[str, Any] = {
        "production": call.production_id,
        "at": call.at,
        "taken": sorted(taken),
        "limit": limit,
        "reach": reach,
    }
    for index, request in enumerate(requests):
        asked |= {f"{name}_{index}": value for name, value in _asked(request, call, tag_count).items()}
    rows = session.execute(query, asked).all()
    found: list[list[Candidate]] = [[] for _ in requests]
    seen: dict[int, tuple[Looks, frozenset[str]]] = {}
    for row in rows:
        if row.id not in seen:
            seen[row.id] = looks_of(row), frozenset(str(tag).lower() for tag in row.attributes.get("tags", ()))
        looks, tags = seen[row.id]
        found[row.request].append(
            Candidate(
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
def _scoring(
    sqlite: bool, speakers: int, tag_count: int, use: Use, style: str | None, weights: CastingWeights
) -> Select[Any]:
    """The query of `_best`, for so many speakers who ask for so many tags each; putting it together takes milliseconds.

    Its parameters are those of `_best` and, numbered by speaker, `_asked`.
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
            of_style(style),
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
            _fit(kinds, asked, tag_count, weights).label("fit"),
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
        select(best, Portrait.style, Portrait.attributes, *(getattr(Portrait, trait) for trait in LOOKS))
        .join(Portrait, Portrait.id == best.c.id)
        .where(best.c.place <= bindparam("limit", type_=Integer()))
        .order_by(best.c.request, best.c.place)
    )


def of_style(style: str | None) -> ColumnElement[bool]:
    """Whether a renderer for `style` is made for a portrait."""
    if style is None:
        return true()
    photo: Any = literal_column("'photo'")  # a bound value would get the name of one of the queries' own
    return Portrait.style == photo if style == "photo" else Portrait.style != photo


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


def _asked(request: CastingRequest, call: CastingCall, tag_count: int) -> dict[str, Any]:
    """What one request asks for, None where it asks for nothing, and the numbers of its draw."""
    digest = hashlib.sha256(f"{call.production_id}\n{call.rules.seed}\n{request.speaker}".encode()).digest()
    suits = SUITS.get(request.pitch_class or "")
    primary = primary_language(request.language)
    near = {"gender": near_genders(request.gender), "age": near_ages(request.age), "suits": near_genders(suits)}
    found: dict[str, Any] = {
        "factor": 1 + int.from_bytes(digest[:8], "big") % (LOTS - 1),
        "shift": int.from_bytes(digest[8:16], "big") % LOTS,
        "tag_points": call.rules.weights.points("tags") // max(len(request.tags), 1),
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


def _fit(kind: CTE, asked: CTE, tag_count: int, weights: CastingWeights) -> ColumnElement[int]:
    """Points. What is compared with NULL, since it is not asked for, earns none."""
    k, a = kind.c, asked.c
    language = weights.points("language")
    fit = (
        _grade(k.presentation, a.gender, (a.gender_near, a.gender_near_too), weights.points("gender"))
        + _grade(k.age_band, a.age, (a.age_near, a.age_near_too), weights.points("age"))
        + _grade(k.presentation, a.suits, (a.suits_near, a.suits_near_too), weights.points("voice"))
        + case(
            (a.language.is_(None), 0), (k.languages == "[]", language // 2), (_speaks(kind, asked), language), else_=0
        )
        + case((k.style == a.style, weights.points("style")), else_=0)
    )
    for number in range(tag_count):
        fit = fit + case((func.lower(k.tags).like(a[f"tag_{number}"]), a.tag_points), else_=0)
    return fit


def _speaks(kind: CTE, asked: CTE) -> ColumnElement[bool]:
    """Whether a portrait names the language, or a variety of it, as one that it suits."""
    named = func.lower(kind.c.languages)
    return or_(named.like(asked.c.language), named.like(asked.c.variety))


def _grade(column: Any, same: Any, near: Sequence[Any], points: int) -> ColumnElement[int]:
    return case((column == same, points), (or_(*(column == one for one in near)), points // 2), else_=0)


def looks_of(portrait: "Portrait | Row[Any]") -> Looks:
    look = {trait: getattr(portrait, trait) for trait in LOOKS}
    look |= {trait: str(portrait.attributes.get(trait, "")) for trait in LOOKS_IN_ATTRIBUTES}
    return frozenset((trait, value) for trait, value in look.items() if value not in ("", "none"))
