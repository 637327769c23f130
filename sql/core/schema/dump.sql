-- What pg_dump carries: what the application registered or configured, and its jobs. Log data is not dumped.
SELECT pg_catalog.pg_extension_config_dump('_pulse.policies', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.handlers', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.namespaces', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.setting_definitions', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.settings', '');
SELECT pg_catalog.pg_extension_config_dump('_pulse.jobs', '');
SELECT pg_catalog.pg_extension_config_dump('_pulse.job_id_seq', '');
