-- pulse.enqueue(queue, kind, args, …) returns bigint
-- Stores a job in this transaction; a worker runs it after the commit, in a transaction of its own. Returns the job's id.
--   queue         a name of your own, 1–255 bytes
--   kind          'sql': args ->> 'function' names f(args json) returns json, which must exist. It runs as the role that
--                 enqueued it (current_user) and gets args -> 'args' when there is such a member, else all of args
--   priority      smaller runs first
--   run_at        not before
--   max_attempts  a job that fails is tried again, later each time; after this many attempts it is dead
--   unique_key    while a job with this key waits in this queue (of the same role), another is not stored: its id is returned
--   timeout       how long one attempt may take
CREATE OR REPLACE FUNCTION pulse.enqueue(queue text, kind text, args json, priority integer DEFAULT 0, run_at timestamptz DEFAULT now(),
    max_attempts integer DEFAULT 3, unique_key text DEFAULT NULL, timeout interval DEFAULT '30 s') RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_enqueue';
COMMENT ON FUNCTION pulse.enqueue(text, text, json, integer, timestamptz, integer, text, interval) IS
    'stores a job that a worker runs after the commit, as the role that enqueued it; returns its id';
REVOKE ALL ON FUNCTION pulse.enqueue(text, text, json, integer, timestamptz, integer, text, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.enqueue(text, text, json, integer, timestamptz, integer, text, interval) TO pulse_publisher;

-- pulse.job_id() returns bigint
-- The running job; null outside a job. A function that writes elsewhere can use it to know its own repetition.
CREATE OR REPLACE FUNCTION pulse.job_id() RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_job_id';
COMMENT ON FUNCTION pulse.job_id() IS 'the running job; null outside a job';

-- _pulse.queue_settings_changed(): the trigger of the tables with what is configured; every backend keeps a copy of them.
CREATE OR REPLACE FUNCTION _pulse.queue_settings_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'pulse_queue_settings_changed';
COMMENT ON FUNCTION _pulse.queue_settings_changed() IS 'tells workers and backends that queues or kinds of jobs are configured anew';
REVOKE ALL ON FUNCTION _pulse.queue_settings_changed() FROM PUBLIC;
