-- What delivery channels keep beside their jobs: push tokens of applications that have no table for them, and what SMS providers report.
CREATE TABLE _pulse.devices (
    token        text COLLATE "C" NOT NULL,
    user_id      text COLLATE "C" NOT NULL,
    platform     text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT devices_pkey PRIMARY KEY (token),
    CONSTRAINT devices_token_check CHECK (octet_length(token) BETWEEN 1 AND 4096),
    CONSTRAINT devices_platform_check CHECK (platform IN ('android', 'ios', 'web'))
);
CREATE INDEX devices_user_id_idx ON _pulse.devices (user_id);
COMMENT ON TABLE _pulse.devices IS 'push tokens; one that FCM calls unregistered leaves';
COMMENT ON COLUMN _pulse.devices.last_used_at IS 'when it was registered last';

CREATE TABLE _pulse.sms_reports (
    sid         text COLLATE "C" NOT NULL,
    job_id      bigint NOT NULL,
    status      text NOT NULL,
    error_code  integer,
    reported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT sms_reports_pkey PRIMARY KEY (sid)
);
CREATE INDEX sms_reports_job_id_idx ON _pulse.sms_reports (job_id);
CREATE INDEX sms_reports_reported_at_idx ON _pulse.sms_reports (reported_at);
COMMENT ON TABLE _pulse.sms_reports IS 'the last that a provider said about a message, for 30 days';
SELECT pg_catalog.pg_extension_config_dump('_pulse.devices', '');
