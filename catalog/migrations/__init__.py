"""The catalog's history: one file in `versions/` per change of its tables, newest at `HEAD`."""

HEAD = "0003"
"""Revision of the newest migration: known without importing Alembic, so that opening an up-to-date catalog is quick."""

VERSION_TABLE = "catalog_version"
"""Not Alembic's default name, so that the catalog can share a PostgreSQL database with Prefect."""
