# The parts of pulse in order. schema/ runs once, api/ holds only re-runnable statements and is part of every update too.
SQL_FILES = \
    schema/roles.sql \
    schema/schemas.sql \
    schema/events.sql \
    schema/dispatch.sql \
    schema/registry.sql \
    schema/sessions.sql \
    schema/presence.sql \
    schema/jobs.sql \
    api/slot.sql \
    schema/defaults.sql \
    api/publish.sql \
    api/watch.sql \
    api/dispatch.sql \
    api/queue.sql \
    api/queue_settings.sql \
    api/queue_jobs.sql \
    api/queue_dead.sql \
    api/queue_history.sql \
    api/settings.sql \
    api/log.sql \
    api/claims.sql \
    api/input.sql \
    api/token.sql \
    api/registry.sql \
    api/limits.sql \
    api/handle.sql \
    api/bridge.sql \
    api/sessions.sql \
    api/presence.sql \
    api/presence_sweep.sql \
    api/evict.sql \
    api/status.sql \
    schema/triggers.sql \
    api/builtin.sql \
    schema/dump.sql
