-- complain if this script is sourced by psql rather than by CREATE EXTENSION
\echo Use "CREATE EXTENSION pulse" to load this file. \quit
SET LOCAL search_path TO pg_catalog, pg_temp;

-- core/schema/roles.sql
-- Group roles; a DBA grants them to login roles. Roles belong to the cluster, so they outlive the extension.
DO $$
DECLARE
    v_role text;
BEGIN
    FOREACH v_role IN ARRAY ARRAY['pulse_client', 'pulse_bridge', 'pulse_publisher', 'pulse_admin'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = v_role) THEN
            BEGIN
                EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', v_role);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;   -- another database of this cluster created it at the same moment
            END;
        END IF;
    END LOOP;
END
$$;

-- core/schema/schemas.sql
-- pulse is public API, _pulse is private.
CREATE SCHEMA pulse;
CREATE SCHEMA _pulse;
COMMENT ON SCHEMA pulse IS 'pulse: publish, rooms, policies, handlers, jobs (public API)';
COMMENT ON SCHEMA _pulse IS 'pulse: private, may change with any version';
GRANT USAGE ON SCHEMA pulse TO PUBLIC;
REVOKE ALL ON SCHEMA _pulse FROM PUBLIC;

-- core/schema/events.sql
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

-- core/schema/dispatch.sql
-- What the dispatcher writes: epochs, one tick a transaction, one delivery a room of an event, and poison events.
-- Progress lives only in appended ticks: an updated row would bloat under a held snapshot.
CREATE TABLE _pulse.epochs (
    number         bigint GENERATED ALWAYS AS IDENTITY,
    epoch          text NOT NULL,
    channel        text NOT NULL,
    after_position bigint NOT NULL,
    opened_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT epochs_pkey PRIMARY KEY (number),
    CONSTRAINT epochs_epoch_key UNIQUE (epoch)
);
COMMENT ON COLUMN _pulse.epochs.after_position IS 'last position of the epoch before; the first one here is one more';

CREATE TABLE pulse.deliveries (
    room     text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    xid      xid8 NOT NULL,
    event_id bigint NOT NULL,
    slot     smallint NOT NULL
) PARTITION BY LIST (slot);
CREATE TABLE _pulse.deliveries_0 PARTITION OF pulse.deliveries FOR VALUES IN (0);
CREATE TABLE _pulse.deliveries_1 PARTITION OF pulse.deliveries FOR VALUES IN (1);
CREATE TABLE _pulse.deliveries_2 PARTITION OF pulse.deliveries FOR VALUES IN (2);
CREATE INDEX deliveries_room_position_idx ON pulse.deliveries (room, position);
COMMENT ON TABLE pulse.deliveries IS 'which event stands at which position of which room';

CREATE TABLE pulse.ticks (
    first_position bigint NOT NULL,
    last_position  bigint NOT NULL,
    slot           smallint NOT NULL,
    at             timestamptz NOT NULL,
    before         pg_snapshot NOT NULL,
    upto           pg_snapshot NOT NULL,
    done_id        bigint,
    xids           xid8[] NOT NULL,
    ids            bigint[] NOT NULL
) PARTITION BY LIST (slot);
CREATE TABLE _pulse.ticks_0 PARTITION OF pulse.ticks FOR VALUES IN (0);
CREATE TABLE _pulse.ticks_1 PARTITION OF pulse.ticks FOR VALUES IN (1);
CREATE TABLE _pulse.ticks_2 PARTITION OF pulse.ticks FOR VALUES IN (2);
CREATE INDEX ticks_last_position_idx ON pulse.ticks (last_position);
COMMENT ON TABLE pulse.ticks IS 'one row a dispatcher transaction: positions first … last are the events (xids[n], ids[n]), in order';
COMMENT ON COLUMN pulse.ticks.before IS 'snapshot P: events of transactions ended between P and S were dispatched';
COMMENT ON COLUMN pulse.ticks.upto IS 'snapshot S';
COMMENT ON COLUMN pulse.ticks.done_id IS 'of a backlog cut in chunks: the last id done between P and S; null when all are';

CREATE TABLE _pulse.quarantine (
    position bigint NOT NULL,
    event_id bigint NOT NULL,
    xid      xid8 NOT NULL,
    sqlstate text NOT NULL,
    message  text NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT quarantine_pkey PRIMARY KEY (position)
);
COMMENT ON TABLE _pulse.quarantine IS 'poison events: they keep their position and are not delivered';

-- core/schema/registry.sql
-- What is registered by SQL: policies, handlers, connect functions, settings. Functions are stored as text
-- (pg_upgrade refuses regproc). extension: the pack that registered it inside CREATE EXTENSION; null for the application's own.
CREATE TABLE _pulse.policies (
    pattern   text COLLATE "C" NOT NULL,
    operation text NOT NULL,
    function  text NOT NULL,
    extension text,
    CONSTRAINT policies_pkey PRIMARY KEY (pattern, operation),
    CONSTRAINT policies_operation_check CHECK (operation IN ('join', 'publish', 'history', 'presence'))
);
CREATE TABLE _pulse.handlers (
    namespace text COLLATE "C" NOT NULL,
    event     text COLLATE "C" NOT NULL,
    function  text NOT NULL,
    key       text,
    extension text,
    CONSTRAINT handlers_pkey PRIMARY KEY (namespace, event)
);
CREATE TABLE _pulse.namespaces (
    name      text COLLATE "C" NOT NULL,
    connect   text COLLATE "C" NOT NULL,
    extension text,
    CONSTRAINT namespaces_pkey PRIMARY KEY (name, connect)
);
-- The definition belongs to the pack, the value to the DBA: only values are dumped.
CREATE TABLE _pulse.setting_definitions (
    pack          text NOT NULL,
    name          text NOT NULL,
    default_value text,
    description   text NOT NULL,
    extension     text,
    CONSTRAINT setting_definitions_pkey PRIMARY KEY (pack, name)
);
CREATE TABLE _pulse.settings (
    pack  text NOT NULL,
    name  text NOT NULL,
    value text,
    CONSTRAINT settings_pkey PRIMARY KEY (pack, name)
);

-- core/schema/jobs.sql
-- Waiting and running jobs. Finished ones leave the table; jobs that failed for good stay as 'discarded' with their last error.
CREATE SEQUENCE _pulse.job_id_seq AS bigint CACHE 1;
CREATE TABLE _pulse.jobs (
    id           bigint NOT NULL DEFAULT nextval('_pulse.job_id_seq'),
    queue        text NOT NULL,
    kind         text NOT NULL,
    args         json NOT NULL,
    state        text NOT NULL DEFAULT 'available',
    priority     integer NOT NULL DEFAULT 0,
    run_at       timestamptz NOT NULL,
    attempt      integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL,
    unique_key   text,
    timeout      interval NOT NULL,
    role         text NOT NULL,
    last_error   text,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT jobs_pkey PRIMARY KEY (id),
    CONSTRAINT jobs_state_check CHECK (state IN ('available', 'scheduled', 'executing', 'retryable', 'completed', 'cancelled', 'discarded'))
);
CREATE INDEX jobs_claim_idx ON _pulse.jobs (priority, run_at, id) WHERE state IN ('available', 'scheduled', 'retryable');
CREATE UNIQUE INDEX jobs_unique_key_idx ON _pulse.jobs (queue, unique_key) WHERE unique_key IS NOT NULL AND state IN ('available', 'scheduled', 'retryable');

-- core/api/slot.sql
-- _pulse.current_slot() returns smallint
-- The partition that new rows go to: 0, 1 or 2. Read from shared memory; 0 when pulse is not preloaded.
CREATE FUNCTION _pulse.current_slot() RETURNS smallint
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pulse_current_slot';
COMMENT ON FUNCTION _pulse.current_slot() IS 'partition that new rows go to';

-- core/schema/defaults.sql
-- Defaults of pulse.events, for rows that come by INSERT (logical replication, a DBA); publish writes them itself.
ALTER TABLE pulse.events
    ALTER COLUMN id SET DEFAULT nextval('_pulse.event_id'),
    ALTER COLUMN xid SET DEFAULT pg_current_xact_id(),
    ALTER COLUMN slot SET DEFAULT _pulse.current_slot(),
    ALTER COLUMN at SET DEFAULT clock_timestamp(),
    ALTER COLUMN headers SET DEFAULT '{}';

-- core/api/publish.sql

-- core/api/watch.sql

-- core/api/dispatch.sql

-- core/api/queue.sql

-- core/api/settings.sql

-- core/api/claims.sql

-- core/api/registry.sql

-- core/api/handle.sql

-- core/api/bridge.sql

-- core/api/status.sql

-- core/schema/builtin.sql
-- What the engine itself registers.
SELECT pulse.policy('user:{userId}', 'join', 'pulse.is_own_user_room');
SELECT pulse.define_setting('pulse', 'idempotency_keep', '24 hours', 'how long an idempotency key is remembered');

-- core/schema/dump.sql
-- What pg_dump carries: what the application registered or configured, and its jobs. Log data is not dumped.
SELECT pg_catalog.pg_extension_config_dump('_pulse.policies', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.handlers', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.namespaces', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.setting_definitions', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.settings', '');
SELECT pg_catalog.pg_extension_config_dump('_pulse.jobs', '');
SELECT pg_catalog.pg_extension_config_dump('_pulse.job_id_seq', '');
