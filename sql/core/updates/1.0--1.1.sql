-- From 1.0 to 1.1, before the parts of api/ run again: new tables, columns, indexes, sequences, their comments and dump rules, as
-- schema/ has them; functions whose arguments or result changed are dropped here, and api/ makes the new ones.

ALTER TABLE pulse.ticks ADD COLUMN slot_ends bigint[];
COMMENT ON COLUMN pulse.ticks.slot_ends IS 'for each slot of pulse.events the highest position so far of an event that lives there; null: not recorded';

-- Retention: the newest row says which slot new rows go to and what may still be read. Appended like ticks, and as rare as hours.
CREATE TABLE _pulse.rotations (
    number  bigint GENERATED ALWAYS AS IDENTITY,
    slot    smallint NOT NULL,
    floor   bigint NOT NULL,
    emptied smallint,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT rotations_pkey PRIMARY KEY (number)
);
COMMENT ON COLUMN _pulse.rotations.slot IS 'slot that new rows go to from here on';
COMMENT ON COLUMN _pulse.rotations.floor IS 'lowest position that may be read from here on';
COMMENT ON COLUMN _pulse.rotations.emptied IS 'slot that this step emptied; null: it switched the slot';
INSERT INTO _pulse.rotations (slot, floor) VALUES (0, 1);

CREATE TABLE _pulse.consumers (
    name       text COLLATE "C" NOT NULL,
    position   bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT consumers_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE _pulse.consumers IS 'readers of the log that hold retention back, up to pulse.max_retention';
COMMENT ON COLUMN _pulse.consumers.position IS 'everything up to here was read';

DROP FUNCTION pulse.bridge_hello(text);

-- Sessions of clients, so that any bridge can continue any of them; the bridges that hold them; tokens that count no more.
-- A connect inserts one row, joins update it in place; end and takeover move it in the index by bridge and end.
CREATE TABLE _pulse.sessions (
    key              text COLLATE "C" NOT NULL,
    pid_hash         bytea,
    user_id          text COLLATE "C",
    jti              text COLLATE "C",
    namespace        text COLLATE "C" NOT NULL,
    socket_id        text COLLATE "C" NOT NULL,
    bridge           text COLLATE "C" NOT NULL,
    generation       bigint NOT NULL DEFAULT 1,
    rooms            text[] COLLATE "C" NOT NULL,
    joined_at        bigint[] NOT NULL,
    epoch            text,
    position         bigint,
    decided_position bigint NOT NULL,
    evicted_position bigint NOT NULL DEFAULT 0,
    arrived_at       bigint NOT NULL DEFAULT 0,
    connected_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at         timestamptz,
    data             json,
    device           text,
    CONSTRAINT sessions_pkey PRIMARY KEY (key)
) WITH (fillfactor = 70, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX sessions_pid_hash_idx ON _pulse.sessions (pid_hash);
CREATE INDEX sessions_user_id_idx ON _pulse.sessions (user_id);
CREATE INDEX sessions_bridge_ended_at_idx ON _pulse.sessions (bridge, ended_at);

COMMENT ON TABLE _pulse.sessions IS 'sessions of clients, kept for a while after their end so that they can be continued';
COMMENT ON COLUMN _pulse.sessions.key IS 'pulse.session_id(), the same over reconnects';
COMMENT ON COLUMN _pulse.sessions.pid_hash IS 'sha256 of the secret that continues it; null when recovery is off';
COMMENT ON COLUMN _pulse.sessions.jti IS 'id of the token it connected with last';
COMMENT ON COLUMN _pulse.sessions.generation IS 'counts takeovers: what an earlier owner still says does not count';
COMMENT ON COLUMN _pulse.sessions.joined_at IS 'of each room: the position from which on its events are this session''s';
COMMENT ON COLUMN _pulse.sessions.position IS 'with epoch, the cursor that is used when the client has none: that of its connect';
COMMENT ON COLUMN _pulse.sessions.decided_position IS 'position of the last connect''s decision';
COMMENT ON COLUMN _pulse.sessions.evicted_position IS 'position of the last eviction that a bridge carried out on it';
COMMENT ON COLUMN _pulse.sessions.data IS 'pulse.session_data(): what connect functions gave, united';
COMMENT ON COLUMN _pulse.sessions.device IS 'what the client of the last connect calls itself';
COMMENT ON COLUMN _pulse.sessions.arrived_at IS 'when the client of the last connect stood at its bridge, in ms since 1970: one from before that comes too late';

CREATE TABLE _pulse.bridges (
    id         text COLLATE "C" NOT NULL,
    name       text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT bridges_pkey PRIMARY KEY (id)
) WITH (fillfactor = 50);
COMMENT ON TABLE _pulse.bridges IS 'bridges that run, or ran a while ago; each reports every few seconds';

-- When a session ended. That of a bridge not heard of for 15 s ended when it was last heard of: nobody else can say so. Nobody could
-- report while the server was down, so the time counts from its start.
CREATE VIEW _pulse.session_states AS
    SELECT s.key, s.pid_hash, s.user_id, s.jti, s.namespace, s.socket_id, s.bridge, s.generation, s.rooms, s.joined_at, s.epoch, s.position,
           s.decided_position, s.evicted_position, s.arrived_at, s.connected_at,
           CASE WHEN s.ended_at IS NOT NULL THEN s.ended_at
                ELSE (SELECT CASE WHEN heard.at < clock_timestamp() - interval '15 seconds' THEN heard.at END
                      FROM (SELECT greatest(b.seen_at, (SELECT e.opened_at FROM _pulse.epochs e ORDER BY e.number DESC LIMIT 1)) AS at
                            FROM _pulse.bridges b WHERE b.id = s.bridge) heard)
           END AS ended,
           s.ended_at, s.data, s.device
    FROM _pulse.sessions s;

CREATE TABLE _pulse.revocations (
    user_id    text COLLATE "C",
    jti        text COLLATE "C",
    revoked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    reason     text,
    CONSTRAINT revocations_key UNIQUE NULLS NOT DISTINCT (user_id, jti),
    CONSTRAINT revocations_subject_check CHECK (user_id IS NOT NULL OR jti IS NOT NULL)
);
CREATE INDEX revocations_jti_idx ON _pulse.revocations (jti);
CREATE INDEX revocations_expires_at_idx ON _pulse.revocations (expires_at);
COMMENT ON TABLE _pulse.revocations IS 'tokens that count no more: all of a user up to a time, or one by its id';
SELECT pg_catalog.pg_extension_config_dump('_pulse.revocations', '');

DROP FUNCTION pulse.decide(json);
DROP FUNCTION _pulse.problems(json, bigint, double precision);

-- So that an event's id, which applications may keep, never comes again where a dump is restored.
SELECT pg_catalog.pg_extension_config_dump('_pulse.event_id', '');

CREATE TABLE _pulse.streams (
    path      text COLLATE "C" NOT NULL,
    function  text NOT NULL,
    auth      text NOT NULL,
    extension text,
    CONSTRAINT streams_key UNIQUE NULLS NOT DISTINCT (path, extension),
    CONSTRAINT streams_auth_check CHECK (auth IN ('jwt', 'internal', 'none'))
);
COMMENT ON TABLE _pulse.streams IS 'which function opens an event stream for an HTTP request';
SELECT pg_catalog.pg_extension_config_dump('_pulse.streams', 'WHERE extension IS NULL');

-- Presence: which users are in which rooms. A session holds a lease in each room where it is tracked; leases change often and are
-- UNLOGGED: after a crash the bridges write theirs again. That a user is in a room at all, which has been announced by an event,
-- changes rarely and is logged, so that each join has its leave, whatever crashes. docs/reference/presence.md.
CREATE UNLOGGED TABLE _pulse.leases (
    user_id    text COLLATE "C" NOT NULL,
    room       text COLLATE "C" NOT NULL,
    session    text COLLATE "C" NOT NULL,
    bridge     text COLLATE "C",
    state      json NOT NULL,
    announce   boolean NOT NULL,
    ttl        interval,
    tracked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    gone_at    timestamptz,
    due_at     timestamptz,
    lapsed     boolean NOT NULL DEFAULT false,
    CONSTRAINT leases_pkey PRIMARY KEY (user_id, room, session)
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX leases_session_idx ON _pulse.leases (session);
CREATE INDEX leases_due_at_idx ON _pulse.leases (due_at) WHERE due_at IS NOT NULL;
COMMENT ON TABLE _pulse.leases IS 'sessions that are tracked in a room, each with its state; empty after a crash until the bridges have reported';
COMMENT ON COLUMN _pulse.leases.bridge IS 'the bridge whose silence ends it; null: none';
COMMENT ON COLUMN _pulse.leases.announce IS 'was it ever tracked with events? Then its coming back is announced too';
COMMENT ON COLUMN _pulse.leases.expires_at IS 'end of its ttl; -infinity: the session has left the room';
COMMENT ON COLUMN _pulse.leases.gone_at IS 'when its session''s connection ended; null while it is there';
COMMENT ON COLUMN _pulse.leases.due_at IS 'not before this time there is anything to do about it';
COMMENT ON COLUMN _pulse.leases.lapsed IS 'does not count any more; kept for a session that can be continued';

CREATE UNLOGGED TABLE _pulse.lease_bridges (
    bridge   text COLLATE "C" NOT NULL,
    complete boolean NOT NULL,
    token    text NOT NULL DEFAULT gen_random_uuid()::text,
    CONSTRAINT lease_bridges_pkey PRIMARY KEY (bridge)
);
COMMENT ON COLUMN _pulse.lease_bridges.token IS 'named by a bridge that is complete: what it wrote before another crash would not be all';
COMMENT ON TABLE _pulse.lease_bridges IS 'bridges with leases. Empty after a crash: whoever is not complete writes all of its leases; the row '''' says that this has ended';

CREATE TABLE _pulse.presences (
    room      text COLLATE "C" NOT NULL,
    user_id   text COLLATE "C" NOT NULL,
    since     timestamptz NOT NULL DEFAULT clock_timestamp(),
    announced boolean NOT NULL,
    CONSTRAINT presences_pkey PRIMARY KEY (room, user_id)
);
COMMENT ON TABLE _pulse.presences IS 'users who are in a room; there is a row exactly from presence:join to presence:leave';
COMMENT ON COLUMN _pulse.presences.announced IS 'presence:join was published, so presence:leave will be';

CREATE TABLE _pulse.last_seen (
    user_id text COLLATE "C" NOT NULL,
    at      timestamptz NOT NULL,
    CONSTRAINT last_seen_pkey PRIMARY KEY (user_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE _pulse.last_seen IS 'when users who were tracked were last there; written when they leave a room';
SELECT pg_catalog.pg_extension_config_dump('_pulse.last_seen', '');

-- Ephemeral events: three more arguments.
DROP FUNCTION pulse.publish(text, text, json, bytea[], json, text, text, text);
DROP FUNCTION pulse.publish(text, text, text, bytea[], json, text, text, text);
DROP FUNCTION pulse.publish(text, text, jsonb, bytea[], json, text, text, text);
DROP FUNCTION pulse.publish(text[], text, json, bytea[], json, text, text, text);
DROP FUNCTION pulse.publish(text[], text, text, bytea[], json, text, text, text);
DROP FUNCTION pulse.publish(text[], text, jsonb, bytea[], json, text, text, text);

-- Rate limits: classes, and the events that take of them.
CREATE TABLE _pulse.limits (
    class     text COLLATE "C" NOT NULL,
    points    integer NOT NULL,
    per       interval NOT NULL,
    extension text,
    CONSTRAINT limits_key UNIQUE NULLS NOT DISTINCT (class, extension),
    CONSTRAINT limits_points_check CHECK (points > 0),
    CONSTRAINT limits_per_check CHECK (per > '0')
);
COMMENT ON TABLE _pulse.limits IS 'classes of rate limits: so many points in a time';

CREATE TABLE _pulse.limit_events (
    namespace text COLLATE "C" NOT NULL,
    event     text COLLATE "C" NOT NULL,
    class     text COLLATE "C" NOT NULL,
    extension text,
    CONSTRAINT limit_events_key UNIQUE NULLS NOT DISTINCT (namespace, event, extension)
);
COMMENT ON TABLE _pulse.limit_events IS 'which class of rate limits an event of clients takes of';
SELECT pg_catalog.pg_extension_config_dump('_pulse.limits', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.limit_events', 'WHERE extension IS NULL');

CREATE TABLE _pulse.routes (
    method    text COLLATE "C" NOT NULL,
    path      text COLLATE "C" NOT NULL,
    function  text NOT NULL,
    auth      text NOT NULL,
    extension text,
    CONSTRAINT routes_key UNIQUE NULLS NOT DISTINCT (method, path, extension),
    CONSTRAINT routes_method_check CHECK (method IN ('GET', 'POST', 'PUT', 'PATCH', 'DELETE')),
    CONSTRAINT routes_auth_check CHECK (auth IN ('jwt', 'internal', 'none'))
);
COMMENT ON TABLE _pulse.routes IS 'which function answers an HTTP request';
SELECT pg_catalog.pg_extension_config_dump('_pulse.routes', 'WHERE extension IS NULL');

DROP FUNCTION pulse.fail(text, text, text);

-- The queue: jobs that ended leave the hot table; kinds, channels, FIFO keys, and what is configured for a queue.
DROP INDEX _pulse.jobs_claim_idx, _pulse.jobs_run_at_idx, _pulse.jobs_state_idx;
ALTER TABLE _pulse.jobs DROP CONSTRAINT jobs_state_check;
ALTER TABLE _pulse.jobs
    ALTER COLUMN queue TYPE text COLLATE "C",
    ALTER COLUMN kind TYPE text COLLATE "C",
    ALTER COLUMN unique_key TYPE text COLLATE "C",
    ADD COLUMN channel text COLLATE "C",
    ADD COLUMN partition_key text COLLATE "C",
    ADD COLUMN on_end text,
    ADD COLUMN traceparent text,
    ADD COLUMN worker text,
    ADD COLUMN lease_until timestamptz,
    ADD COLUMN cancelled_at timestamptz,
    ADD COLUMN errors json,
    SET (autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_scale_factor = 0.1);
UPDATE _pulse.jobs SET channel = 'sql';
ALTER TABLE _pulse.jobs ALTER COLUMN channel SET DEFAULT 'sql', ALTER COLUMN channel SET NOT NULL;
-- Never deleted from row by row: a slot is emptied as a whole once all of it is older than pulse.job_retention.
CREATE TABLE _pulse.job_history (
    slot          smallint NOT NULL,
    id            bigint NOT NULL,
    queue         text COLLATE "C" NOT NULL,
    kind          text COLLATE "C" NOT NULL,
    args          json NOT NULL,
    function      text,
    state         text NOT NULL,
    priority      integer NOT NULL,
    run_at        timestamptz NOT NULL,
    attempt       integer NOT NULL,
    max_attempts  integer NOT NULL,
    unique_key    text COLLATE "C",
    timeout       interval NOT NULL,
    role          text NOT NULL,
    last_error    text,
    created_at    timestamptz NOT NULL,
    attempted_at  timestamptz,
    channel       text COLLATE "C" NOT NULL,
    partition_key text COLLATE "C",
    on_end        text,
    traceparent   text,
    worker        text,
    errors        json,
    finished_at   timestamptz NOT NULL,
    result        json
) PARTITION BY LIST (slot);
CREATE TABLE _pulse.job_history_0 PARTITION OF _pulse.job_history FOR VALUES IN (0);
CREATE TABLE _pulse.job_history_1 PARTITION OF _pulse.job_history FOR VALUES IN (1);
CREATE TABLE _pulse.job_history_2 PARTITION OF _pulse.job_history FOR VALUES IN (2);
CREATE INDEX job_history_id_idx ON _pulse.job_history (id);
CREATE INDEX job_history_finished_at_idx ON _pulse.job_history USING brin (finished_at);

COMMENT ON TABLE _pulse.job_history IS 'completed and cancelled jobs, for pulse.job_retention';
COMMENT ON COLUMN _pulse.job_history.slot IS 'which of the three tables: the time of its end, in units of pulse.job_retention, modulo 3';
COMMENT ON COLUMN _pulse.job_history.last_error IS 'of the last attempt that failed, or why it was cancelled';
COMMENT ON COLUMN _pulse.job_history.result IS 'what its function or channel returned, when that is short';

CREATE TABLE _pulse.dead_letters (
    id            bigint NOT NULL,
    queue         text COLLATE "C" NOT NULL,
    kind          text COLLATE "C" NOT NULL,
    args          json NOT NULL,
    function      text,
    reason        text NOT NULL,
    priority      integer NOT NULL,
    run_at        timestamptz NOT NULL,
    attempt       integer NOT NULL,
    max_attempts  integer NOT NULL,
    unique_key    text COLLATE "C",
    timeout       interval NOT NULL,
    role          text NOT NULL,
    last_error    text,
    created_at    timestamptz NOT NULL,
    attempted_at  timestamptz,
    channel       text COLLATE "C" NOT NULL,
    partition_key text COLLATE "C",
    on_end        text,
    traceparent   text,
    worker        text,
    errors        json,
    finished_at   timestamptz NOT NULL,
    CONSTRAINT dead_letters_pkey PRIMARY KEY (id),
    CONSTRAINT dead_letters_reason_check CHECK (reason IN ('attempts', 'permanent', 'superseded'))
);
CREATE INDEX dead_letters_queue_finished_at_idx ON _pulse.dead_letters (queue, finished_at);

COMMENT ON TABLE _pulse.dead_letters IS 'jobs that failed for good, with all their attempts, until they are purged or redriven';
COMMENT ON COLUMN _pulse.dead_letters.queue IS 'where it ran, and where a redrive puts it';
COMMENT ON COLUMN _pulse.dead_letters.reason IS 'attempts: all used up; permanent: another would fail alike; superseded: a newer one with its unique_key waits';
COMMENT ON COLUMN _pulse.dead_letters.errors IS 'all attempts: attempt, worker, startedAt, finishedAt, error';

-- What is configured. The application's row of a queue or kind stands beside a pack's and wins.
CREATE TABLE _pulse.queues (
    name         text COLLATE "C" NOT NULL,
    extension    text,
    concurrency  integer,
    rate         integer,
    per          interval,
    max_attempts integer,
    backoff      interval,
    backoff_max  interval,
    events       boolean,
    CONSTRAINT queues_key UNIQUE NULLS NOT DISTINCT (name, extension),
    CONSTRAINT queues_concurrency_check CHECK (concurrency >= 0),
    CONSTRAINT queues_rate_check CHECK (rate >= 0),
    CONSTRAINT queues_per_check CHECK (per > '0')
);
COMMENT ON TABLE _pulse.queues IS 'what is configured for a queue; null: the default';
COMMENT ON COLUMN _pulse.queues.concurrency IS 'most jobs at once, over all workers; 0: no limit, whatever a pack says';
COMMENT ON COLUMN _pulse.queues.rate IS 'most jobs started in any time of the length per; 0: no limit, whatever a pack says';
COMMENT ON COLUMN _pulse.queues.backoff IS 'wait after the first failed attempt; doubles with each';
COMMENT ON COLUMN _pulse.queues.events IS 'whether each change of its jobs is published in room queue:{name}';

CREATE TABLE _pulse.queue_states (
    name      text COLLATE "C" NOT NULL,
    paused    boolean NOT NULL,
    reason    text,
    paused_at timestamptz,
    CONSTRAINT queue_states_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE _pulse.queue_states IS 'queues that are or were paused';

CREATE TABLE _pulse.job_kinds (
    kind         text COLLATE "C" NOT NULL,
    extension    text,
    channel      text COLLATE "C" NOT NULL,
    function     text,
    max_attempts integer,
    backoff      interval,
    backoff_max  interval,
    CONSTRAINT job_kinds_key UNIQUE NULLS NOT DISTINCT (kind, extension),
    CONSTRAINT job_kinds_channel_check CHECK (channel IN ('sql', 'fcm', 'sms', 'webhook', 'external'))
);
COMMENT ON TABLE _pulse.job_kinds IS 'kinds of jobs: which channel works on them, by which function';

CREATE TABLE _pulse.queue_origin (
    system_identifier bigint NOT NULL,
    database          oid NOT NULL
);
COMMENT ON TABLE _pulse.queue_origin IS 'the cluster and database whose foreman served these queues last; elsewhere they start paused';
INSERT INTO _pulse.dead_letters (id, queue, kind, args, function, reason, priority, run_at, attempt, max_attempts, unique_key, timeout, role, last_error,
    created_at, attempted_at, channel, finished_at)
    SELECT j.id, j.queue, j.kind, j.args, j.function, CASE WHEN j.last_error LIKE 'superseded by%' THEN 'superseded' ELSE 'attempts' END, j.priority, j.run_at,
        j.attempt, j.max_attempts, j.unique_key, j.timeout, j.role, j.last_error, j.created_at, j.attempted_at, j.channel, coalesce(j.attempted_at, j.created_at)
      FROM _pulse.jobs j WHERE j.state = 'discarded';
DELETE FROM _pulse.jobs j WHERE j.state NOT IN ('available', 'scheduled', 'retryable', 'executing');
ALTER TABLE _pulse.jobs ADD CONSTRAINT jobs_state_check CHECK (state IN ('available', 'scheduled', 'retryable', 'executing'));
CREATE INDEX jobs_lane_idx ON _pulse.jobs (queue, priority, run_at, id) WHERE state IN ('available', 'scheduled', 'retryable');
CREATE INDEX jobs_partition_key_idx ON _pulse.jobs (queue, partition_key, id) WHERE partition_key IS NOT NULL;
CREATE INDEX jobs_retryable_idx ON _pulse.jobs (id) WHERE state = 'retryable';
COMMENT ON TABLE _pulse.jobs IS 'waiting and running jobs';
COMMENT ON COLUMN _pulse.jobs.function IS 'of channel sql: the qualified name of what is run; of another: the builder of its kind, or null';
COMMENT ON COLUMN _pulse.jobs.state IS 'available and scheduled wait for their first attempt, retryable for another';
COMMENT ON COLUMN _pulse.jobs.attempt IS 'attempts begun; counted before one runs, so that a crash counts too';
COMMENT ON COLUMN _pulse.jobs.role IS 'who enqueued it and as whom it runs';
COMMENT ON COLUMN _pulse.jobs.attempted_at IS 'when the last attempt was claimed';
COMMENT ON COLUMN _pulse.jobs.channel IS 'who works on it: sql, fcm, sms, webhook; external: whoever fetches it';
COMMENT ON COLUMN _pulse.jobs.partition_key IS 'jobs of a queue with the same key run one after the other, by id';
COMMENT ON COLUMN _pulse.jobs.on_end IS 'the function of the job that is enqueued when this one has ended for good';
COMMENT ON COLUMN _pulse.jobs.worker IS 'who claimed the last attempt';
COMMENT ON COLUMN _pulse.jobs.lease_until IS 'of a fetched job: when its attempt is lost without a heartbeat';
COMMENT ON COLUMN _pulse.jobs.cancelled_at IS 'when somebody cancelled it while it ran';
COMMENT ON COLUMN _pulse.jobs.errors IS 'earlier attempts that failed: attempt, worker, startedAt, finishedAt, error';
SELECT pg_catalog.pg_extension_config_dump('_pulse.dead_letters', '');
SELECT pg_catalog.pg_extension_config_dump('_pulse.queues', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.queue_states', '');
SELECT pg_catalog.pg_extension_config_dump('_pulse.job_kinds', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.queue_origin', '');

DROP FUNCTION pulse.enqueue(text, text, json, integer, timestamptz, integer, text, interval);
