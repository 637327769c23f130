# The parts of pulse_moves in order. schema/ runs once, api/ holds only re-runnable statements and is part of every update too.
SQL_FILES = \
    schema/schemas.sql \
    api/settings.sql \
    api/values.sql \
    schema/orders.sql \
    schema/porters.sql \
    schema/offers.sql \
    schema/messages.sql \
    schema/subscriptions.sql \
    api/input.sql \
    api/orders.sql \
    api/expiry.sql \
    api/chat.sql \
    api/rooms.sql \
    api/location.sql \
    api/offers.sql \
    api/tokens.sql \
    api/requests.sql \
    schema/triggers.sql \
    schema/events.sql \
    api/registrations.sql \
    schema/dump.sql
