"""Run by Alembic: migrates over the connection that `farandole_observe.store.opening` gives, in its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
