-- What pg_dump carries: every row that people wrote.
SELECT pg_catalog.pg_extension_config_dump('care.families', '');
SELECT pg_catalog.pg_extension_config_dump('care.members', '');
SELECT pg_catalog.pg_extension_config_dump('care.channels', '');
SELECT pg_catalog.pg_extension_config_dump('care.care_recipients', '');
SELECT pg_catalog.pg_extension_config_dump('care.medications', '');
SELECT pg_catalog.pg_extension_config_dump('care.medication_logs', '');
SELECT pg_catalog.pg_extension_config_dump('care.shifts', '');
SELECT pg_catalog.pg_extension_config_dump('care.alerts', '');
SELECT pg_catalog.pg_extension_config_dump('care.messages', '');
SELECT pg_catalog.pg_extension_config_dump('care.reads', '');
