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
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Integer,
    Row,
    Select,
    String,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import Session, joinedload

from catalog.portraits import find_portrait
from catalog.productions import lock_production
from catalog.rights import ANY_USE, Use, purposes, require_rights, usable
from catalog.tables import AGE_BANDS, LOTS, PRESENTATIONS, Casting, Portrait, now
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

_LOOKS = {"presentation": 2, "age_band": 1, "skin": 2, "hair": 2, "clothing": 1, "glasses": 2, "head_covering": 3}
"""How much two portraits look alike when they have this in common."""
_LOOKS_IN_ATTRIBUTES = {"hair_colour": 2, "facial_hair": 2}
_OUT_OF_REACH = 1 << 120
_LIKE_ANYBODY = 5
"""Likeness up to which two faces are not confused: what two young women with the same hair have in common."""

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
    Wishes come first. Roll the session back to ask what would be cast without casting it.

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
            for one portrait.
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
        candidates = _candidates(session, production_id, seed, missing, barred | held, at, use, style)
        if held and _count(candidates) < len(missing):
            candidates = _candidates(session, production_id, seed, missing, barred, at, use, style)
        if _count(candidates) < len(missing):
            kind = "" if style is None else f" that are {'photographs' if style == 'photo' else 'illustrated'}"
            everything = _candidates(session, production_id, seed, missing, barred, at, use, None)
            raise TooFewPortraitsError(
                f"{len(requests)} speakers need {len(requests)} different portraits{kind} and only "
                f"{_count(candidates) + len(taken)} may be used; add portraits or renew consents "
                "(see `portrayal catalog list`).",
                enough_of_others=_count(everything) >= len(missing),
            )
        fixed = [_looks_of(one) for one in session.scalars(select(Portrait).where(Portrait.id.in_(sorted(taken))))]
        for request, others, (choice, for_looks) in zip(missing, candidates, _settle(candidates, fixed), strict=True):
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
    known_slugs = [one.known[0] for one in requests if one.known is not None]
    known = {one.slug: one for one in session.scalars(select(Portrait).where(Portrait.slug.in_(known_slugs)))}
    portraits += [one.id for one in known.values()]
    usable_ids = set(session.scalars(select(Portrait.id).where(Portrait.id.in_(portraits), usable(at, use))))
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

    With n speakers and the best n of each, no speaker is ever better off with one that was left out. Points depend on a
    portrait's kind alone, and there are far fewer kinds than portraits: kinds are scored, and only portraits of those kinds
    that can be among the best are looked at.
    """
    limit = len(requests) + _SPARE_CANDIDATES
    free = (
        select(
            Portrait.id,
            Portrait.slug,
            Portrait.presentation,
            Portrait.age_band,
            Portrait.lot,
            Portrait.style,
            *(
                func.lower(func.coalesce(Portrait.attributes[name].as_string(), "[]"), type_=String).label(name)
                for name in ("languages", "tags")
            ),
        )
        .where(usable(at, use, many=True), Portrait.id.not_in(sorted(taken)), _of_style(style))
        .cte("free")
    )
    names = ("presentation", "age_band", "style", "languages", "tags")
    kinds = select(*(free.c[name] for name in names), func.count().label("portraits")).group_by(*names).cte("kinds")
    graded = union_all(
        *(_graded(kinds, index, request, production_id, seed) for index, request in enumerate(requests))
    ).subquery()
    counted = select(
        graded,
        func.sum(graded.c.portraits).over(partition_by=(graded.c.request, graded.c.fit)).label("equals"),
        func.sum(graded.c.portraits)
        .over(partition_by=graded.c.request, order_by=graded.c.fit.desc(), range_=(None, 0))
        .label("so_many"),
    ).subquery()
    promising = select(counted).where(counted.c.so_many - counted.c.equals < limit).cte("promising")
    uses = (
        select(Casting.portrait_id, func.count().label("uses"))
        .where(Casting.production_id != production_id)
        .group_by(Casting.portrait_id)
        .cte("uses")
    )
    # A different permutation of the lots for every speaker, in integers that every database multiplies alike.
    draw = (free.c.lot * promising.c.factor + promising.c.shift) % LOTS
    drawn = (
        select(
            promising.c.request,
            promising.c.fit,
            promising.c.equals,
            promising.c.speaks,
            free.c.id,
            free.c.slug,
            func.coalesce(uses.c.uses, 0).label("uses"),
            draw.label("draw"),
        )
        .select_from(promising)
        .join(free, and_(*(free.c[name] == promising.c[name] for name in names)))
        .outerjoin(uses, uses.c.portrait_id == free.c.id)
        .subquery()
    )
    order = (drawn.c.fit.desc(), drawn.c.uses, drawn.c.draw, drawn.c.slug)
    place = func.row_number().over(partition_by=drawn.c.request, order_by=order).label("place")
    best = select(drawn, place).subquery()
    looks = [getattr(Portrait, trait) for trait in _LOOKS]
    rows = session.execute(
        select(best, Portrait.style, Portrait.attributes, *looks)
        .join(Portrait, Portrait.id == best.c.id)
        .where(best.c.place <= limit)
        .order_by(best.c.request, best.c.place)
    )
    found: list[list[_Candidate]] = [[] for _ in requests]
    for row in rows:
        candidate = _Candidate(
            id=row.id,
            slug=row.slug,
            fit=row.fit,
            uses=row.uses,
            draw=row.draw,
            equals=int(row.equals),
            speaks=bool(row.speaks),
            looks=_looks_of(row),
            style=row.style,
            tags=frozenset(str(tag).lower() for tag in row.attributes.get("tags", ())),
        )
        found[row.request].append(candidate)
    return found


def _of_style(style: str | None) -> ColumnElement[bool]:
    """Whether a renderer for `style` is made for a portrait."""
    if style is None:
        return true()
    return Portrait.style == "photo" if style == "photo" else Portrait.style != "photo"


def _not_rendered(portrait: Portrait) -> str:
    return f"which is {'a photograph' if portrait.style == 'photo' else 'drawn'} and not what the renderer is made for"


def _graded(kinds: CTE, index: int, request: CastingRequest, production_id: str, seed: int) -> Select[Any]:
    """All kinds with their points for one request, and the numbers of the request's draw."""
    digest = hashlib.sha256(f"{production_id}\n{seed}\n{request.speaker}".encode()).digest()
    factor = 1 + int.from_bytes(digest[:8], "big") % (LOTS - 1)
    shift = int.from_bytes(digest[8:16], "big") % LOTS
    return select(
        kinds,
        literal(index, Integer).label("request"),
        literal(factor, BigInteger).label("factor"),
        literal(shift, BigInteger).label("shift"),
        _fit(kinds, request).label("fit"),
        _speaks(kinds, request.language).label("speaks"),
    )


def _fit(portraits: CTE, request: CastingRequest) -> ColumnElement[int]:
    """Points."""
    fit: ColumnElement[int] = literal(0, Integer)
    if request.gender is not None:
        near = _near_genders(request.gender)
        fit = fit + _grade(portraits.c.presentation, request.gender, near, _GENDER, _GENDER_NEAR)
    if request.age is not None:
        fit = fit + _grade(portraits.c.age_band, request.age, _near_ages(request.age), _AGE, _AGE_NEAR)
    if request.pitch_class in _SUITS:
        suits = _SUITS[request.pitch_class]
        fit = fit + _grade(portraits.c.presentation, suits, _near_genders(suits), _PITCH, _PITCH_NEAR)
    if _primary(request.language) is not None:
        any_language = portraits.c.languages == "[]"
        fit = fit + case((any_language, _LANGUAGE_ANY), (_speaks(portraits, request.language), _LANGUAGE), else_=0)
    for tag in request.tags:
        fit = fit + case((_tagged(portraits, tag), _TAGS // len(request.tags)), else_=0)
    if request.style is not None:
        fit = fit + case((portraits.c.style == request.style, _STYLE), else_=0)
    return fit


def _tagged(portraits: CTE, tag: str) -> ColumnElement[bool]:
    return portraits.c.tags.like(f'%"{tag}"%')


def _speaks(portraits: CTE, language: str | None) -> ColumnElement[bool]:
    """Whether a portrait names the language, or a variety of it, as one that it suits."""
    primary = _primary(language)
    if primary is None:
        return literal(False)
    named = portraits.c.languages
    return or_(named.like(f'%"{primary}"%'), named.like(f'%"{primary}-%'))


def _grade(column: Any, same: str, near: Sequence[str], points: int, near_points: int) -> ColumnElement[int]:
    return case((column == same, points), (column.in_(near), near_points), else_=0)


def _near_genders(gender: str) -> tuple[str, ...]:
    return ("feminine", "masculine") if gender == "neutral" else ("neutral",)


def _near_ages(age: str) -> tuple[str, ...]:
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
