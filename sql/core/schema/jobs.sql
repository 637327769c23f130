-- The queue. _pulse.jobs is hot and small: only what waits or runs. A finished job moves to _pulse.job_history, three tables that are
-- emptied in turn; one that failed for good to _pulse.dead_letters.
CREATE SEQUENCE _pulse.job_id_seq AS bigint CACHE 1;
CREATE TABLE _pulse.jobs (
    id            bigint NOT NULL DEFAULT nextval('_pulse.job_id_seq'),
    queue         text COLLATE "C" NOT NULL,
    kind          text COLLATE "C" NOT NULL,
    args          json NOT NULL,
    function      text,
    state         text NOT NULL DEFAULT 'available',
    priority      integer NOT NULL DEFAULT 0,
    run_at        timestamptz NOT NULL,
    attempt       integer NOT NULL DEFAULT 0,
    max_attempts  integer NOT NULL,
    unique_key    text COLLATE "C",
    timeout       interval NOT NULL,
    role          text NOT NULL,
    last_error    text,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempted_at  timestamptz,
    channel       text COLLATE "C" NOT NULL DEFAULT 'sql',
    partition_key text COLLATE "C",
    on_end        text,
    traceparent   text,
    worker        text,
    lease_until   timestamptz,
    cancelled_at  timestamptz,
    errors        json,
    CONSTRAINT jobs_pkey PRIMARY KEY (id),
    CONSTRAINT jobs_state_check CHECK (state IN ('available', 'scheduled', 'retryable', 'executing'))
) WITH (autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_scale_factor = 0.1);
-- A lane is a queue's jobs of one priority, in the order in which they are claimed.
CREATE INDEX jobs_lane_idx ON _pulse.jobs (queue, priority, run_at, id) WHERE state IN ('available', 'scheduled', 'retryable');
-- One waiting job a key. The role is part of it: nobody takes the place of somebody else's job.
CREATE UNIQUE INDEX jobs_unique_key_idx ON _pulse.jobs (queue, unique_key, role)
    WHERE unique_key IS NOT NULL AND state IN ('available', 'scheduled', 'retryable');
CREATE INDEX jobs_partition_key_idx ON _pulse.jobs (queue, partition_key, id) WHERE partition_key IS NOT NULL;
CREATE INDEX jobs_executing_idx ON _pulse.jobs (id) WHERE state = 'executing';
CREATE INDEX jobs_retryable_idx ON _pulse.jobs (id) WHERE state = 'retryable';  -- for counts

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
