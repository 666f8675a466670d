"""Casting: which portrait every speaker of a production gets, and why.

Wishes come first, then who is known, then what was cast before (`casting_kept`). For everybody else one SQL query scores
the portraits that may be used against everything asked of every speaker (`casting_candidates`). Who gets which of them is
then settled for all speakers together: the best total fit first, then looks that are easily told apart, then the
portraits used least, then lots that are drawn from names alone (`casting_settlement`), so that the same question has the
same answer on every machine and database, in whatever order it is asked.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from catalog.casting_candidates import Candidate, Looks, find_candidates, looks_of
from catalog.casting_kept import CastingDecision, decision_of, kept, others_of_the_same_people, twins, wished_for
from catalog.casting_reason import reasons_for, score
from catalog.casting_request import ANY_CAST, CastingCall, CastingRequest, CastingRules, check_requests, heeded
from catalog.casting_settlement import settle
from catalog.portraits import find_portrait
from catalog.productions import lock_production
from catalog.tables import Casting, Portrait, now
from media.errors import InputError

__all__ = [
    "CastingDecision",
    "CastingRequest",
    "CastingRules",
    "TooFewPortraitsError",
    "cast_speakers",
    "list_castings",
    "record_voice",
]


class TooFewPortraitsError(InputError):
    """There are fewer portraits than speakers."""

    def __init__(self, message: str, *, enough_of_others: bool) -> None:
        """`enough_of_others`: there would be enough if portraits of another style could be cast."""
        super().__init__(message)
        self.enough_of_others = enough_of_others


def cast_speakers(
    session: Session, production_id: str, requests: Sequence[CastingRequest], rules: CastingRules = ANY_CAST
) -> list[CastingDecision]:
    """One portrait per speaker, no two the same, in the order of `requests`; kept for the next time.

    A casting that the production has is kept, unless a wish says otherwise or the portrait may not be used any more.
    Wishes come first. Nobody is in a cast twice: of two pictures of one person, by the consents, one is chosen at most.
    Roll the session back to ask what would be cast without casting it.

    Args:
        production_id: decides, with the rules' seed, between portraits that suit equally well; it must not change when a
            line of the source does, or the speakers would get other faces.

    Raises:
        InputError: no such production; a speaker twice; a hint or portrait that does not exist; two speakers who wish
            for one portrait or one person.
        TooFewPortraitsError: fewer usable portraits than speakers.
        RightsError: a portrait that was wished for may not be used.
    """
    check_requests(requests)
    lock_production(session, production_id)
    call = CastingCall(production_id, now(), rules)
    earlier = {
        one.speaker: one
        for one in session.scalars(
            _castings(production_id).execution_options(populate_existing=True)  # what others cast before the lock
        )
    }
    wished = wished_for(session, call, requests)
    decided, lost = kept(session, call, requests, earlier, wished)
    missing = sorted((one for one in requests if one.speaker not in decided), key=lambda one: one.speaker)
    if missing:
        # Speakers of this production who are not asked for now keep their portraits, as long as there are enough.
        asked = {one.speaker for one in requests}
        held = {one.portrait_id for speaker, one in earlier.items() if speaker not in asked}
        for new in _choose(session, call, missing, list(decided.values()), held, lost):
            decided[new.speaker] = new
    _store(session, production_id, earlier, decided)
    return [decided[one.speaker] for one in requests]


def list_castings(session: Session, production_id: str) -> list[CastingDecision]:
    """What is cast in a production, by speaker's name."""
    found = session.scalars(_castings(production_id))
    return sorted((decision_of(one) for one in found), key=lambda one: one.speaker)


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


def _choose(
    session: Session,
    call: CastingCall,
    missing: Sequence[CastingRequest],
    decided: Sequence[CastingDecision],
    held: set[int],
    lost: dict[str, list[str]],
) -> list[CastingDecision]:
    """Portraits for the speakers who have none yet.

    Args:
        decided: the others of the cast.
        held: portraits that are taken only when there are not enough without them.
        lost: by speaker, what they had and why not any more.
    """
    rules = call.rules
    missing = [heeded(one, rules.weights) for one in missing]
    taken = {one.portrait_id for one in decided}
    barred = taken | {find_portrait(session, slug).id for slug in rules.exclude}
    held = held | (set(rules.reserved) - taken)
    fixed: list[Looks] = []
    if taken:
        fixed = [looks_of(one) for one in session.scalars(select(Portrait).where(Portrait.id.in_(sorted(taken))))]
        barred |= others_of_the_same_people(session, taken)
    while True:
        candidates = find_candidates(session, call, missing, barred | held)
        if held and _count(candidates) < len(missing):
            candidates = find_candidates(session, call, missing, barred)
        if _count(candidates) < len(missing):
            raise _too_few(session, call, missing, barred, len(taken), _count(candidates))
        settled = settle(candidates, fixed)
        # Of two pictures of one person, who fits better stays, and the cast is settled again without the other.
        doubled = twins(session, [choice for choice, _ in settled])
        if not doubled:
            break
        barred |= doubled
    return [
        CastingDecision(
            request.speaker,
            choice.slug,
            choice.id,
            score(request, choice, rules.weights),
            "; ".join(
                [*reasons_for(request, choice, others, for_looks, rules.weights), *lost.get(request.speaker, ())]
            ),
        )
        for request, others, (choice, for_looks) in zip(missing, candidates, settled, strict=True)
    ]


def _too_few(
    session: Session, call: CastingCall, missing: Sequence[CastingRequest], barred: set[int], taken: int, found: int
) -> TooFewPortraitsError:
    style, count = call.rules.style, len(missing) + taken
    kind = "" if style is None else f" that are {'photographs' if style == 'photo' else 'illustrated'}"
    of_any_style = find_candidates(session, replace(call, rules=replace(call.rules, style=None)), missing, barred)
    return TooFewPortraitsError(
        f"{count} speakers need {count} different portraits{kind} and only {found + taken} may be used, each of another "
        "person; add portraits or renew consents (see `portrayal catalog list`).",
        enough_of_others=_count(of_any_style) >= len(missing),
    )


def _castings(production_id: str) -> Select[tuple[Casting]]:
    return select(Casting).where(Casting.production_id == production_id).options(joinedload(Casting.portrait))


def _count(candidates: Sequence[Sequence[Candidate]]) -> int:
    return len({one.id for column in candidates for one in column})


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
