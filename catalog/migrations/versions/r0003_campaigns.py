"""Campaigns: rows to be produced, their history, webhooks that are owed, and the views that dashboards read."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Time = sa.DateTime(timezone=True)
Json = sa.JSON().with_variant(JSONB(), "postgresql")
STATES = "('queued', 'running', 'awaiting approval', 'done', 'incomplete', 'failed', 'cancelled')"


def upgrade() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("source_name", sa.Text(), nullable=False),
        sa.Column("budget_gpu_minutes", sa.Double(), nullable=True),
        sa.Column("approval", sa.Boolean(), nullable=False),
        sa.Column("webhook_url", sa.Text(), nullable=True),
        sa.Column("paused_at", Time, nullable=True),
        sa.Column("created_at", Time, nullable=False),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_campaigns_name")),
        sa.CheckConstraint("budget_gpu_minutes IS NULL OR budget_gpu_minutes > 0", name=op.f("ck_campaigns_budget")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("name", name=op.f("uq_campaigns_name")),
    )

    op.create_table(
        "campaign_rows",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("request", Json, nullable=False),
        sa.Column("script", sa.Text(), nullable=True),
        sa.Column("out", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("deadline", Time, nullable=True),
        sa.Column("estimated_work_s", sa.Double(), nullable=False),
        sa.Column("estimated_s", sa.Double(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_since", Time, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lost", sa.Integer(), nullable=False),
        sa.Column("runner", sa.Text(), nullable=True),
        sa.Column("lease_until", Time, nullable=True),
        sa.Column("production_id", sa.Text(), nullable=True),
        sa.Column("seconds_of_work", sa.Double(), nullable=False),
        sa.Column("seconds_of_video", sa.Double(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(f"state IN {STATES}", name=op.f("ck_campaign_rows_state")),
        sa.CheckConstraint(
            "(state = 'running') = (runner IS NOT NULL) AND (state = 'running') = (lease_until IS NOT NULL)",
            name=op.f("ck_campaign_rows_lease"),
        ),
        sa.CheckConstraint(
            "(state IN ('incomplete', 'failed')) = (error IS NOT NULL)", name=op.f("ck_campaign_rows_error")
        ),
        sa.CheckConstraint("(error IS NULL) = (cause IS NULL)", name=op.f("ck_campaign_rows_cause")),
        sa.CheckConstraint("length(digest) = 64 AND attempts >= 0", name=op.f("ck_campaign_rows_digest_and_attempts")),
        sa.CheckConstraint(
            "estimated_work_s >= 0 AND estimated_s >= 0 AND seconds_of_work >= 0",
            name=op.f("ck_campaign_rows_seconds"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_rows_campaign_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["production_id"], ["productions.id"], name=op.f("fk_campaign_rows_production_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_rows")),
        sa.UniqueConstraint("campaign_id", "request_id", name=op.f("uq_campaign_rows_campaign_id_request_id")),
    )
    op.create_index(op.f("ix_campaign_rows_state_campaign_id"), "campaign_rows", ["state", "campaign_id"])
    op.create_index(op.f("ix_campaign_rows_production_id"), "campaign_rows", ["production_id"])

    op.create_table(
        "campaign_transitions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("row_id", sa.Integer(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=True),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("runner", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            f"from_state IS NULL OR from_state IN {STATES}", name=op.f("ck_campaign_transitions_from_state")
        ),
        sa.CheckConstraint(f"to_state IN {STATES}", name=op.f("ck_campaign_transitions_to_state")),
        sa.ForeignKeyConstraint(
            ["row_id"], ["campaign_rows.id"], name=op.f("fk_campaign_transitions_row_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_transitions")),
    )
    op.create_index(op.f("ix_campaign_transitions_row_id"), "campaign_transitions", ["row_id"])

    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("payload", Json, nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", Time, nullable=True),
        sa.Column("delivered_at", Time, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.CheckConstraint("id <> '' AND url <> ''", name=op.f("ck_webhook_deliveries_id_and_url")),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_webhook_deliveries_attempts")),
        sa.CheckConstraint(
            "delivered_at IS NULL OR next_attempt_at IS NULL", name=op.f("ck_webhook_deliveries_delivered")
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_webhook_deliveries_campaign_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index(op.f("ix_webhook_deliveries_campaign_id"), "webhook_deliveries", ["campaign_id"])
    op.create_index(op.f("ix_webhook_deliveries_next_attempt_at"), "webhook_deliveries", ["next_attempt_at"])

    days_left = (
        "julianday(consents.valid_until) - julianday('now')"
        if op.get_bind().dialect.name == "sqlite"
        else "EXTRACT(EPOCH FROM consents.valid_until - now()) / 86400.0"
    )
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query.replace('DAYS_LEFT', days_left)}")


def downgrade() -> None:
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW {name}")
    for name in ("webhook_deliveries", "campaign_transitions", "campaign_rows", "campaigns"):
        op.drop_table(name)


VIEWS = {
    "campaign_progress": """
        SELECT campaigns.name AS campaign, campaigns.owner AS owner,
               COUNT(campaign_rows.id) AS productions,
               SUM(CASE WHEN campaign_rows.state = 'queued' THEN 1 ELSE 0 END) AS queued,
               SUM(CASE WHEN campaign_rows.state = 'running' THEN 1 ELSE 0 END) AS running,
               SUM(CASE WHEN campaign_rows.state = 'awaiting approval' THEN 1 ELSE 0 END) AS awaiting_approval,
               SUM(CASE WHEN campaign_rows.state = 'done' THEN 1 ELSE 0 END) AS done,
               SUM(CASE WHEN campaign_rows.state = 'incomplete' THEN 1 ELSE 0 END) AS incomplete,
               SUM(CASE WHEN campaign_rows.state = 'failed' THEN 1 ELSE 0 END) AS failed,
               SUM(CASE WHEN campaign_rows.state = 'cancelled' THEN 1 ELSE 0 END) AS cancelled,
               COALESCE(SUM(campaign_rows.seconds_of_work), 0) / 60.0 AS gpu_minutes,
               campaigns.budget_gpu_minutes AS budget_gpu_minutes,
               COALESCE(SUM(CASE WHEN campaign_rows.state IN ('queued', 'running')
                                 THEN campaign_rows.estimated_work_s END), 0) / 60.0 AS gpu_minutes_to_go,
               COALESCE(SUM(CASE WHEN campaign_rows.state = 'done'
                                 THEN campaign_rows.seconds_of_video END), 0) / 60.0 AS minutes_of_video,
               MIN(CASE WHEN campaign_rows.state IN ('queued', 'running')
                        THEN campaign_rows.deadline END) AS next_deadline,
               CASE WHEN campaigns.paused_at IS NULL THEN 'no' ELSE 'yes' END AS paused
        FROM campaigns LEFT JOIN campaign_rows ON campaign_rows.campaign_id = campaigns.id
        GROUP BY campaigns.id, campaigns.name, campaigns.owner, campaigns.budget_gpu_minutes, campaigns.paused_at
    """,
    "cost_per_minute": """
        SELECT productions.source_kind AS kind, renditions.language AS language,
               COUNT(*) AS videos,
               SUM(renditions.duration_s) / 60.0 AS minutes_of_video,
               SUM(COALESCE(work.seconds, 0)) / 60.0 AS gpu_minutes,
               SUM(COALESCE(work.seconds, 0)) / SUM(renditions.duration_s) AS gpu_minutes_per_minute
        FROM renditions
        JOIN productions ON productions.id = renditions.production_id
        LEFT JOIN (SELECT rendition_id, SUM(seconds_of_work) AS seconds FROM segments GROUP BY rendition_id) work
               ON work.rendition_id = renditions.id
        WHERE renditions.state = 'done' AND renditions.duration_s IS NOT NULL
        GROUP BY productions.source_kind, renditions.language
    """,
    "cache_hits": """
        SELECT renditions.language AS language,
               COUNT(*) AS turns,
               SUM(CASE WHEN segments.cached THEN 1 ELSE 0 END) AS cached,
               1.0 * SUM(CASE WHEN segments.cached THEN 1 ELSE 0 END) / COUNT(*) AS hit_rate
        FROM segments JOIN renditions ON renditions.id = segments.rendition_id
        WHERE segments.state = 'rendered'
        GROUP BY renditions.language
    """,
    "failures": """
        SELECT campaigns.name AS campaign, campaign_rows.cause AS cause, campaign_rows.state AS state,
               COUNT(*) AS productions, MAX(campaign_rows.state_since) AS last_at, MIN(campaign_rows.error) AS example
        FROM campaign_rows JOIN campaigns ON campaigns.id = campaign_rows.campaign_id
        WHERE campaign_rows.state IN ('incomplete', 'failed')
        GROUP BY campaigns.name, campaign_rows.cause, campaign_rows.state
        UNION ALL
        SELECT '', 'rendition', renditions.state, COUNT(*), MAX(renditions.finished_at), MIN(renditions.error)
        FROM renditions
        WHERE renditions.state IN ('incomplete', 'failed')
          AND NOT EXISTS (SELECT 1 FROM campaign_rows WHERE campaign_rows.production_id = renditions.production_id)
        GROUP BY renditions.state
    """,
    "portrait_usage": """
        SELECT portraits.slug AS portrait, portraits.name AS name,
               COUNT(DISTINCT castings.production_id) AS productions,
               COUNT(DISTINCT CASE WHEN renditions.state = 'done' THEN renditions.id END) AS videos,
               MAX(castings.created_at) AS last_cast_at,
               CASE WHEN portraits.retired_at IS NULL THEN 'no' ELSE 'yes' END AS retired
        FROM portraits
        JOIN castings ON castings.portrait_id = portraits.id
        LEFT JOIN renditions ON renditions.production_id = castings.production_id
        GROUP BY portraits.id, portraits.slug, portraits.name, portraits.retired_at
    """,
    "expiring_consents": """
        SELECT consents.id AS consent, portraits.slug AS portrait, consents.subject AS subject,
               consents.valid_until AS valid_until, DAYS_LEFT AS days_left
        FROM consents JOIN portraits ON portraits.id = consents.portrait_id
        WHERE consents.valid_until IS NOT NULL AND consents.revoked_at IS NULL AND portraits.retired_at IS NULL
          AND DAYS_LEFT < 90
    """,
}
