"""What Alembic runs to reach the database: it is handed a connection with a transaction open (see catalog/session.py)."""

from alembic import context

import catalog.campaign_tables  # noqa: F401
from catalog.migrations import VERSION_TABLE
from catalog.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
