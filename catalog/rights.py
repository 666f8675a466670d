"""May this portrait be used for this, now? And where was it used, and who changed what.

Asked when portraits are cast, again right before each clip is rendered, and once more in the transaction that puts the
appearance in a published video on record: whoever revokes a consent either comes before that and stops it, or finds the
video in `list_appearances`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, cast, exists, false, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from catalog.session import insert_into
from catalog.tables import Appearance, AuditEntry, Casting, Consent, Portrait, Production, Rendition, now
from media.dialogue import language_tag
from media.errors import InputError, RightsError

_PURPOSE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_REGION = re.compile(r"[A-Z]{2}|[0-9]{3}")
_FOR_EVER = 9999


@dataclass(frozen=True, slots=True)
class Use:
    """What a portrait is wanted for. A consent that names purposes or regions covers no use that does not say its own."""

    purpose: str | None = None
    """Such as `advertising` or `training`."""
    region: str | None = None
    """Where the video is shown, as an ISO 3166 country code or a UN M.49 number; None: everywhere."""
    languages: tuple[str, ...] = ()
    """BCP 47; none: not asked about, as for a face that only listens."""


ANY_USE = Use()


@dataclass(frozen=True, slots=True)
class Shown:
    """Who shows whom in a video."""

    speaker: str
    portrait: str
    """Slug."""


@dataclass(frozen=True, slots=True)
class AppearanceFacts:
    """A portrait in a video, and what has become of the consent since."""

    at: datetime
    production: str
    language: str
    video: str
    speaker: str
    portrait: str
    """Slug."""
    consent: int | None
    """None for videos from before this was recorded."""
    subject: str
    purpose: str
    region: str
    today: str
    """`holds`, or why it does not any more, such as `revoked on 2026-01-31`."""


def purposes(words: Sequence[str], where: str) -> list[str]:
    """Purposes in lower case, sorted, each once.

    Raises:
        InputError: one is not made of lower-case words and digits joined by dashes.
    """
    found = sorted({word.strip().lower() for word in words})
    for word in found:
        if not _PURPOSE.fullmatch(word) or len(word) > 50:
            raise InputError(
                f"{where}: purpose '{word}' must be words joined by dashes, such as advertising or in-house."
            )
    return found


def regions(codes: Sequence[str], where: str) -> list[str]:
    """Regions in upper case, sorted, each once.

    Raises:
        InputError: one is neither an ISO 3166 country code nor a UN M.49 number.
    """
    found = sorted({code.strip().upper() for code in codes})
    for code in found:
        if not _REGION.fullmatch(code):
            raise InputError(
                f"{where}: region '{code}' must be a country code such as DE or US, or a number such as 150."
            )
    return found


def languages(tags: Sequence[str], where: str) -> list[str]:
    """Language tags in lower case, sorted, each once.

    Raises:
        InputError: one is not a language.
    """
    return sorted({language_tag(tag.strip(), where).lower() for tag in tags})


def use_of(purpose: str | None, region: str | None, tags: Sequence[str] = ()) -> Use:
    """A checked `Use`.

    Raises:
        InputError: a purpose or a region that is none.
    """
    return Use(
        purposes([purpose], "--purpose")[0] if purpose else None,
        regions([region], "--region")[0] if region else None,
        tuple(tags),
    )


def usable(at: datetime, use: Use = ANY_USE) -> ColumnElement[bool]:
    """The SQL condition that a portrait may be used at that time: not retired, and licence and consents cover the use."""
    return and_(licensed(at, use), consented(at, use))


def licensed(at: datetime, use: Use = ANY_USE) -> ColumnElement[bool]:
    """The part of `usable` that a portrait's own row tells."""
    return and_(
        or_(Portrait.retired_at.is_(None), Portrait.retired_at > at),
        or_(Portrait.licence_until.is_(None), Portrait.licence_until > at),
        _covers(Portrait.licence_purposes, use.purpose),
        _covers(Portrait.licence_regions, use.region),
    )


def consented(at: datetime, use: Use = ANY_USE) -> ColumnElement[bool]:
    """The part of `usable` that consents tell: for every language there is one that covers the use."""
    return and_(
        *(
            exists().where(Consent.portrait_id == Portrait.id, _holds(at, use, language))
            for language in use.languages or (None,)
        )
    )


def require_rights(session: Session, portrait: Portrait, at: datetime | None = None, use: Use = ANY_USE) -> None:
    """Do nothing when the portrait may be used at `at` (None: now).

    Raises:
        RightsError: it may not, and why: retired, or a licence or consent that is missing, over, revoked or too narrow.
    """
    moment = at or now()
    if session.scalar(select(usable(moment, use)).where(Portrait.id == portrait.id)):
        return
    raise RightsError(f"portrait '{portrait.slug}' may not be used: {_refusal(session, portrait, moment, use)}.")


def holding_consents(session: Session, portrait_id: int, at: datetime, use: Use = ANY_USE) -> list[Consent]:
    """The consents that cover the use in at least one of its languages, the oldest first."""
    covering = [_holds(at, use, language) for language in use.languages or (None,)]
    query = select(Consent).where(Consent.portrait_id == portrait_id, or_(false(), *covering)).order_by(Consent.id)
    return list(session.scalars(query))


def record_appearances(
    session: Session,
    shown: Sequence[Shown],
    *,
    production_id: str,
    language: str,
    video: str,
    video_key: str,
    use: Use = ANY_USE,
) -> None:
    """Put on record that a video is published and on which consents that rests, if it may be. Commit, then publish.

    Portraits and consents stay as they are until the session's transaction ends.

    Args:
        video: where the video goes.
        video_key: artifact key of the video.
        use: its languages are not looked at; the video's is.

    Raises:
        RightsError: a portrait may not be used in this video; nothing is recorded.
    """
    asked = Use(use.purpose, use.region, (language,))
    slugs = sorted({one.portrait for one in shown})
    # FOR SHARE: a revocation waits, and so does whoever retires a portrait. On SQLite writers take turns anyway.
    locked = session.scalars(
        select(Portrait).where(Portrait.slug.in_(slugs)).order_by(Portrait.id).with_for_update(read=True)
    ).all()
    portraits = {one.slug: one for one in locked}
    ids = [one.id for one in locked]
    session.execute(
        select(Consent.id).where(Consent.portrait_id.in_(ids)).order_by(Consent.id).with_for_update(read=True)
    ).all()
    at = now()
    rows = []
    for one in shown:
        portrait = portraits.get(one.portrait)
        if portrait is None:
            raise RightsError(f"portrait '{one.portrait}' may not be used: it is not in the catalog any more.")
        try:
            require_rights(session, portrait, at, asked)
        except RightsError as error:
            raise RightsError(f"{video} is not published: {error}") from None
        rows.append(
            {
                "at": at,
                "production_id": production_id,
                "language": language,
                "video": video,
                "video_key": video_key,
                "speaker": one.speaker,
                "portrait_id": portrait.id,
                "consent_id": holding_consents(session, portrait.id, at, asked)[0].id,
                "purpose": use.purpose or "",
                "region": use.region or "",
            }
        )
    if rows:
        session.execute(insert_into(session, Appearance).on_conflict_do_nothing(), rows)


def record_moved(session: Session, production_id: str, before: str, after: str) -> None:
    """Put on record that a production's videos go on from one folder to another, if they still may be seen there.

    Raises:
        RightsError: as `record_appearances`; nothing is recorded.
    """
    there = select(Appearance).where(
        Appearance.production_id == production_id,
        Appearance.video.startswith(before.rstrip("/") + "/", autoescape=True),
    )
    latest: dict[str, list[Appearance]] = {}
    for one in session.scalars(there.order_by(Appearance.id)):
        kept = latest.setdefault(one.video, [])
        if kept and kept[0].video_key != one.video_key:  # the video was replaced since
            kept.clear()
        kept.append(one)
    for video, rows in latest.items():
        speakers = {(row.speaker, row.portrait.slug) for row in rows}
        record_appearances(
            session,
            [Shown(speaker, slug) for speaker, slug in sorted(speakers)],
            production_id=production_id,
            language=rows[0].language,
            video=after.rstrip("/") + video.removeprefix(before.rstrip("/")),
            video_key=rows[0].video_key,
            use=Use(rows[0].purpose or None, rows[0].region or None),
        )


def list_appearances(
    session: Session,
    *,
    portrait: str | None = None,
    consent: int | None = None,
    subject: str | None = None,
    at: datetime | None = None,
) -> list[AppearanceFacts]:
    """Every video in which a portrait was used, or one for which a consent was needed, the newest first.

    A video that waited for approval in a hidden folder and was moved from there to its place is one video, in its place.

    Args:
        portrait: slug.
        consent: its number.
        subject: whose face it is; letters' case does not matter.
        at: when the question is asked, for `today`.
    """
    moment = at or now()
    query = (
        select(Appearance)
        .options(joinedload(Appearance.portrait), joinedload(Appearance.consent))
        .order_by(Appearance.at.desc(), Appearance.id)
    )
    earlier = (
        select(Rendition, Casting, Production)
        .join(Production, Production.id == Rendition.production_id)
        .join(Casting, Casting.production_id == Production.id)
        .options(joinedload(Casting.portrait))
        .where(Rendition.video_path.is_not(None))
        .where(~exists().where(Appearance.video == Rendition.video_path))
        .order_by(Rendition.finished_at.desc(), Casting.speaker)
    )
    if portrait is not None:
        query = query.where(Appearance.portrait.has(Portrait.slug == portrait))
        earlier = earlier.where(Casting.portrait.has(Portrait.slug == portrait))
    if consent is not None:
        of_it = select(Consent.portrait_id).where(Consent.id == consent)
        query = query.where(Appearance.consent_id == consent)
        earlier = earlier.where(Casting.portrait_id.in_(of_it))
    if subject is not None:
        theirs = func.lower(Consent.subject) == subject.lower()
        query = query.where(Appearance.consent.has(theirs))
        earlier = earlier.where(Casting.portrait_id.in_(select(Consent.portrait_id).where(theirs)))
    found = session.scalars(query).all()
    there = {_sameness(one, one.video) for one in found}
    recorded = [
        AppearanceFacts(
            at=one.at,
            production=one.production_id,
            language=one.language,
            video=one.video,
            speaker=one.speaker,
            portrait=one.portrait.slug,
            consent=one.consent_id,
            subject=one.consent.subject,
            purpose=one.purpose,
            region=one.region,
            today=_today(one.portrait, one.consent, moment),
        )
        for one in found
        if _in_place(one.video) == one.video or _sameness(one, _in_place(one.video)) not in there
    ]
    unrecorded = [
        AppearanceFacts(
            at=row.Rendition.finished_at or row.Rendition.started_at,
            production=row.Production.id,
            language=row.Rendition.language,
            video=row.Rendition.video_path,
            speaker=row.Casting.speaker,
            portrait=row.Casting.portrait.slug,
            consent=None,
            subject="",
            purpose="",
            region="",
            today="made before consents were recorded with videos",
        )
        for row in session.execute(earlier)
    ]
    return recorded + unrecorded


def _sameness(one: Appearance, video: str) -> tuple[object, ...]:
    return one.production_id, one.language, one.speaker, one.portrait_id, one.video_key, video


def _in_place(video: str) -> str:
    """A video's path without the last hidden folder in it."""
    folder, hidden, file = video.rpartition("/.")
    return f"{folder}/{file.partition('/')[2]}" if hidden and "/" in file else video


def list_changes(session: Session, *, portrait: str | None = None, limit: int | None = None) -> list[AuditEntry]:
    """The audit trail, the newest entry first: all of it, or what concerns a portrait, its consents and castings."""
    query: Select[Any] = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if portrait is not None:
        found = session.scalar(select(Portrait.id).where(Portrait.slug == portrait))
        of_it = [
            func.coalesce(row["portrait_id"].as_integer(), -1) == (found if found is not None else -2)
            for row in (AuditEntry.before, AuditEntry.after)
        ]
        itself = and_(AuditEntry.table_name == "portraits", AuditEntry.row_key == str(found))
        query = query.where(or_(itself, *of_it))
    return list(session.scalars(query))


def changed(entry: AuditEntry) -> dict[str, tuple[Any, Any]]:
    """What an entry of the trail changed: value before and after, by column."""
    before, after = entry.before or {}, entry.after or {}
    columns = [*after, *(column for column in before if column not in after)]
    return {
        column: (before.get(column), after.get(column)) for column in columns if before.get(column) != after.get(column)
    }


def _holds(at: datetime, use: Use, language: str | None) -> ColumnElement[bool]:
    """That a consent covers the use at that time, in one language."""
    return and_(
        Consent.valid_from <= at,
        or_(Consent.valid_until.is_(None), Consent.valid_until > at),
        or_(Consent.revoked_at.is_(None), Consent.revoked_at > at),
        _covers(Consent.purposes, use.purpose),
        _covers(Consent.regions, use.region),
        *(() if language is None else (_covers(Consent.languages, *_wider(language)),)),
    )


def _covers(limits: InstrumentedAttribute[list[str]], *values: str | None) -> ColumnElement[bool]:
    """That a list names one of the values, or nothing at all and so allows everything. Both are in the stored case."""
    text = cast(limits, Text)
    return or_(text == "[]", *(text.contains(f'"{value}"') for value in values if value))


def _wider(language: str) -> list[str]:
    """`zh-hant-tw`, `zh-hant`, `zh`: a consent for one of these covers the first. Nothing for an unknown language."""
    if language == "und":
        return []
    parts = language.lower().split("-")
    return ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _refusal(session: Session, portrait: Portrait, at: datetime, use: Use) -> str:
    facts = session.execute(
        select(Portrait.retired_at, Portrait.licence_until, Portrait.licence_purposes, Portrait.licence_regions).where(
            Portrait.id == portrait.id
        )
    ).one()
    if facts.retired_at is not None and facts.retired_at <= at:
        return f"it was retired on {facts.retired_at:%Y-%m-%d}; choose another one"
    if facts.licence_until is not None and facts.licence_until <= at:
        return f"its licence ended on {facts.licence_until:%Y-%m-%d}; renew it or choose another one"
    narrow = _too_narrow("its licence", facts.licence_purposes, facts.licence_regions, [], use, None)
    if narrow:
        return narrow
    consents = session.scalars(
        select(Consent)
        .where(Consent.portrait_id == portrait.id)
        .order_by(Consent.id)
        .execution_options(populate_existing=True)
    ).all()
    if not consents:
        return "there is no consent on record; add one with `portrayal catalog consent add`"
    if holding := [one for one in consents if _in_force(one, at)]:
        # In time, and still not enough: for the whole use, or for one of its languages.
        for language in use.languages or (None,):
            reasons = [
                _too_narrow(f"the consent of '{one.subject}'", one.purposes, one.regions, one.languages, use, language)
                for one in holding
            ]
            if all(reasons):
                return str(reasons[-1])
    # Of several that do not hold, the one that begins next or else the one that ended last says most.
    coming = [one for one in consents if one.valid_from > at and (one.revoked_at is None or one.revoked_at > at)]
    if coming:
        first = min(coming, key=lambda one: one.valid_from)
        return f"the consent of '{first.subject}' is not valid before {first.valid_from:%Y-%m-%d}"
    last = max(consents, key=lambda one: min(one.revoked_at or _never(at), one.valid_until or _never(at)))
    if last.revoked_at is not None and last.revoked_at <= (last.valid_until or _never(at)):
        return f"'{last.subject}' revoked the consent on {last.revoked_at:%Y-%m-%d}; choose another one"
    return f"the consent of '{last.subject}' expired on {last.valid_until:%Y-%m-%d}; renew it or choose another one"


def _too_narrow(
    what: str,
    allowed_purposes: Sequence[str],
    allowed_regions: Sequence[str],
    allowed_languages: Sequence[str],
    use: Use,
    language: str | None,
) -> str | None:
    """Why a licence or consent that is in force does not cover a use; None: it does."""
    for kind, option, allowed, asked in (
        ("purpose", "--purpose", allowed_purposes, use.purpose),
        ("region", "--region", allowed_regions, use.region),
    ):
        if not allowed or (asked and asked.lower() in (one.lower() for one in allowed)):
            continue
        if asked:
            return f"{what} covers {kind} {', '.join(allowed)} and not {asked}; choose another one"
        return f"{what} covers only {kind} {', '.join(allowed)}; say with {option} what the video is for"
    if language is not None and allowed_languages and not set(_wider(language)) & set(allowed_languages):
        return f"{what} covers language {', '.join(allowed_languages)} and not {language}; choose another one"
    return None


def _in_force(consent: Consent, at: datetime) -> bool:
    begun = consent.valid_from <= at
    return begun and at < min(consent.valid_until or _never(at), consent.revoked_at or _never(at))


def _today(portrait: Portrait, consent: Consent, at: datetime) -> str:
    if consent.revoked_at is not None and consent.revoked_at <= at:
        return f"revoked on {consent.revoked_at:%Y-%m-%d}"
    if consent.valid_until is not None and consent.valid_until <= at:
        return f"expired on {consent.valid_until:%Y-%m-%d}"
    if portrait.licence_until is not None and portrait.licence_until <= at:
        return f"licence ended on {portrait.licence_until:%Y-%m-%d}"
    if portrait.retired_at is not None and portrait.retired_at <= at:
        return f"portrait retired on {portrait.retired_at:%Y-%m-%d}"
    return "holds"


def _never(at: datetime) -> datetime:
    return datetime(_FOR_EVER, 12, 31, tzinfo=at.tzinfo)
