-- Jobs: calls of SQL functions, push messages, SMS and webhooks that happen after the transaction that asks for them, and exactly when
-- it commits. docs/reference/queue.md.

-- pulse.enqueue(queue, kind, args, …) returns bigint
-- Stores a job in this transaction; a worker runs it after the commit. Returns the job's id.
--   queue         a name of your own, 1–255 bytes
--   kind          'sql': args ->> 'function' names f(args json) returns json, which must exist. It runs as the role that
--                 enqueued it (current_user) and gets args -> 'args' when there is such a member, else all of args.
--                 'fcm', 'sms', 'webhook', or what pulse.job_kind has made
--   priority      smaller runs first
--   run_at        not before
--   max_attempts  a job that fails is tried again, later each time; after this many attempts it is a dead letter. null: what the
--                 kind says, else the queue, else 3
--   unique_key    while a job with this key waits in this queue (of the same role), another is not stored: unique_mode 'keep' leaves
--                 it as it is, 'replace' puts the new one in its place, 'keep_run_at' too but at its old time. Its id is returned
--   timeout       how long one attempt may take
--   partition_key jobs of a queue with the same key run one after the other, in the order of their ids
--   on_end        f(job json) returns json, enqueued when the job has ended for good: completed, discarded or cancelled
CREATE OR REPLACE FUNCTION pulse.enqueue(queue text, kind text, args json, priority integer DEFAULT 0, run_at timestamptz DEFAULT now(),
    max_attempts integer DEFAULT NULL, unique_key text DEFAULT NULL, timeout interval DEFAULT '30 s', unique_mode text DEFAULT 'keep',
    partition_key text DEFAULT NULL, on_end text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_enqueue_job';
COMMENT ON FUNCTION pulse.enqueue(text, text, json, integer, timestamptz, integer, text, interval, text, text, text) IS
    'stores a job that a worker runs after the commit, as the role that enqueued it; returns its id';
REVOKE ALL ON FUNCTION pulse.enqueue(text, text, json, integer, timestamptz, integer, text, interval, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.enqueue(text, text, json, integer, timestamptz, integer, text, interval, text, text, text) TO pulse_publisher;

-- pulse.enqueue_many(queue, kind, args json[], …) returns bigint
-- One job an element, in their order: SELECT pulse.enqueue_many('mail', 'sql', array_agg(…)) FROM …. The options are those of
-- pulse.enqueue; keys are an array beside args. Returns how many were stored or replaced.
CREATE OR REPLACE FUNCTION pulse.enqueue_many(queue text, kind text, args json[], priority integer DEFAULT 0, run_at timestamptz DEFAULT now(),
    max_attempts integer DEFAULT NULL, unique_keys text[] DEFAULT NULL, timeout interval DEFAULT '30 s', unique_mode text DEFAULT 'keep',
    partition_keys text[] DEFAULT NULL, on_end text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_enqueue_many';
COMMENT ON FUNCTION pulse.enqueue_many(text, text, json[], integer, timestamptz, integer, text[], interval, text, text[], text) IS
    'stores many jobs at once; returns how many';
REVOKE ALL ON FUNCTION pulse.enqueue_many(text, text, json[], integer, timestamptz, integer, text[], interval, text, text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.enqueue_many(text, text, json[], integer, timestamptz, integer, text[], interval, text, text[], text) TO pulse_publisher;

-- pulse.enqueue_row()
-- A trigger, AFTER … FOR EACH ROW, that makes a job of each row, as the role that writes it:
--   CREATE TRIGGER orders_receipt AFTER INSERT ON shop.orders FOR EACH ROW
--       EXECUTE FUNCTION pulse.enqueue_row('queue=mail', 'function=shop.send_receipt', 'args={"orderId":"{id}"}');
-- The arguments are pulse.enqueue's: queue, kind (sql), priority, delay (from now on), max_attempts, timeout, unique_mode, on_end;
--   function        of kind sql: a name with its schema
--   args            template as of pulse.watch; default: the whole row with camelCase keys
--   unique_key, partition_key   templates; a null value gives none
--   where           column=text: only rows that have it there; cheaper than WHEN, which PostgreSQL parses for each statement
--   restored        skip: rows that a script of pg_dump loads make no job
CREATE OR REPLACE FUNCTION pulse.enqueue_row() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_enqueue_row';
COMMENT ON FUNCTION pulse.enqueue_row() IS 'trigger: stores a job for each row, as pulse.enqueue does';
REVOKE ALL ON FUNCTION pulse.enqueue_row() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.enqueue_row() TO pulse_publisher;

-- pulse.job_id() returns bigint
-- The running job; null outside a job. A function that writes elsewhere can use it to know its own repetition.
CREATE OR REPLACE FUNCTION pulse.job_id() RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_job_id';
COMMENT ON FUNCTION pulse.job_id() IS 'the running job; null outside a job';

-- pulse.discard_job(error text) returns json
-- For a job's function, or a kind's, that knows that another attempt would fail alike: what it did is rolled back, and the job is a dead
-- letter with the reason 'permanent', whatever attempts are left. It raises SQLSTATE PJ001, outside a job too; who catches that goes on.
CREATE OR REPLACE FUNCTION pulse.discard_job(error text) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'PJ001', MESSAGE = coalesce(error, 'another attempt would fail alike'), HINT = 'A job whose function raises this is not tried again.';
END
$$;
COMMENT ON FUNCTION pulse.discard_job(text) IS 'ends the running job for good: a dead letter, whatever attempts are left';
GRANT EXECUTE ON FUNCTION pulse.discard_job(text) TO PUBLIC;
