-- What pg_dump carries: what the application registered or configured, its jobs, and revoked tokens, which must not come back to
-- life. Log data and sessions are not dumped.
SELECT pg_catalog.pg_extension_config_dump('_pulse.policies', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.handlers', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.namespaces', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.streams', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.limits', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.limit_events', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.routes', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.setting_definitions', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.settings', '');
SELECT pg_catalog.pg_extension_config_dump('_pulse.jobs', '');
SELECT pg_catalog.pg_extension_config_dump('_pulse.job_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('_pulse.devices', '');
SELECT pg_catalog.pg_extension_config_dump('_pulse.dead_letters', '');
SELECT pg_catalog.pg_extension_config_dump('_pulse.queues', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.queue_states', '');
SELECT pg_catalog.pg_extension_config_dump('_pulse.job_kinds', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.queue_origin', '');
-- So that an event's id, which applications may keep, never comes again where a dump is restored.
SELECT pg_catalog.pg_extension_config_dump('_pulse.event_id', '');
SELECT pg_catalog.pg_extension_config_dump('_pulse.revocations', '');
SELECT pg_catalog.pg_extension_config_dump('_pulse.last_seen', '');
SELECT pg_catalog.pg_extension_config_dump('_pulse.schedules', 'WHERE extension IS NULL');
