-- What pg_dump carries: every row that people wrote.
SELECT pg_catalog.pg_extension_config_dump('donors.donors', '');
SELECT pg_catalog.pg_extension_config_dump('donors.device_tokens', '');
SELECT pg_catalog.pg_extension_config_dump('donors.presence', '');
SELECT pg_catalog.pg_extension_config_dump('donors.hospitals', '');
SELECT pg_catalog.pg_extension_config_dump('donors.blood_inventory', '');
SELECT pg_catalog.pg_extension_config_dump('donors.blood_requests', '');
SELECT pg_catalog.pg_extension_config_dump('donors.blood_request_responses', '');
SELECT pg_catalog.pg_extension_config_dump('_donors.fan_outs', '');
SELECT pg_catalog.pg_extension_config_dump('donors.notifications', '');
