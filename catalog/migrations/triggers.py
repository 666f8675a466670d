"""What databases do by themselves: rows that cannot be changed, and a trail of every change to a table.

Migrations call these with the columns that a table has at that revision. On SQLite the trail asks the connection who
is at work, through the function `portrayal_actor()` (see catalog/session.py), so that a program that does not say who it
is cannot change what is audited.
"""

from collections.abc import Sequence

from alembic import op

TRAIL = "audit_trail"
_RECORD = "portrayal_audit"
_REFUSE = "portrayal_append_only"


def on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def create_functions() -> None:
    """The functions behind the triggers; PostgreSQL only."""
    if not on_postgresql():
        return
    op.execute(f"""
        CREATE FUNCTION {_REFUSE}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME
                USING ERRCODE = 'integrity_constraint_violation';
        END $$""")
    # TG_ARGV holds the columns of the primary key. How somebody sounds is left out: the trail is kept for ever.
    op.execute(f"""
        CREATE FUNCTION {_RECORD}() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            old_row jsonb := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE to_jsonb(OLD) - 'embedding' END;
            new_row jsonb := CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE to_jsonb(NEW) - 'embedding' END;
            key text := '';
        BEGIN
            IF old_row = new_row THEN
                RETURN NULL;
            END IF;
            FOR place IN 0 .. TG_NARGS - 1 LOOP
                key := key || CASE WHEN place > 0 THEN '/' ELSE '' END || (coalesce(new_row, old_row) ->> TG_ARGV[place]);
            END LOOP;
            INSERT INTO {TRAIL} (at, actor, action, table_name, row_key, before, after) VALUES (
                clock_timestamp(),
                coalesce(nullif(current_setting('portrayal.actor', true), '') || ' as ', '') || session_user,
                lower(TG_OP), TG_TABLE_NAME, key, old_row, new_row);
            RETURN NULL;
        END $$""")


def drop_functions() -> None:
    if on_postgresql():
        op.execute(f"DROP FUNCTION {_RECORD}()")
        op.execute(f"DROP FUNCTION {_REFUSE}()")


def make_append_only(table: str) -> None:
    """From now on rows can be added to the table, and no more. Its primary key is `id`."""
    if on_postgresql():
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {_REFUSE}()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_append_only_whole BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {_REFUSE}()"
        )
        return
    refuse = f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed or deleted'); END"
    op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}")
    op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")
    # INSERT OR REPLACE deletes without asking the triggers for deletions.
    op.execute(
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id) {refuse}"
    )


def audit(table: str, key: Sequence[str], columns: Sequence[str], json_columns: Sequence[str] = ()) -> None:
    """From now on every change of a row is written to the audit trail.

    Args:
        key: columns of the primary key.
        columns: all columns; PostgreSQL finds them out by itself, so that there a new column needs nothing more.
        json_columns: those of them that hold JSON.
    """
    if on_postgresql():
        arguments = ", ".join(f"'{column}'" for column in key)
        op.execute(
            f"CREATE TRIGGER {table}_audit AFTER INSERT OR UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {_RECORD}({arguments})"
        )
        return

    def row(which: str) -> str:
        parts = (
            f"'{one}', json({which}.{one})" if one in json_columns else f"'{one}', {which}.{one}" for one in columns
        )
        return f"json_object({', '.join(parts)})"

    changed = " OR ".join(f"OLD.{one} IS NOT NEW.{one}" for one in columns)
    for action, before, after, when in (
        ("insert", "NULL", row("NEW"), ""),
        ("update", row("OLD"), row("NEW"), f"WHEN {changed} "),
        ("delete", row("OLD"), "NULL", ""),
    ):
        which = "OLD" if action == "delete" else "NEW"
        name = " || '/' || ".join(f"{which}.{column}" for column in key)
        op.execute(
            f"CREATE TRIGGER {table}_audit_{action} AFTER {action.upper()} ON {table} {when}BEGIN "
            f"INSERT INTO {TRAIL} (at, actor, action, table_name, row_key, before, after) VALUES "
            f"(strftime('%Y-%m-%d %H:%M:%f000', 'now'), portrayal_actor(), '{action}', '{table}', "
            f"CAST({name} AS TEXT), {before}, {after}); END"
        )


def stop_audit(table: str) -> None:
    if on_postgresql():
        op.execute(f"DROP TRIGGER {table}_audit ON {table}")
        return
    for action in ("insert", "update", "delete"):
        op.execute(f"DROP TRIGGER {table}_audit_{action}")
