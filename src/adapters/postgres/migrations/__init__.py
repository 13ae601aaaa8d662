"""The schema's history, for alembic. Run it with `touchline migrate`."""
