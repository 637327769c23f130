# The parts of pulse_campus in order. schema/ runs once, api/ holds only re-runnable statements and is part of every update too.
SQL_FILES = \
    schema/schemas.sql \
    api/settings.sql \
    api/values.sql \
    schema/places.sql \
    schema/members.sql \
    schema/issues.sql \
    schema/alerts.sql \
    schema/refreshes.sql \
    api/access.sql \
    api/rows.sql \
    api/summaries.sql \
    api/refresh.sql \
    api/rooms.sql \
    api/input.sql \
    api/issues.sql \
    api/repeat.sql \
    api/streams.sql \
    schema/triggers.sql \
    schema/events.sql \
    api/registrations.sql \
    schema/dump.sql
