"""What a cast keeps: wishes, people who are known from other episodes of a show, and what was cast before."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.casting_candidates import Candidate, of_style
from catalog.casting_request import CastingCall, CastingRequest
from catalog.portraits import find_portrait
from catalog.rights import require_rights, usable
from catalog.tables import Casting, Consent, Portrait
from media.errors import InputError, RightsError

_OF_SOMEBODY = Consent.kind == "person"


@dataclass(frozen=True, slots=True)
class CastingDecision:
    speaker: str
    portrait_slug: str
    portrait_id: int
    score: float
    """How much of what was asked for the portrait meets, 0..1."""
    reason: str


def decision_of(casting: Casting) -> CastingDecision:
    portrait = casting.portrait
    return CastingDecision(casting.speaker, portrait.slug, portrait.id, casting.score, casting.reason)


def wished_for(session: Session, call: CastingCall, requests: Sequence[CastingRequest]) -> dict[str, Portrait]:
    """The portraits that speakers wish for, by their names.

    Raises:
        InputError: one that does not exist; two speakers who wish for one portrait or one person.
        RightsError: one that may not be used.
    """
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
            require_rights(session, portrait, call.at, call.rules.use)
        except RightsError as error:
            raise RightsError(f"casting of '{request.speaker}': {error}") from None
        wished[request.speaker] = portrait
    for speaker, portrait in wished.items():
        others = others_of_the_same_people(session, [portrait.id]) if len(wished) > 1 else set()
        for other, theirs in wished.items():
            if theirs.id in others:
                raise InputError(
                    f"'{speaker}' and '{other}' wish for two pictures of one person, '{portrait.slug}' and '{theirs.slug}'; "
                    "give one of them another portrait."
                )
    return wished


def kept(
    session: Session,
    call: CastingCall,
    requests: Sequence[CastingRequest],
    earlier: dict[str, Casting],
    wished: dict[str, Portrait],
) -> tuple[dict[str, CastingDecision], dict[str, list[str]]]:
    """What wishes and earlier castings decide, and for those who lose their portrait the reason why."""
    portraits = [one.portrait_id for one in earlier.values()]
    known: dict[str, Portrait] = {}
    if slugs := [one.known[0] for one in requests if one.known is not None]:
        known = {one.slug: one for one in session.scalars(select(Portrait).where(Portrait.slug.in_(slugs)))}
    portraits += [one.id for one in known.values()]
    usable_ids: set[int] = set()
    if portraits:
        usable_ids = set(
            session.scalars(select(Portrait.id).where(Portrait.id.in_(portraits), usable(call.at, call.rules.use)))
        )
    other: set[int] = set()
    if portraits and call.rules.style is not None:
        other = set(session.scalars(select(Portrait.id).where(Portrait.id.in_(portraits), ~of_style(call.rules.style))))
    # Wishes first, then who is known from other episodes; both may take a portrait from who only happens to have it.
    spoken_for = {portrait.id: speaker for speaker, portrait in wished.items()}
    decided: dict[str, CastingDecision] = {}
    lost: dict[str, list[str]] = {}
    theirs: dict[str, tuple[Portrait, str]] = {
        one.speaker: (wished[one.speaker], one.wish_reason) for one in requests if one.speaker in wished
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
            decided[speaker] = decision_of(before)
    return decided, lost


def _not_rendered(portrait: Portrait) -> str:
    return f"which is {'a photograph' if portrait.style == 'photo' else 'drawn'} and not what the renderer is made for"


def others_of_the_same_people(session: Session, portraits: Collection[int]) -> set[int]:
    """Ids of other portraits of the people shown in some; drawn faces are nobody's."""
    theirs = select(func.lower(Consent.subject)).where(Consent.portrait_id.in_(sorted(portraits)), _OF_SOMEBODY)
    query = select(Consent.portrait_id).where(func.lower(Consent.subject).in_(theirs), _OF_SOMEBODY)
    return set(session.scalars(query)) - set(portraits)


def twins(session: Session, chosen: Sequence[Candidate]) -> set[int]:
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
