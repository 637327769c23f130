# The parts of pulse_donors--1.0.sql in order. schema/ runs once, api/ holds only re-runnable statements.
PACK_FILES = \
    header.sql \
    schema/schemas.sql \
    schema/settings.sql \
    api/blood.sql \
    api/time.sql \
    schema/donors.sql \
    schema/presence.sql \
    schema/hospitals.sql \
    schema/requests.sql \
    api/rows.sql \
    api/search.sql \
    api/emergencies.sql \
    api/presence.sql \
    api/fan_out.sql \
    api/rooms.sql \
    api/handlers.sql \
    api/sample.sql \
    schema/triggers.sql \
    schema/events.sql \
    schema/registrations.sql \
    schema/dump.sql
