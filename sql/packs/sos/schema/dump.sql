-- What pg_dump carries: every row that people wrote.
SELECT pg_catalog.pg_extension_config_dump('sos.cases', '');
SELECT pg_catalog.pg_extension_config_dump('sos.participants', '');
SELECT pg_catalog.pg_extension_config_dump('sos.positions', '');
SELECT pg_catalog.pg_extension_config_dump('sos.positions_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('sos.messages', '');
