# The parts of pulse_care in order. schema/ runs once, api/ holds only re-runnable statements and is part of every update too.
SQL_FILES = \
    schema/schemas.sql \
    api/settings.sql \
    api/values.sql \
    schema/families.sql \
    schema/care.sql \
    schema/messages.sql \
    api/rows.sql \
    api/members.sql \
    api/chat.sql \
    api/badge.sql \
    api/presence.sql \
    api/alerts.sql \
    api/medication.sql \
    api/shifts.sql \
    api/feed.sql \
    api/routes.sql \
    schema/triggers.sql \
    schema/events.sql \
    api/registrations.sql \
    schema/dump.sql
