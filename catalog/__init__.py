"""The SQL side: tables, migrations and queries. No torch and no Prefect in here."""
