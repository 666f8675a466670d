"""The tables of the catalog, as typed SQLAlchemy classes.

What must always hold is a constraint in the database, so that it holds for every program that writes to it. Times are
stored in UTC. Every constraint has a name, because a migration can only change what it can name.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    MetaData,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

PRESENTATIONS = ("feminine", "masculine", "neutral")
AGE_BANDS = ("young", "adult", "senior")
STYLES = ("illustrated", "photo")
"""What renderers tell apart. The database takes any style; all but `photo` count as illustrated."""
CONSENT_KINDS = ("person", "synthetic")
SOURCE_KINDS = ("script", "recording")
LAYOUTS = ("spotlight", "gallery", "duet")
ASPECTS = ("16:9", "9:16", "1:1")
PRODUCTION_STATES = ("planned", "running", "done", "incomplete", "failed")
RENDITION_STATES = ("running", "done", "incomplete", "failed")
SEGMENT_STATES = ("planned", "rendered", "failed")
AUDIT_ACTIONS = ("insert", "update", "delete")
RECOGNITIONS = ("new", "name", "voice", "person")

LOTS = 2**31 - 1
"""How many lots there are (a prime, see `Portrait.lot`)."""


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time: goes in with any offset, is stored in UTC, comes out in UTC.

    SQLite has no time zones and stores the text of the UTC time, always 26 characters long, so that it sorts by time.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def now() -> datetime:
    return datetime.now(UTC)


def lot_of(slug: str) -> int:
    """The lot of a portrait: 0 <= lot < LOTS, from its slug alone."""
    return int.from_bytes(hashlib.sha256(slug.encode()).digest()[:8], "big") % LOTS


def _in(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


# "C": slugs sort by their bytes on PostgreSQL too, whatever the language of the server.
Slug = Text().with_variant(Text(collation="C"), "postgresql")
Json = JSON().with_variant(JSONB(), "postgresql")
JsonOrNull = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    # Text without a limit: SQLite would not keep one, and PostgreSQL would refuse a long title.
    type_annotation_map: ClassVar = {
        str: Text(),
        float: Double(),
        datetime: UtcDateTime(),
        dict[str, Any]: Json,
        list[str]: Json,
    }


class Portrait(Base):
    """A still face that may be animated, what it looks like, and where it comes from."""

    __tablename__ = "portraits"
    __table_args__ = (
        CheckConstraint("length(slug) BETWEEN 1 AND 100 AND slug = lower(slug)", name="slug"),
        CheckConstraint("length(content_sha256) = 64", name="content_sha256"),
        CheckConstraint("width > 0 AND height > 0", name="size"),
        CheckConstraint(
            "face_left >= 0 AND face_left < face_right AND face_right <= 1 "
            "AND face_top >= 0 AND face_top < face_bottom AND face_bottom <= 1",
            name="face",
        ),
        CheckConstraint(_in("presentation", PRESENTATIONS), name="presentation"),
        CheckConstraint(_in("age_band", AGE_BANDS), name="age_band"),
        CheckConstraint("licence <> ''", name="licence"),
        CheckConstraint("length(perceptual_hash) IN (0, 64)", name="perceptual_hash"),
        CheckConstraint(f"lot BETWEEN 0 AND {LOTS - 1}", name="lot"),
        # The same picture twice would let two speakers look alike; a retired one may come back under another slug.
        Index(
            "uq_portraits_content_sha256_in_use",
            "content_sha256",
            unique=True,
            sqlite_where=text("retired_at IS NULL"),
            postgresql_where=text("retired_at IS NULL"),
        ),
        Index(None, "presentation", "age_band"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(Slug, unique=True)
    name: Mapped[str]
    image_key: Mapped[str]
    """Artifact key of the PNG."""
    content_sha256: Mapped[str]
    """SHA-256 of the PNG, 64 hex digits."""
    width: Mapped[int]
    height: Mapped[int]
    face_left: Mapped[float]
    face_top: Mapped[float]
    face_right: Mapped[float]
    face_bottom: Mapped[float]
    presentation: Mapped[str]
    age_band: Mapped[str]
    skin: Mapped[str]
    hair: Mapped[str]
    glasses: Mapped[str]
    head_covering: Mapped[str]
    clothing: Mapped[str]
    style: Mapped[str]
    attributes: Mapped[dict[str, Any]]
    licence: Mapped[str]
    source: Mapped[str]
    licence_purposes: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    """What the licence allows; empty: everything. As in `Consent.purposes`."""
    licence_regions: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    """Where the licence allows it; empty: everywhere."""
    licence_until: Mapped[datetime | None]
    """First moment at which the licence no longer holds; None: without end."""
    perceptual_hash: Mapped[str] = mapped_column(server_default=text("''"))
    """What the picture looks like (`media.likeness`), hex; empty where nobody looked."""
    lot: Mapped[int] = mapped_column(BigInteger)
    """`lot_of(slug)`: decides between portraits that suit equally well, the same way on every database."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    retired_at: Mapped[datetime | None]

    consents: Mapped[list["Consent"]] = relationship(back_populates="portrait", order_by="Consent.id")

    @property
    def face(self) -> tuple[float, float, float, float]:
        """Face region: left, top, right, bottom, as fractions of width and height."""
        return (self.face_left, self.face_top, self.face_right, self.face_bottom)


class Consent(Base):
    """Who allowed a portrait's use, for what, from when until when. Never deleted: it is evidence."""

    __tablename__ = "consents"
    __table_args__ = (
        CheckConstraint(_in("kind", CONSENT_KINDS), name="kind"),
        CheckConstraint("subject <> '' AND scope <> ''", name="subject_and_scope"),
        CheckConstraint("valid_until IS NULL OR valid_until > valid_from", name="period"),
        CheckConstraint("length(document_sha256) IN (0, 64)", name="document_sha256"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    portrait_id: Mapped[int] = mapped_column(ForeignKey("portraits.id", ondelete="RESTRICT"), index=True)
    kind: Mapped[str]
    """`person`: someone agreed to be shown. `synthetic`: the face is nobody's."""
    subject: Mapped[str]
    """Whose face it is."""
    scope: Mapped[str]
    """What it may be used for."""
    document_uri: Mapped[str]
    document_sha256: Mapped[str] = mapped_column(server_default=text("''"))
    """SHA-256 of the signed document, 64 hex digits; empty when not known."""
    purposes: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    """What a video may be for, such as `advertising`; empty: anything."""
    regions: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    """Where it may be shown, as country codes; empty: everywhere."""
    languages: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    """In which languages, in lower case; `en` covers `en-gb`; empty: in all."""
    granted_at: Mapped[datetime]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    """First moment at which the consent no longer holds; None: without end."""
    revoked_at: Mapped[datetime | None]

    portrait: Mapped[Portrait] = relationship(back_populates="consents")


class Production(Base):
    """One source and what is wanted of it."""

    __tablename__ = "productions"
    __table_args__ = (
        CheckConstraint("id <> ''", name="id"),
        CheckConstraint("length(source_sha256) = 64", name="source_sha256"),
        CheckConstraint(_in("source_kind", SOURCE_KINDS), name="source_kind"),
        CheckConstraint(_in("layout", LAYOUTS), name="layout"),
        CheckConstraint(_in("aspect", ASPECTS), name="aspect"),
        CheckConstraint(_in("state", PRODUCTION_STATES), name="state"),
        Index(None, "state", "updated_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    source_name: Mapped[str]
    source_sha256: Mapped[str]
    source_kind: Mapped[str]
    source_language: Mapped[str]
    """BCP 47; `und` as long as nobody knows."""
    layout: Mapped[str]
    aspect: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    state: Mapped[str] = mapped_column(default="planned")

    castings: Mapped[list["Casting"]] = relationship(order_by="Casting.speaker", viewonly=True)
    renditions: Mapped[list["Rendition"]] = relationship(order_by="Rendition.language", viewonly=True)


class Casting(Base):
    """Which portrait and voice a speaker has in a production, and why."""

    __tablename__ = "castings"
    __table_args__ = (
        UniqueConstraint("production_id", "portrait_id"),
        CheckConstraint("speaker <> ''", name="speaker"),
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint("score BETWEEN 0 AND 1", name="score"),
    )

    production_id: Mapped[str] = mapped_column(ForeignKey("productions.id", ondelete="CASCADE"), primary_key=True)
    speaker: Mapped[str] = mapped_column(primary_key=True)
    portrait_id: Mapped[int] = mapped_column(ForeignKey("portraits.id", ondelete="RESTRICT"), index=True)
    voice: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Voice per language, as the speech engine understands it."""
    reason: Mapped[str]
    score: Mapped[float]
    """How much of what was asked for the portrait meets, 0..1."""
    created_at: Mapped[datetime] = mapped_column(default=now)

    portrait: Mapped[Portrait] = relationship()


class Rendition(Base):
    """One video: a production in one language."""

    __tablename__ = "renditions"
    __table_args__ = (
        UniqueConstraint("production_id", "language"),
        CheckConstraint(_in("state", RENDITION_STATES), name="state"),
        CheckConstraint("(state = 'running') = (finished_at IS NULL)", name="finished"),
        CheckConstraint("state <> 'done' OR video_path IS NOT NULL", name="video"),
        CheckConstraint("duration_s IS NULL OR duration_s > 0", name="duration"),
        Index(None, "state", "started_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    production_id: Mapped[str] = mapped_column(ForeignKey("productions.id", ondelete="CASCADE"))
    language: Mapped[str]
    state: Mapped[str]
    video_path: Mapped[str | None]
    """The last finished video; it stays while a new one is made."""
    duration_s: Mapped[float | None]
    """Length of that video in seconds."""
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None]

    segments: Mapped[list["Segment"]] = relationship(order_by="Segment.turn_index", viewonly=True)


class Segment(Base):
    """One turn of a rendition, and what became of its clip."""

    __tablename__ = "segments"
    __table_args__ = (
        UniqueConstraint("rendition_id", "turn_index"),
        CheckConstraint("turn_index >= 0", name="turn_index"),
        CheckConstraint("length(key) = 64", name="key"),
        CheckConstraint("frames >= 0", name="frames"),
        CheckConstraint("seconds_of_work >= 0", name="seconds_of_work"),
        CheckConstraint(_in("state", SEGMENT_STATES), name="state"),
        CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name="error"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    rendition_id: Mapped[int] = mapped_column(ForeignKey("renditions.id", ondelete="CASCADE"))
    turn_index: Mapped[int]
    speaker: Mapped[str]
    key: Mapped[str] = mapped_column(index=True)
    """Content hash of the segment (`media.segment.Segment.key`)."""
    frames: Mapped[int]
    state: Mapped[str]
    cached: Mapped[bool]
    """Whether the clip was there already in the last run."""
    seconds_of_work: Mapped[float]
    """CPU- or GPU-seconds that this clip cost this rendition."""
    error: Mapped[str | None]


# Rights: what was done with them, and who a speaker of a show is.


class AuditEntry(Base):
    """One change of a portrait, a consent, a casting or a show. The database writes these itself; nothing changes them."""

    __tablename__ = "audit_trail"
    __table_args__ = (
        CheckConstraint(_in("action", AUDIT_ACTIONS), name="action"),
        CheckConstraint("(action = 'insert') = (before IS NULL)", name="before"),
        CheckConstraint("(action = 'delete') = (after IS NULL)", name="after"),
        Index(None, "table_name", "row_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    """Who: what the program was told (PORTRAYAL_ACTOR) or the user it ran as; on PostgreSQL also the role."""
    action: Mapped[str]
    table_name: Mapped[str]
    row_key: Mapped[str]
    """Primary key of the row, its parts joined by a slash."""
    before: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    """The whole row before the change; None for a new one."""
    after: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)


class Appearance(Base):
    """A portrait in a published video, and a consent on which that rests. Never changed, never deleted."""

    __tablename__ = "appearances"
    __table_args__ = (
        UniqueConstraint("video", "video_key", "speaker", "portrait_id", "consent_id"),
        CheckConstraint("production_id <> '' AND video <> '' AND speaker <> ''", name="names"),
        Index(None, "portrait_id"),
        Index(None, "consent_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    production_id: Mapped[str]
    """Not a foreign key: this stays when the production is deleted."""
    language: Mapped[str]
    video: Mapped[str]
    """Where it was published."""
    video_key: Mapped[str]
    """Artifact key of the video, a hash of everything in it."""
    speaker: Mapped[str]
    portrait_id: Mapped[int] = mapped_column(ForeignKey("portraits.id", ondelete="RESTRICT"))
    consent_id: Mapped[int] = mapped_column(ForeignKey("consents.id", ondelete="RESTRICT"))
    purpose: Mapped[str]
    """What the video was said to be for; empty: nothing was said."""
    region: Mapped[str]

    portrait: Mapped[Portrait] = relationship()
    consent: Mapped[Consent] = relationship()


class ShowMember(Base):
    """Somebody who is in a show again and again, and the portrait they keep."""

    __tablename__ = "show_members"
    __table_args__ = (
        UniqueConstraint("show", "name"),
        UniqueConstraint("show", "portrait_id"),
        CheckConstraint("show <> '' AND name <> ''", name="names"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    show: Mapped[str]
    name: Mapped[str]
    portrait_id: Mapped[int | None] = mapped_column(ForeignKey("portraits.id", ondelete="RESTRICT"), index=True)
    """None for somebody who was told apart from another and is still to be cast."""
    created_at: Mapped[datetime] = mapped_column(default=now)

    portrait: Mapped[Portrait | None] = relationship()


class ShowSpeaker(Base):
    """That a speaker of an episode is a member of the show, how that is known, and how they sound there."""

    __tablename__ = "show_speakers"
    __table_args__ = (
        UniqueConstraint("production_id", "member_id"),
        CheckConstraint("speaker <> ''", name="speaker"),
        CheckConstraint(_in("how", RECOGNITIONS), name="how"),
        CheckConstraint("similarity BETWEEN -1.001 AND 1.001", name="similarity"),
        CheckConstraint("seconds >= 0", name="seconds"),
        CheckConstraint("how <> 'person' OR confirmed_at IS NOT NULL", name="confirmed"),
    )

    production_id: Mapped[str] = mapped_column(ForeignKey("productions.id", ondelete="CASCADE"), primary_key=True)
    speaker: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("show_members.id", ondelete="RESTRICT"), index=True)
    how: Mapped[str]
    """`new`: first heard here; `name`; `voice`; `person`: somebody said so."""
    similarity: Mapped[float | None]
    """Cosine similarity of the voices, for `voice`."""
    embedding: Mapped[list[float] | None] = mapped_column(JsonOrNull)
    """The speaker's voice in this episode, unit length; None where nothing was heard."""
    embedding_model: Mapped[str]
    seconds: Mapped[float]
    """How much of the voice was heard."""
    confirmed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)

    member: Mapped[ShowMember] = relationship()
