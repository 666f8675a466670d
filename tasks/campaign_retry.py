"""Queues rows of a campaign again; who was chosen for them and may not be shown any more is replaced first.

A portrait that a row or its script names is a person's wish and stays: such a row fails again, and says why.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from media.errors import PortrayalError, RightsError
from tasks import casting
from tasks.campaigns import Chosen, casting_terms
from tasks.request import ProductionRequest
from tasks.sources import read_source

if TYPE_CHECKING:
    from sqlalchemy import Engine


def retry_rows(engine: "Engine", name: str, states: Sequence[str]) -> tuple[int, list[str]]:
    """Queue rows again that are in one of these states. Returns how many, and who replaces whom, for people.

    Raises:
        InputError: there is no such campaign.
    """
    from catalog.campaigns import find_campaign, retry, rows_of
    from catalog.session import session_factory

    with session_factory(engine, read_only=True).begin() as session:
        rows = rows_of(session, find_campaign(session, name), states)
        wanting = {one.id: one.request for one in rows if one.cause == "rights" and one.request.get("reasons")}
    known: dict[tuple[object, ...], Chosen] = {}
    changed: dict[int, dict[str, Any]] = {}
    replaced: dict[str, None] = {}
    for id_, request in wanting.items():
        try:
            cast, reasons = _recast(engine, request, known)
        except PortrayalError:
            continue  # the row fails again, and says why
        if cast == request["cast"]:
            continue
        changed[id_] = request | {"cast": cast, "reasons": reasons}
        for speaker, slug in cast.items():
            if (before := request["cast"].get(speaker)) != slug:
                replaced[f"{speaker} is '{slug}' now, for '{before}' may not be shown any more"] = None
    with session_factory(engine).begin() as session:
        campaign = find_campaign(session, name)
        for row in rows_of(session, campaign, states):
            row.request = changed.get(row.id, row.request)
        return retry(session, campaign, states), list(replaced)


def _recast(engine: "Engine", request: dict[str, Any], known: dict[tuple[object, ...], Chosen]) -> Chosen:
    """The cast of a queued row without those who may not be shown any more, and the reasons.

    Args:
        known: what was decided for other rows; all that ask for the same show the same people.

    Raises:
        PortrayalError: there is nobody to take their place, or the source cannot be read any more.
    """
    reasons: dict[str, str] = request["reasons"]
    wanted = ProductionRequest(**{key: value for key, value in request.items() if key not in ("reasons", "cast")})
    source = read_source(wanted)
    use = casting.use_of(wanted, source.languages)
    kept = {
        speaker: slug
        for speaker, slug in request["cast"].items()
        if speaker not in reasons or _usable(engine, slug, use)
    }
    key = (casting_terms(request), *sorted(kept.items()))
    if key not in known:
        decided = casting.cast_portraits(
            wanted.model_copy(update={"cast": kept}), source, source.dialogue, reasons=reasons, keep=False
        )
        known[key] = {one.speaker: one.portrait for one in decided}, {one.speaker: one.reason for one in decided}
    cast, why = known[key]
    return request["cast"] | cast, {speaker: why[speaker] for speaker in reasons}


def _usable(engine: "Engine", slug: str, use: Any) -> bool:
    from catalog.portraits import find_portrait
    from catalog.rights import require_rights
    from catalog.session import session_factory

    with session_factory(engine, read_only=True).begin() as session:
        try:
            require_rights(session, find_portrait(session, slug), use=use)
        except RightsError:
            return False
    return True
