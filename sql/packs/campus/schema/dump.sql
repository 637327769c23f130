-- What pg_dump carries: every row that people wrote. What was told of them last, and who looks (_campus.refreshes,
-- _campus.repeats), belongs to this cluster.
SELECT pg_catalog.pg_extension_config_dump('campus.organizations', '');
SELECT pg_catalog.pg_extension_config_dump('campus.campuses', '');
SELECT pg_catalog.pg_extension_config_dump('campus.buildings', '');
SELECT pg_catalog.pg_extension_config_dump('campus.members', '');
SELECT pg_catalog.pg_extension_config_dump('campus.issues', '');
SELECT pg_catalog.pg_extension_config_dump('campus.maintenance_alerts', '');
