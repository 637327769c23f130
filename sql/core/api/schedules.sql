-- Schedules: jobs by the clock. The foreman enqueues what is due; nothing is polled. docs/reference/schedules.md.

-- pulse.schedule(name, spec, queue, kind, args, …) returns timestamptz
-- Enqueues such a job at every slot of the schedule, as the role that calls this; a schedule of that name is replaced. Returns the first
-- slot. What pulse.enqueue would refuse is refused now.
--   spec          a cron expression of five or six fields ('30 8 * * MON-FRI'; a sixth before them is the second), a word as @daily, or a
--                 plain interval of at least a second ('10 minutes', 'every 90 s')
--   timezone      in which a cron expression is read
--   overlap       while the job of an earlier slot waits or runs: 'skip' the slot, 'queue' it behind, or 'allow' both at once
--   backfill      slots that came while nobody could enqueue them (the server was down) are made up for when they are no older than this;
--                 with overlap 'skip' only the newest
CREATE OR REPLACE FUNCTION pulse.schedule(name text, spec text, queue text, kind text, args json, timezone text DEFAULT 'UTC',
    overlap text DEFAULT 'skip', backfill interval DEFAULT '10 minutes', priority integer DEFAULT 0, max_attempts integer DEFAULT NULL,
    timeout interval DEFAULT '30 s') RETURNS timestamptz
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_schedule';
COMMENT ON FUNCTION pulse.schedule(text, text, text, text, json, text, text, interval, integer, integer, interval) IS
    'enqueues a job at every slot of a cron expression or interval; returns the first slot';
REVOKE ALL ON FUNCTION pulse.schedule(text, text, text, text, json, text, text, interval, integer, integer, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.schedule(text, text, text, text, json, text, text, interval, integer, integer, interval)
    TO pulse_publisher, pulse_admin;

-- pulse.unschedule(name text) returns boolean
-- Jobs that wait already stay. For the role of the schedule and pulse_admin.
CREATE OR REPLACE FUNCTION pulse.unschedule(name text) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_unschedule';
COMMENT ON FUNCTION pulse.unschedule(text) IS 'takes a schedule away; whether there was one';
REVOKE ALL ON FUNCTION pulse.unschedule(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.unschedule(text) TO pulse_publisher, pulse_admin;

-- pulse.next_slot(spec text, timezone text default 'UTC', after timestamptz default now()) returns timestamptz
-- When a cron expression is due next: to see what a schedule would do. Null: never.
CREATE OR REPLACE FUNCTION pulse.next_slot(spec text, timezone text DEFAULT 'UTC', after timestamptz DEFAULT now()) RETURNS timestamptz
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pulse_next_slot';
COMMENT ON FUNCTION pulse.next_slot(text, text, timestamptz) IS 'when a cron expression is due next; null: never';

-- pulse.schedules
CREATE OR REPLACE VIEW pulse.schedules AS
    SELECT s.name, s.spec, s.timezone, s.queue, s.kind, s.args, s.priority, s.max_attempts, s.timeout, s.overlap, s.backfill, s.role,
           s.next_slot, s.last_slot, s.last_job_id, s.last_error, s.extension
      FROM _pulse.schedules s
     WHERE s.extension IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = s.extension);
COMMENT ON VIEW pulse.schedules IS 'what is enqueued by the clock, when next, and what became of the last slot';
REVOKE ALL ON pulse.schedules FROM PUBLIC;
GRANT SELECT ON pulse.schedules TO pulse_admin;

-- _pulse.run_schedules(at timestamptz default clock_timestamp()) returns timestamptz
-- Enqueues what is due by then; returns when something is due next, null when nothing is. Called by the foreman; from SQL by tests.
CREATE OR REPLACE FUNCTION _pulse.run_schedules(at timestamptz DEFAULT clock_timestamp()) RETURNS timestamptz
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_run_schedules';
COMMENT ON FUNCTION _pulse.run_schedules(timestamptz) IS 'enqueues the slots that are due; returns when the next one is';
REVOKE ALL ON FUNCTION _pulse.run_schedules(timestamptz) FROM PUBLIC;
