"""One step of a production each, as Prefect tasks: thin functions that call `models`, `media` and `catalog`."""
