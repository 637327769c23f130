-- Workers outside of the database: jobs of kinds whose channel is 'external', by plain SQL from any language. A fetched job belongs to who
-- fetched it until its lease ends; whoever comes later with the same id and an older attempt is told false and changes nothing.

-- pulse.fetch_jobs(queue text, worker text, max_jobs integer default 10, lease interval default '5 min', wait interval default '0')
--     returns table (id, kind, args, attempt, max_attempts, priority, created_at, traceparent)
-- Takes jobs that are due, in their order and within the queue's limits, for the time of the lease. With wait, the call waits so long for
-- the first one. Call it in a transaction of its own: the jobs are taken, whatever becomes of it.
CREATE OR REPLACE FUNCTION pulse.fetch_jobs(queue text, worker text, max_jobs integer DEFAULT 10, lease interval DEFAULT '5 min', wait interval DEFAULT '0')
    RETURNS TABLE (id bigint, kind text, args json, attempt integer, max_attempts integer, priority integer, created_at timestamptz, traceparent text)
    LANGUAGE c VOLATILE ROWS 10 AS 'MODULE_PATHNAME', 'pulse_fetch_jobs';
COMMENT ON FUNCTION pulse.fetch_jobs(text, text, integer, interval, interval) IS 'takes jobs for a worker outside of the database, for the time of a lease';
REVOKE ALL ON FUNCTION pulse.fetch_jobs(text, text, integer, interval, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.fetch_jobs(text, text, integer, interval, interval) TO pulse_admin;

-- pulse.ack(id bigint, attempt integer, result json default null) returns boolean
-- The job is done. False: this attempt has ended before, by its lease or a cancel.
CREATE OR REPLACE FUNCTION pulse.ack(id bigint, attempt integer, result json DEFAULT NULL) RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_ack';
COMMENT ON FUNCTION pulse.ack(bigint, integer, json) IS 'ends a fetched job as completed; false when the attempt has ended before';
REVOKE ALL ON FUNCTION pulse.ack(bigint, integer, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.ack(bigint, integer, json) TO pulse_admin;

-- pulse.nack(id bigint, attempt integer, error text, retry_after interval default null, permanent boolean default false) returns boolean
-- The attempt failed: another one later, not before retry_after, or a dead letter when that was the last or would not help (permanent).
CREATE OR REPLACE FUNCTION pulse.nack(id bigint, attempt integer, error text, retry_after interval DEFAULT NULL, permanent boolean DEFAULT false) RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_nack';
COMMENT ON FUNCTION pulse.nack(bigint, integer, text, interval, boolean) IS 'ends an attempt of a fetched job as failed; false when it has ended before';
REVOKE ALL ON FUNCTION pulse.nack(bigint, integer, text, interval, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.nack(bigint, integer, text, interval, boolean) TO pulse_admin;

-- pulse.heartbeat(id bigint, attempt integer, lease interval default '5 min') returns boolean
-- The lease lasts so long from now on. False: the attempt is no longer this worker's, or somebody has cancelled the job: stop.
CREATE OR REPLACE FUNCTION pulse.heartbeat(id bigint, attempt integer, lease interval DEFAULT '5 min') RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_heartbeat';
COMMENT ON FUNCTION pulse.heartbeat(bigint, integer, interval) IS 'prolongs the lease of a fetched job; false when it is to be stopped';
REVOKE ALL ON FUNCTION pulse.heartbeat(bigint, integer, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.heartbeat(bigint, integer, interval) TO pulse_admin;
