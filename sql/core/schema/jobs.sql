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
