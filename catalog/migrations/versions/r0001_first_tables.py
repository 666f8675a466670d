"""Portraits and consents, productions and castings, renditions and segments."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Time = sa.DateTime(timezone=True)
Json = sa.JSON().with_variant(JSONB(), "postgresql")
Slug = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "portraits",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", Slug, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("image_key", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("face_left", sa.Double(), nullable=False),
        sa.Column("face_top", sa.Double(), nullable=False),
        sa.Column("face_right", sa.Double(), nullable=False),
        sa.Column("face_bottom", sa.Double(), nullable=False),
        sa.Column("presentation", sa.Text(), nullable=False),
        sa.Column("age_band", sa.Text(), nullable=False),
        sa.Column("skin", sa.Text(), nullable=False),
        sa.Column("hair", sa.Text(), nullable=False),
        sa.Column("glasses", sa.Text(), nullable=False),
        sa.Column("head_covering", sa.Text(), nullable=False),
        sa.Column("clothing", sa.Text(), nullable=False),
        sa.Column("style", sa.Text(), nullable=False),
        sa.Column("attributes", Json, nullable=False),
        sa.Column("licence", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("lot", sa.BigInteger(), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("retired_at", Time, nullable=True),
        sa.CheckConstraint("length(slug) BETWEEN 1 AND 100 AND slug = lower(slug)", name=op.f("ck_portraits_slug")),
        sa.CheckConstraint("length(content_sha256) = 64", name=op.f("ck_portraits_content_sha256")),
        sa.CheckConstraint("width > 0 AND height > 0", name=op.f("ck_portraits_size")),
        sa.CheckConstraint(
            "face_left >= 0 AND face_left < face_right AND face_right <= 1 "
            "AND face_top >= 0 AND face_top < face_bottom AND face_bottom <= 1",
            name=op.f("ck_portraits_face"),
        ),
        sa.CheckConstraint(
            "presentation IN ('feminine', 'masculine', 'neutral')", name=op.f("ck_portraits_presentation")
        ),
        sa.CheckConstraint("age_band IN ('young', 'adult', 'senior')", name=op.f("ck_portraits_age_band")),
        sa.CheckConstraint("licence <> ''", name=op.f("ck_portraits_licence")),
        sa.CheckConstraint("lot BETWEEN 0 AND 2147483646", name=op.f("ck_portraits_lot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portraits")),
        sa.UniqueConstraint("slug", name=op.f("uq_portraits_slug")),
    )
    op.create_index(
        "uq_portraits_content_sha256_in_use",
        "portraits",
        ["content_sha256"],
        unique=True,
        sqlite_where=sa.text("retired_at IS NULL"),
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_index(op.f("ix_portraits_presentation_age_band"), "portraits", ["presentation", "age_band"])

    op.create_table(
        "consents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("portrait_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("document_uri", sa.Text(), nullable=False),
        sa.Column("granted_at", Time, nullable=False),
        sa.Column("valid_from", Time, nullable=False),
        sa.Column("valid_until", Time, nullable=True),
        sa.Column("revoked_at", Time, nullable=True),
        sa.CheckConstraint("kind IN ('person', 'synthetic')", name=op.f("ck_consents_kind")),
        sa.CheckConstraint("subject <> '' AND scope <> ''", name=op.f("ck_consents_subject_and_scope")),
        sa.CheckConstraint("valid_until IS NULL OR valid_until > valid_from", name=op.f("ck_consents_period")),
        sa.ForeignKeyConstraint(
            ["portrait_id"], ["portraits.id"], name=op.f("fk_consents_portrait_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index(op.f("ix_consents_portrait_id"), "consents", ["portrait_id"])

    op.create_table(
        "productions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("source_name", sa.Text(), nullable=False),
        sa.Column("source_sha256", sa.Text(), nullable=False),
        sa.Column("source_kind", sa.Text(), nullable=False),
        sa.Column("source_language", sa.Text(), nullable=False),
        sa.Column("layout", sa.Text(), nullable=False),
        sa.Column("aspect", sa.Text(), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("updated_at", Time, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.CheckConstraint("id <> ''", name=op.f("ck_productions_id")),
        sa.CheckConstraint("length(source_sha256) = 64", name=op.f("ck_productions_source_sha256")),
        sa.CheckConstraint("source_kind IN ('script', 'recording')", name=op.f("ck_productions_source_kind")),
        sa.CheckConstraint("layout IN ('spotlight', 'gallery', 'duet')", name=op.f("ck_productions_layout")),
        sa.CheckConstraint("aspect IN ('16:9', '9:16', '1:1')", name=op.f("ck_productions_aspect")),
        sa.CheckConstraint(
            "state IN ('planned', 'running', 'done', 'incomplete', 'failed')", name=op.f("ck_productions_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_productions")),
    )
    op.create_index(op.f("ix_productions_state_updated_at"), "productions", ["state", "updated_at"])

    op.create_table(
        "castings",
        sa.Column("production_id", sa.Text(), nullable=False),
        sa.Column("speaker", sa.Text(), nullable=False),
        sa.Column("portrait_id", sa.Integer(), nullable=False),
        sa.Column("voice", Json, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.CheckConstraint("speaker <> ''", name=op.f("ck_castings_speaker")),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_castings_reason")),
        sa.CheckConstraint("score BETWEEN 0 AND 1", name=op.f("ck_castings_score")),
        sa.ForeignKeyConstraint(
            ["production_id"], ["productions.id"], name=op.f("fk_castings_production_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["portrait_id"], ["portraits.id"], name=op.f("fk_castings_portrait_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("production_id", "speaker", name=op.f("pk_castings")),
        sa.UniqueConstraint("production_id", "portrait_id", name=op.f("uq_castings_production_id_portrait_id")),
    )
    op.create_index(op.f("ix_castings_portrait_id"), "castings", ["portrait_id"])

    op.create_table(
        "renditions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("production_id", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("video_path", sa.Text(), nullable=True),
        sa.Column("duration_s", sa.Double(), nullable=True),
        sa.Column("started_at", Time, nullable=False),
        sa.Column("finished_at", Time, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('running', 'done', 'incomplete', 'failed')", name=op.f("ck_renditions_state")),
        sa.CheckConstraint("(state = 'running') = (finished_at IS NULL)", name=op.f("ck_renditions_finished")),
        sa.CheckConstraint("state <> 'done' OR video_path IS NOT NULL", name=op.f("ck_renditions_video")),
        sa.CheckConstraint("duration_s IS NULL OR duration_s > 0", name=op.f("ck_renditions_duration")),
        sa.ForeignKeyConstraint(
            ["production_id"], ["productions.id"], name=op.f("fk_renditions_production_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_renditions")),
        sa.UniqueConstraint("production_id", "language", name=op.f("uq_renditions_production_id_language")),
    )
    op.create_index(op.f("ix_renditions_state_started_at"), "renditions", ["state", "started_at"])

    op.create_table(
        "segments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rendition_id", sa.Integer(), nullable=False),
        sa.Column("turn_index", sa.Integer(), nullable=False),
        sa.Column("speaker", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("cached", sa.Boolean(), nullable=False),
        sa.Column("seconds_of_work", sa.Double(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("turn_index >= 0", name=op.f("ck_segments_turn_index")),
        sa.CheckConstraint("length(key) = 64", name=op.f("ck_segments_key")),
        sa.CheckConstraint("frames >= 0", name=op.f("ck_segments_frames")),
        sa.CheckConstraint("seconds_of_work >= 0", name=op.f("ck_segments_seconds_of_work")),
        sa.CheckConstraint("state IN ('planned', 'rendered', 'failed')", name=op.f("ck_segments_state")),
        sa.CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name=op.f("ck_segments_error")),
        sa.ForeignKeyConstraint(
            ["rendition_id"], ["renditions.id"], name=op.f("fk_segments_rendition_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segments")),
        sa.UniqueConstraint("rendition_id", "turn_index", name=op.f("uq_segments_rendition_id_turn_index")),
    )
    op.create_index(op.f("ix_segments_key"), "segments", ["key"])


def downgrade() -> None:
    for name in ("segments", "renditions", "castings", "productions", "consents", "portraits"):
        op.drop_table(name)
