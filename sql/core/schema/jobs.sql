-- Waiting and running jobs. Finished ones leave the table; jobs that failed for good stay as 'discarded' with their last error.
CREATE SEQUENCE _pulse.job_id_seq AS bigint CACHE 1;
CREATE TABLE _pulse.jobs (
    id           bigint NOT NULL DEFAULT nextval('_pulse.job_id_seq'),
    queue        text NOT NULL,
    kind         text NOT NULL,
    args         json NOT NULL,
    function     text,
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
    attempted_at timestamptz,
    CONSTRAINT jobs_pkey PRIMARY KEY (id),
    CONSTRAINT jobs_state_check CHECK (state IN ('available', 'scheduled', 'executing', 'retryable', 'completed', 'cancelled', 'discarded'))
);
CREATE INDEX jobs_claim_idx ON _pulse.jobs (priority, run_at, id) WHERE state IN ('available', 'scheduled', 'retryable');
CREATE INDEX jobs_run_at_idx ON _pulse.jobs (run_at) WHERE state IN ('available', 'scheduled', 'retryable');
-- One waiting job a key. The role is part of it: nobody takes the place of somebody else's job.
CREATE UNIQUE INDEX jobs_unique_key_idx ON _pulse.jobs (queue, unique_key, role)
    WHERE unique_key IS NOT NULL AND state IN ('available', 'scheduled', 'retryable');
CREATE INDEX jobs_executing_idx ON _pulse.jobs (id) WHERE state = 'executing';
CREATE INDEX jobs_state_idx ON _pulse.jobs (state);  -- for _pulse.queue_counts()

COMMENT ON TABLE _pulse.jobs IS 'waiting, running and dead jobs; one that succeeded is gone';
COMMENT ON COLUMN _pulse.jobs.function IS 'of kind sql: the qualified name of what is run';
COMMENT ON COLUMN _pulse.jobs.state IS 'available and scheduled wait for their first attempt, retryable for another; discarded are dead';
COMMENT ON COLUMN _pulse.jobs.attempt IS 'attempts begun; counted before one runs, so that a crash counts too';
COMMENT ON COLUMN _pulse.jobs.role IS 'who enqueued it and as whom it runs';
