# The parts of pulse_donors in order. schema/ runs once, api/ holds only re-runnable statements and is part of every update too.
SQL_FILES = \
    schema/schemas.sql \
    api/settings.sql \
    api/blood.sql \
    api/values.sql \
    schema/donors.sql \
    schema/presence.sql \
    schema/hospitals.sql \
    schema/requests.sql \
    schema/notifications.sql \
    api/rows.sql \
    api/search.sql \
    api/emergencies.sql \
    api/presence.sql \
    api/notifications.sql \
    api/fan_out.sql \
    api/rooms.sql \
    api/handlers.sql \
    api/routes.sql \
    api/sample.sql \
    schema/triggers.sql \
    schema/events.sql \
    api/registrations.sql \
    schema/dump.sql
