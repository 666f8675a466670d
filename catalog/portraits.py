"""Portraits and the consents that allow their use: adding, finding, searching, retiring."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Text, cast, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from catalog.rights import ANY_USE, Use, languages, purposes, regions, usable
from catalog.session import insert_into
from catalog.tables import AGE_BANDS, CONSENT_KINDS, PRESENTATIONS, Consent, Portrait, lot_of, now
from media.dialogue import language_tag
from media.errors import InputError

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TRAITS: dict[str, InstrumentedAttribute[str]] = {
    "presentation": Portrait.presentation,
    "age_band": Portrait.age_band,
    "skin": Portrait.skin,
    "hair": Portrait.hair,
    "glasses": Portrait.glasses,
    "head_covering": Portrait.head_covering,
    "clothing": Portrait.clothing,
    "style": Portrait.style,
}


@dataclass(frozen=True, slots=True)
class ConsentFacts:
    """Who allowed what, from when until when (first moment at which it no longer holds; None: without end)."""

    subject: str
    """Whose face it is."""
    scope: str = "any use"
    document_uri: str = ""
    kind: str = "person"
    """`person`, or `synthetic` for a face that is nobody's."""
    granted_at: datetime | None = None
    """None: now."""
    valid_from: datetime | None = None
    """None: from `granted_at` on."""
    valid_until: datetime | None = None
    document_sha256: str = ""
    """SHA-256 of the signed document; empty: not known."""
    purposes: Sequence[str] = ()
    """What videos may be for, such as `advertising`; none: anything."""
    regions: Sequence[str] = ()
    """Where they may be shown, as country codes; none: everywhere."""
    languages: Sequence[str] = ()
    """BCP 47; `en` covers `en-GB`; none: all."""


NO_REAL_PERSON = ConsentFacts(
    subject="synthetic: no real person", kind="synthetic", valid_from=datetime(1970, 1, 1, tzinfo=UTC)
)
"""What stands in for a consent where nobody's face is shown: any use, without beginning (a clock may be set back) and end."""


@dataclass(frozen=True, slots=True)
class PortraitFacts:
    """What is known about a portrait before it is in the catalog."""

    slug: str
    """Lower-case ASCII words joined by dashes; how people name the portrait."""
    name: str
    image_key: str
    """Artifact key of the PNG."""
    content_sha256: str
    """SHA-256 of the PNG, 64 hex digits."""
    width: int
    height: int
    face: tuple[float, float, float, float]
    """Face region: left, top, right, bottom, as fractions of width and height."""
    licence: str
    source: str
    presentation: str = "neutral"
    """feminine, masculine or neutral."""
    age_band: str = "adult"
    """young, adult or senior."""
    skin: str = ""
    hair: str = ""
    glasses: str = "none"
    head_covering: str = "none"
    clothing: str = ""
    style: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Anything else worth keeping, as JSON. `languages` (a list of BCP 47 tags) is read by casting."""
    consent: ConsentFacts | None = None
    licence_purposes: Sequence[str] = ()
    """What the licence allows; none: everything."""
    licence_regions: Sequence[str] = ()
    licence_until: datetime | None = None
    """First moment at which the licence no longer holds."""
    perceptual_hash: str = ""
    """Of `media.likeness`, 64 hex digits; empty: nobody looked."""


def add_portrait(session: Session, facts: PortraitFacts) -> Portrait:
    """Put a portrait, and its consent if it comes with one, into the catalog. Doing it again changes nothing.

    Raises:
        InputError: a fact is out of range, the slug is taken by another picture, or the picture is there under
            another slug.
    """
    if not _insert(session, [facts]):
        taken = session.scalar(select(Portrait).where(Portrait.slug == facts.slug))
        if taken is None:
            twin = session.scalars(
                select(Portrait).where(Portrait.content_sha256 == facts.content_sha256, Portrait.retired_at.is_(None))
            ).one()
            raise InputError(
                f"portrait '{facts.slug}': the same picture is in the catalog as '{twin.slug}'; use that one."
            )
        if taken.content_sha256 != facts.content_sha256:
            raise InputError(
                f"portrait '{facts.slug}': another picture has this name already; give this one another slug."
            )
        return taken
    return session.scalars(select(Portrait).where(Portrait.slug == facts.slug)).one()


def check_facts(facts: PortraitFacts) -> None:
    """Do nothing when these can be the facts of a portrait.

    Raises:
        InputError: one is out of range.
    """
    _portrait_values(facts)
    if facts.consent is not None:
        _consent_values(facts.consent, f"consent for '{facts.slug}'")


def seed(session: Session, facts: Iterable[PortraitFacts]) -> int:
    """Put in what is missing, all or nothing, and return how many that were.

    A slug or a picture that is there is left as it is, retired or not. Safe when several processes seed at once.
    """
    wanted = {one.slug: one for one in facts}
    present = set(session.scalars(select(Portrait.slug)))
    # In one order everywhere, so that two seeding processes on PostgreSQL cannot wait for one another in a circle.
    missing = [wanted[slug] for slug in sorted(wanted.keys() - present)]
    with session.begin_nested():
        return len(_insert(session, missing))


def find_portrait(session: Session, slug: str) -> Portrait:
    """The portrait of that name, retired or not.

    Raises:
        InputError: there is none; the message suggests names that are close.
    """
    found = session.scalar(select(Portrait).where(Portrait.slug == slug))
    if found is not None:
        return found
    slugs = session.scalars(select(Portrait.slug).where(Portrait.retired_at.is_(None)).order_by(Portrait.slug)).all()
    close = difflib.get_close_matches(slug.lower(), slugs, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(repr(one) for one in close)}? See" if close else "see"
    raise InputError(f"no portrait '{slug}': {hint} `portrayal catalog list`.")


def list_portraits(
    session: Session,
    *,
    include_retired: bool = False,
    usable_at: datetime | None = None,
    use: Use = ANY_USE,
    words: Sequence[str] = (),
    tags: Sequence[str] = (),
    limit: int | None = None,
    **traits: str,
) -> list[Portrait]:
    """Portraits in the order of their slugs, such as `list_portraits(session, presentation="feminine", style="photo")`.

    Every one of `words` is in the slug, the name, a trait, the source, the licence or an attribute, whatever its case; every one
    of `tags` is one of the attribute `tags`.

    `usable_at` leaves out what may not be used, or not for `use`, at that time.

    Raises:
        InputError: a trait that portraits do not have.
    """
    query = select(Portrait).order_by(Portrait.slug)
    if not include_retired:
        query = query.where(Portrait.retired_at.is_(None))
    if usable_at is not None:
        query = query.where(usable(usable_at, use))
    texts = (Portrait.slug, Portrait.name, Portrait.source, Portrait.licence, *_TRAITS.values())
    for word in words:
        attributes = func.lower(cast(Portrait.attributes, Text)).contains(word.lower(), autoescape=True)
        query = query.where(
            or_(attributes, *(func.lower(one).contains(word.lower(), autoescape=True) for one in texts))
        )
    for tag in purposes(tags, "--tag"):
        query = query.where(func.lower(cast(Portrait.attributes["tags"], Text)).like(f'%"{tag}"%'))
    for trait, value in traits.items():
        if trait not in _TRAITS:
            raise InputError(f"portraits cannot be filtered by '{trait}'; use one of {', '.join(_TRAITS)}.")
        query = query.where(_TRAITS[trait] == value)
    return list(session.scalars(query.limit(limit)))


def retire(session: Session, slug: str) -> Portrait:
    """Take a portrait out of use from now on. It stays in the catalog, for what was made with it."""
    portrait = find_portrait(session, slug)
    if portrait.retired_at is None:
        portrait.retired_at = now()
        session.flush()
    return portrait


def add_consent(session: Session, portrait: Portrait, facts: ConsentFacts) -> Consent:
    """Put a consent on record.

    Raises:
        InputError: no subject or scope, or it ends before it begins.
    """
    consent = Consent(portrait_id=portrait.id, **_consent_values(facts, f"consent for '{portrait.slug}'"))
    session.add(consent)
    session.flush()
    session.expire(portrait, ["consents"])
    return consent


def revoke_consent(session: Session, consent_id: int, at: datetime | None = None) -> Consent:
    """Record that a consent was taken back, at `at` (None: now). Of several moments the earliest one counts.

    Raises:
        InputError: there is no such consent.
    """
    consent = session.get(Consent, consent_id, with_for_update=True)
    if consent is None:
        raise InputError(f"no consent {consent_id}: see `portrayal catalog show SLUG` for a portrait's consents.")
    moment = at or now()
    if consent.revoked_at is None or moment < consent.revoked_at:
        consent.revoked_at = moment
        session.flush()
    return consent


def _insert(session: Session, facts: Sequence[PortraitFacts]) -> list[int]:
    """Insert portraits with their consents, except where the slug or the picture is in the catalog already."""
    if not facts:
        return []
    consents = {
        one.slug: _consent_values(one.consent, f"consent for '{one.slug}'") for one in facts if one.consent is not None
    }
    inserted = session.execute(
        insert_into(session, Portrait).on_conflict_do_nothing().returning(Portrait.id, Portrait.slug),
        [_portrait_values(one) for one in facts],
    ).all()
    rows = [{"portrait_id": row.id} | consents[row.slug] for row in inserted if row.slug in consents]
    if rows:
        session.execute(insert_into(session, Consent), rows)
    return [row.id for row in inserted]


def _portrait_values(facts: PortraitFacts) -> dict[str, Any]:
    def refuse(what: str) -> InputError:
        return InputError(f"portrait '{facts.slug}': {what}.")

    left, top, right, bottom = facts.face
    if not _SLUG.fullmatch(facts.slug) or len(facts.slug) > 100:
        raise refuse("a slug is lower-case ASCII letters and digits joined by dashes, at most 100 of them")
    if not re.fullmatch(r"[0-9a-f]{64}", facts.content_sha256):
        raise refuse("content_sha256 must be the picture's SHA-256 as 64 hex digits")
    if facts.width <= 0 or facts.height <= 0:
        raise refuse(f"{facts.width} x {facts.height} is not the size of a picture")
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise refuse(f"the face region {facts.face} must be left, top, right, bottom as fractions from 0 to 1")
    if facts.presentation not in PRESENTATIONS:
        raise refuse(f"presentation '{facts.presentation}' is not one of {', '.join(PRESENTATIONS)}")
    if facts.age_band not in AGE_BANDS:
        raise refuse(f"age band '{facts.age_band}' is not one of {', '.join(AGE_BANDS)}")
    if not facts.licence.strip():
        raise refuse("it has no licence; say under which terms the picture may be used")
    attributes = dict(facts.attributes)
    languages = attributes.get("languages", [])
    if not isinstance(languages, list | tuple):
        raise refuse("the attribute 'languages' must be a list of language tags")
    attributes["languages"] = [language_tag(str(tag), f"portrait '{facts.slug}', languages") for tag in languages]
    return {
        "slug": facts.slug,
        "name": facts.name or facts.slug,
        "image_key": facts.image_key,
        "content_sha256": facts.content_sha256,
        "width": facts.width,
        "height": facts.height,
        "face_left": left,
        "face_top": top,
        "face_right": right,
        "face_bottom": bottom,
        "presentation": facts.presentation,
        "age_band": facts.age_band,
        "skin": facts.skin,
        "hair": facts.hair,
        "glasses": facts.glasses,
        "head_covering": facts.head_covering,
        "clothing": facts.clothing,
        "style": facts.style,
        "attributes": attributes,
        "licence": facts.licence,
        "source": facts.source,
        "licence_purposes": purposes(facts.licence_purposes, f"portrait '{facts.slug}', licence"),
        "licence_regions": regions(facts.licence_regions, f"portrait '{facts.slug}', licence"),
        "licence_until": facts.licence_until,
        "perceptual_hash": facts.perceptual_hash,
        "lot": lot_of(facts.slug),
        "created_at": now(),
    }


def _consent_values(facts: ConsentFacts, where: str) -> dict[str, Any]:
    granted_at = facts.granted_at or now()
    valid_from = facts.valid_from or granted_at
    if facts.kind not in CONSENT_KINDS:
        raise InputError(f"{where}: kind '{facts.kind}' is not one of {', '.join(CONSENT_KINDS)}.")
    if not facts.subject.strip() or not facts.scope.strip():
        raise InputError(f"{where}: say whose face it is (subject) and what it may be used for (scope).")
    if any(time is not None and time.tzinfo is None for time in (granted_at, valid_from, facts.valid_until)):
        raise InputError(f"{where}: a time lacks its time zone; write it as 2026-01-31T00:00+00:00.")
    if facts.document_sha256 and not re.fullmatch(r"[0-9a-fA-F]{64}", facts.document_sha256):
        raise InputError(f"{where}: the document's SHA-256 must be 64 hex digits.")
    if facts.valid_until is not None and facts.valid_until <= valid_from:
        raise InputError(
            f"{where}: it would end on {facts.valid_until:%Y-%m-%d}, before it begins on {valid_from:%Y-%m-%d}."
        )
    return {
        "kind": facts.kind,
        "subject": facts.subject,
        "scope": facts.scope,
        "document_uri": facts.document_uri,
        "document_sha256": facts.document_sha256.lower(),
        "purposes": purposes(facts.purposes, where),
        "regions": regions(facts.regions, where),
        "languages": languages(facts.languages, where),
        "granted_at": granted_at,
        "valid_from": valid_from,
        "valid_until": facts.valid_until,
    }
