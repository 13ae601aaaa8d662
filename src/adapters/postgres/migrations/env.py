"""What alembic runs: the revisions, on the connection and in the transaction of `migrate`."""

from alembic import context

from adapters.postgres.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, compare_type=True
)
with context.begin_transaction():
    context.run_migrations()
