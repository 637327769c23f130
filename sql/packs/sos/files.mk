# The parts of pulse_sos in order. schema/ runs once, api/ holds only re-runnable statements and is part of every update too.
SQL_FILES = \
    schema/schemas.sql \
    api/settings.sql \
    api/values.sql \
    schema/cases.sql \
    schema/messages.sql \
    api/cases.sql \
    api/input.sql \
    api/rooms.sql \
    api/state.sql \
    api/presence.sql \
    api/open.sql \
    api/handlers.sql \
    api/location.sql \
    api/webrtc.sql \
    api/internal.sql \
    api/routes.sql \
    api/service.sql \
    schema/views.sql \
    schema/triggers.sql \
    schema/events.sql \
    api/registrations.sql \
    schema/dump.sql
