-- What pg_dump carries: every row that people wrote, and what waits for them.
SELECT pg_catalog.pg_extension_config_dump('moves.orders', '');
SELECT pg_catalog.pg_extension_config_dump('moves.porters', '');
SELECT pg_catalog.pg_extension_config_dump('moves.porter_positions', '');
SELECT pg_catalog.pg_extension_config_dump('moves.porter_track', '');
SELECT pg_catalog.pg_extension_config_dump('moves.porter_track_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('moves.job_offers', '');
SELECT pg_catalog.pg_extension_config_dump('moves.job_offer_porters', '');
SELECT pg_catalog.pg_extension_config_dump('moves.messages', '');
SELECT pg_catalog.pg_extension_config_dump('_moves.waiting', '');
SELECT pg_catalog.pg_extension_config_dump('_moves.subscriptions', '');
