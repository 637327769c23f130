-- The durable log: one row an event, written in the publisher's own transaction.
-- Nothing here may make an insert fail later: no foreign keys, no checks. All is validated before.
CREATE SEQUENCE _pulse.event_id AS bigint CACHE 1;

CREATE TABLE pulse.events (
    id            bigint NOT NULL,
    xid           xid8 NOT NULL,
    slot          smallint NOT NULL,
    at            timestamptz NOT NULL,
    name          text NOT NULL,
    rooms         text[] NOT NULL,
    payload       json NOT NULL,
    headers       json NOT NULL,
    attachments   bytea[],
    partition_key text,
    channel       text
) PARTITION BY LIST (slot);
CREATE TABLE _pulse.events_0 PARTITION OF pulse.events FOR VALUES IN (0);
CREATE TABLE _pulse.events_1 PARTITION OF pulse.events FOR VALUES IN (1);
CREATE TABLE _pulse.events_2 PARTITION OF pulse.events FOR VALUES IN (2);
CREATE INDEX events_xid_id_idx ON pulse.events (xid, id);

COMMENT ON TABLE pulse.events IS 'published events, one row each, in the publisher''s transaction; emptied by slot when old';
COMMENT ON COLUMN pulse.events.id IS 'number in the order of publishing';
COMMENT ON COLUMN pulse.events.xid IS 'top-level transaction that published it';
COMMENT ON COLUMN pulse.events.slot IS 'partition, rotated by time';
COMMENT ON COLUMN pulse.events.rooms IS 'whom it is addressed to, each once';
COMMENT ON COLUMN pulse.events.payload IS 'compact JSON text, key order and numbers as published';
COMMENT ON COLUMN pulse.events.headers IS 'traceparent, actor, exceptSession, idempotencyKey';
COMMENT ON COLUMN pulse.events.channel IS 'legacy NOTIFY channel';

-- Publishers that use the same key wait for each other; nobody else does.
CREATE TABLE _pulse.idempotency_keys (
    key      text COLLATE "C" NOT NULL,
    event_id bigint NOT NULL,
    at       timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (key)
);
CREATE INDEX idempotency_keys_at_idx ON _pulse.idempotency_keys (at);
