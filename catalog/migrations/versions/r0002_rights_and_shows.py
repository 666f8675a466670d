"""What consents and licences allow, where portraits appeared, who changed what, and who is who in a show."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from catalog.migrations.triggers import (
    audit,
    create_functions,
    drop_functions,
    make_append_only,
    on_postgresql,
    stop_audit,
)

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Time = sa.DateTime(timezone=True)
Json = sa.JSON().with_variant(JSONB(), "postgresql")

CONSENT_LIMITS = ("purposes", "regions", "languages")
LICENCE_LIMITS = ("licence_purposes", "licence_regions")

PORTRAIT_COLUMNS = [
    "id",
    "slug",
    "name",
    "image_key",
    "content_sha256",
    "width",
    "height",
    "face_left",
    "face_top",
    "face_right",
    "face_bottom",
    "presentation",
    "age_band",
    "skin",
    "hair",
    "glasses",
    "head_covering",
    "clothing",
    "style",
    "attributes",
    "licence",
    "source",
    "licence_purposes",
    "licence_regions",
    "licence_until",
    "perceptual_hash",
    "lot",
    "created_at",
    "retired_at",
]
CONSENT_COLUMNS = [
    "id",
    "portrait_id",
    "kind",
    "subject",
    "scope",
    "document_uri",
    "document_sha256",
    "purposes",
    "regions",
    "languages",
    "granted_at",
    "valid_from",
    "valid_until",
    "revoked_at",
]


def upgrade() -> None:
    # Added one by one, with the checks inside: SQLite can do that without building the tables anew.
    json_type, time_type = ("JSONB", "TIMESTAMP WITH TIME ZONE") if on_postgresql() else ("JSON", "DATETIME")
    for column in LICENCE_LIMITS:
        op.execute(f"ALTER TABLE portraits ADD COLUMN {column} {json_type} DEFAULT '[]' NOT NULL")
    op.execute(f"ALTER TABLE portraits ADD COLUMN licence_until {time_type}")
    _add_text("portraits", "perceptual_hash", "length(perceptual_hash) IN (0, 64)")
    _add_text("consents", "document_sha256", "length(document_sha256) IN (0, 64)")
    for column in CONSENT_LIMITS:
        op.execute(f"ALTER TABLE consents ADD COLUMN {column} {json_type} DEFAULT '[]' NOT NULL")

    op.create_table(
        "audit_trail",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("row_key", sa.Text(), nullable=False),
        sa.Column("before", Json, nullable=True),
        sa.Column("after", Json, nullable=True),
        sa.CheckConstraint("action IN ('insert', 'update', 'delete')", name=op.f("ck_audit_trail_action")),
        sa.CheckConstraint("(action = 'insert') = (before IS NULL)", name=op.f("ck_audit_trail_before")),
        sa.CheckConstraint("(action = 'delete') = (after IS NULL)", name=op.f("ck_audit_trail_after")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_trail")),
    )
    op.create_index(op.f("ix_audit_trail_table_name_row_key"), "audit_trail", ["table_name", "row_key"])

    op.create_table(
        "appearances",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("production_id", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("video", sa.Text(), nullable=False),
        sa.Column("video_key", sa.Text(), nullable=False),
        sa.Column("speaker", sa.Text(), nullable=False),
        sa.Column("portrait_id", sa.Integer(), nullable=False),
        sa.Column("consent_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.CheckConstraint("production_id <> '' AND video <> '' AND speaker <> ''", name=op.f("ck_appearances_names")),
        sa.ForeignKeyConstraint(
            ["portrait_id"], ["portraits.id"], name=op.f("fk_appearances_portrait_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["consent_id"], ["consents.id"], name=op.f("fk_appearances_consent_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appearances")),
        sa.UniqueConstraint(
            "video",
            "video_key",
            "speaker",
            "portrait_id",
            "consent_id",
            name=op.f("uq_appearances_video_video_key_speaker_portrait_id_consent_id"),
        ),
    )
    op.create_index(op.f("ix_appearances_portrait_id"), "appearances", ["portrait_id"])
    op.create_index(op.f("ix_appearances_consent_id"), "appearances", ["consent_id"])

    op.create_table(
        "show_members",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("show", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("portrait_id", sa.Integer(), nullable=True),
        sa.Column("created_at", Time, nullable=False),
        sa.CheckConstraint("show <> '' AND name <> ''", name=op.f("ck_show_members_names")),
        sa.ForeignKeyConstraint(
            ["portrait_id"], ["portraits.id"], name=op.f("fk_show_members_portrait_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_show_members")),
        sa.UniqueConstraint("show", "name", name=op.f("uq_show_members_show_name")),
        sa.UniqueConstraint("show", "portrait_id", name=op.f("uq_show_members_show_portrait_id")),
    )
    op.create_index(op.f("ix_show_members_portrait_id"), "show_members", ["portrait_id"])

    op.create_table(
        "show_speakers",
        sa.Column("production_id", sa.Text(), nullable=False),
        sa.Column("speaker", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("similarity", sa.Double(), nullable=True),
        sa.Column("embedding", Json, nullable=True),
        sa.Column("embedding_model", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("confirmed_at", Time, nullable=True),
        sa.Column("created_at", Time, nullable=False),
        sa.CheckConstraint("speaker <> ''", name=op.f("ck_show_speakers_speaker")),
        sa.CheckConstraint("how IN ('new', 'name', 'voice', 'person')", name=op.f("ck_show_speakers_how")),
        sa.CheckConstraint("similarity BETWEEN -1.001 AND 1.001", name=op.f("ck_show_speakers_similarity")),
        sa.CheckConstraint("seconds >= 0", name=op.f("ck_show_speakers_seconds")),
        sa.CheckConstraint("how <> 'person' OR confirmed_at IS NOT NULL", name=op.f("ck_show_speakers_confirmed")),
        sa.ForeignKeyConstraint(
            ["production_id"], ["productions.id"], name=op.f("fk_show_speakers_production_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["show_members.id"], name=op.f("fk_show_speakers_member_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("production_id", "speaker", name=op.f("pk_show_speakers")),
        sa.UniqueConstraint("production_id", "member_id", name=op.f("uq_show_speakers_production_id_member_id")),
    )
    op.create_index(op.f("ix_show_speakers_member_id"), "show_speakers", ["member_id"])

    create_functions()
    make_append_only("audit_trail")
    make_append_only("appearances")
    audit("portraits", ["id"], PORTRAIT_COLUMNS, ["attributes", *LICENCE_LIMITS])
    audit("consents", ["id"], CONSENT_COLUMNS, CONSENT_LIMITS)
    audit(
        "castings",
        ["production_id", "speaker"],
        ["production_id", "speaker", "portrait_id", "voice", "reason", "score", "created_at"],
        ["voice"],
    )
    audit("show_members", ["id"], ["id", "show", "name", "portrait_id", "created_at"])
    # How somebody sounds is left out: the trail is kept for ever.
    audit_speakers = ["production_id", "speaker", "member_id", "how", "similarity", "confirmed_at"]
    audit("show_speakers", ["production_id", "speaker"], audit_speakers)


def downgrade() -> None:
    for table in ("portraits", "consents", "castings", "show_members", "show_speakers"):
        stop_audit(table)
    # Earlier versions know no limits: what has one must not be used by them as if it had none.
    moment = "CURRENT_TIMESTAMP" if on_postgresql() else "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
    limited = " OR ".join(f"CAST({column} AS TEXT) <> '[]'" for column in CONSENT_LIMITS)
    op.execute(
        f"UPDATE consents SET revoked_at = {moment}, "
        "scope = scope || ' (limited; revoked when the catalog was taken back to revision 0001)' "
        f"WHERE revoked_at IS NULL AND ({limited})"
    )
    limited = " OR ".join(f"CAST({column} AS TEXT) <> '[]'" for column in LICENCE_LIMITS)
    op.execute(
        f"UPDATE portraits SET retired_at = {moment} "
        f"WHERE retired_at IS NULL AND (licence_until IS NOT NULL OR {limited})"
    )
    for table in ("show_speakers", "show_members", "appearances", "audit_trail"):
        op.drop_table(table)
    drop_functions()
    for table, columns in (
        ("consents", (*CONSENT_LIMITS, "document_sha256")),
        ("portraits", (*LICENCE_LIMITS, "licence_until", "perceptual_hash")),
    ):
        for column in columns:
            op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")


def _add_text(table: str, column: str, check: str) -> None:
    op.execute(
        f"ALTER TABLE {table} ADD COLUMN {column} TEXT DEFAULT '' NOT NULL \n"
        f"CONSTRAINT ck_{table}_{column} CHECK ({check})"
    )
