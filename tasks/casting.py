"""Who is shown for whom: the catalog's choice for every speaker, with the reason and the rights it rests on."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from media.dialogue import Dialogue, Speaker
from media.errors import InputError, MissingEngineError
from tasks import domains, filled_scripts, workspace
from tasks.hearing import UNKNOWN_LANGUAGE, Heard, voice_prints
from tasks.portraits import require_picture
from tasks.progress import note
from tasks.request import Layout, ProductionRequest
from tasks.sources import Source, named_cast

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from catalog.casting import TooFewPortraitsError
    from catalog.rights import Use
    from catalog.shows import Recognition

STAGE = "Cast the portraits"


@dataclass(frozen=True, slots=True)
class CastSpeaker:
    """A speaker and the portrait that is shown for them."""

    speaker: str
    portrait: str
    """Slug."""
    portrait_name: str
    portrait_id: int
    picture: str
    """Artifact key of the PNG."""
    face: tuple[float, float, float, float]
    """Left, top, right, bottom as fractions of the picture."""
    presentation: str
    style: str
    """`photo`, or how it is drawn."""
    score: float
    reason: str
    licence: str
    consents: tuple[dict[str, Any], ...]
    """The consents that allow it now."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def layout_of(request: ProductionRequest, source: Source) -> Layout:
    """The layout that is asked for, else the kind's own."""
    return request.layout or ("spotlight" if source.kind == "script" else "gallery")


def shows_listeners(request: ProductionRequest, source: Source) -> bool:
    """Whether those who do not speak are seen too, so that they need long idle clips."""
    return layout_of(request, source) != "spotlight"


def cast_portraits(
    request: ProductionRequest,
    source: Source,
    dialogue: Dialogue,
    pitch: dict[str, str | None] | None = None,
    *,
    heard: Heard | None = None,
    reasons: Mapping[str, str] = MappingProxyType({}),
    keep: bool = True,
) -> tuple[CastSpeaker, ...]:
    """One portrait per speaker of `dialogue`, no two alike; the same ones as in the production's earlier runs.

    Args:
        pitch: `low`, `mid` or `high` by speaker, for recordings.
        heard: what was found out about a recording; who is known in the request's show is then recognised by voice.
        reasons: by speaker, why the request names a portrait for them, where it was chosen before; else it is a wish.
        keep: False to ask without deciding anything.

    Raises:
        InputError: a wish cannot be met, or there are not enough portraits that the rendering engine is made for.
        MissingEngineError: there are only enough with photographs, which need a checkpoint that is not there.
        RightsError: a portrait that was wished for may not be used.
    """
    from catalog import shows
    from catalog.casting import CastingRequest, CastingRules, TooFewPortraitsError, cast_speakers
    from catalog.casting_weights import CastingWeights
    from catalog.productions import open_production
    from catalog.session import session_factory

    style = domains.castable_style(domains.settled(request, source))
    use = use_of(request, source.languages)
    voices = voice_prints(source, heard) if request.show and heard else {}
    hints = source.script.speakers if source.script else {}
    wishes = {name: hint.portrait for name, hint in hints.items() if hint.portrait}
    wishes |= named_cast(request, dialogue.speakers)
    language = None if dialogue.language == UNKNOWN_LANGUAGE else dialogue.language
    with session_factory(workspace.catalog())() as session:
        open_production(
            session,
            id=source.production_id,
            title=source.title,
            source_name=filled_scripts.place_of(Path(source.path)),
            source_sha256=source.sha256,
            source_kind=source.kind,
            source_language=dialogue.language,
            layout=layout_of(request, source),
            aspect=request.aspect,
        )
        known: dict[str, Recognition] = {}
        if request.show:
            known = shows.recognise(session, request.show, source.production_id, dialogue.speakers, voices)
        wanted = [
            CastingRequest(
                speaker=speaker,
                wish=wishes.get(speaker),
                wish_reason=reasons.get(speaker) or "wished for",
                gender=hints.get(speaker, Speaker()).gender,
                age=hints.get(speaker, Speaker()).age,
                pitch_class=(pitch or {}).get(speaker),
                language=language,
                style=request.style,
                tags=tuple(request.tags),
                known=_known(known.get(speaker)),
            )
            for speaker in dialogue.speakers
        ]
        try:
            rules = CastingRules(
                use=use,
                exclude=request.exclude,
                reserved=shows.reserved(session, request.show) if request.show else (),
                style=style,
                weights=CastingWeights(**request.weights),
            )
            decisions = cast_speakers(session, source.production_id, wanted, rules)
        except TooFewPortraitsError as error:
            raise _too_few(error, style) from None
        if request.show:
            portraits = {one.speaker: one.portrait_id for one in decisions}
            shows.remember(session, request.show, source.production_id, portraits, known, voices)
        cast = tuple(
            _cast_speaker(session, one.speaker, one.portrait_id, one.score, one.reason, use) for one in decisions
        )
        if keep:
            session.commit()
        else:
            session.rollback()
    if voices:
        note(_who_is_who(request.show, source.production_id, dialogue.speakers, known))
    return cast


def _who_is_who(show: str, production: str, speakers: Sequence[str], known: "Mapping[str, Recognition]") -> str:
    """Such as "Show 'Talk': Speaker 1 is 'Maria' of the show (voice 0.93); Speaker 2 is new.", and what to do if it is wrong."""
    told = "; ".join(f"{one} is {known[one].reason if one in known else 'new'}" for one in speakers)
    if all(known[one].confirmed for one in speakers if one in known) and set(speakers) <= set(known):
        return f"Show '{show}': {told}."
    command = f"portrayal catalog people correct {shlex.quote(production)} SPEAKER"
    return f"Show '{show}': {told}. If that is wrong: `{command} --is NAME`, or `--new NAME`."


def _too_few(error: "TooFewPortraitsError", style: str | None) -> InputError | MissingEngineError:
    """What to do about portraits of the other kind, where there are enough of them."""
    if not error.enough_of_others:
        return error
    if style == domains.PHOTO:
        return InputError(f"{error} Or cast illustrated ones: leave --style and --engine render= out.")
    if domains.photograph_checkpoint(workspace.settings().models_dir):
        return InputError(f"{error} Or cast photographs: use --style photo.")
    return MissingEngineError(f"{error} Or {domains.PULL}, which renders photographs.")


def _known(person: "Recognition | None") -> tuple[str, str] | None:
    return (person.portrait, person.reason) if person is not None and person.portrait is not None else None


def use_of(request: ProductionRequest, languages: Sequence[str]) -> "Use":
    """What the portraits of a production are wanted for."""
    from catalog.rights import Use

    return Use(request.purpose, request.region, tuple(languages))


def _cast_speaker(
    session: "Session", speaker: str, portrait_id: int, score: float, reason: str, use: "Use"
) -> CastSpeaker:
    from catalog.rights import holding_consents
    from catalog.tables import Portrait, now

    portrait = session.get_one(Portrait, portrait_id)
    require_picture(portrait, workspace.store())
    consents = tuple(
        {
            "id": consent.id,
            "kind": consent.kind,
            "subject": consent.subject,
            "scope": consent.scope,
            "document_uri": consent.document_uri,
            "document_sha256": consent.document_sha256,
            "purposes": consent.purposes,
            "regions": consent.regions,
            "languages": consent.languages,
            "valid_from": consent.valid_from.isoformat(),
            "valid_until": consent.valid_until.isoformat() if consent.valid_until else None,
        }
        for consent in holding_consents(session, portrait.id, now(), use)
    )
    return CastSpeaker(
        speaker=speaker,
        portrait=portrait.slug,
        portrait_name=portrait.name,
        portrait_id=portrait.id,
        picture=portrait.image_key,
        face=portrait.face,
        presentation=portrait.presentation,
        style=portrait.style,
        score=score,
        reason=reason,
        licence=portrait.licence,
        consents=consents,
    )
