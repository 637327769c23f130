-- Jobs by the clock.
CREATE TABLE _pulse.schedules (
    name         text COLLATE "C" NOT NULL,
    spec         text NOT NULL,
    every        interval,
    timezone     text NOT NULL,
    queue        text NOT NULL,
    kind         text NOT NULL,
    args         json NOT NULL,
    priority     integer NOT NULL,
    max_attempts integer,
    timeout      interval NOT NULL,
    overlap      text NOT NULL,
    backfill     interval NOT NULL,
    role         text NOT NULL,
    search_path  text NOT NULL,
    anchor       timestamptz NOT NULL,
    next_slot    timestamptz,
    last_slot    timestamptz,
    last_job_id  bigint,
    last_error   text,
    extension    text,
    CONSTRAINT schedules_pkey PRIMARY KEY (name),
    CONSTRAINT schedules_overlap_check CHECK (overlap IN ('skip', 'queue', 'allow'))
);
COMMENT ON TABLE _pulse.schedules IS 'jobs that are enqueued by the clock';
COMMENT ON COLUMN _pulse.schedules.every IS 'of a plain interval: slots are anchor + n × every; null: spec is a cron expression';
COMMENT ON COLUMN _pulse.schedules.search_path IS 'in which the names in args were found when it was scheduled';
COMMENT ON COLUMN _pulse.schedules.next_slot IS 'when it is due; null: never again';
COMMENT ON COLUMN _pulse.schedules.last_error IS 'why the last slot could not be enqueued; null when it could';
SELECT pg_catalog.pg_extension_config_dump('_pulse.schedules', 'WHERE extension IS NULL');
