-- api/search.sql: donors.nearby against brute force, its plans, its edges. One seed, so that a failure can be repeated.
BEGIN;
SELECT plan(23);
SELECT setseed(0.42);

-- 3,000 donors: dense in five cities (many in one cell of the grid), along the antimeridian, around the poles, anywhere.
CREATE TEMPORARY TABLE places AS
SELECT n, CASE WHEN n % 10 < 4 THEN (ARRAY[19.076, 60.17, -33.87, 0.001, 78.22])[1 + n % 5] + (random() - 0.5) * 0.03
               WHEN n % 10 < 6 THEN -60 + random() * 120
               WHEN n % 10 < 7 THEN (90 - random() ^ 2 * 6) * (1 - 2 * (n / 10 % 2))
               ELSE degrees(asin(2 * random() - 1)) END AS latitude,
          CASE WHEN n % 10 < 4 THEN (ARRAY[72.8777, 24.94, 151.21, -0.001, 15.65])[1 + n % 5] + (random() - 0.5) * 0.03
               WHEN n % 10 < 6 THEN (CASE WHEN random() < 0.5 THEN 180 - random() * 2 ELSE -180 + random() * 2 END)
               ELSE random() * 360 - 180 END AS longitude,
          (ARRAY['O-', 'O+', 'A-', 'A+', 'B-', 'B+', 'AB-', 'AB+'])[1 + floor(random() * 8)::integer] AS blood_group
  FROM generate_series(1, 3000) n;
INSERT INTO donors.presence (user_id, is_available, latitude, longitude, country_code, blood_group, updated_at)
SELECT 'u' || n, random() < 0.8, latitude, longitude, 'IN', blood_group,
       now() - CASE WHEN random() < 0.9 THEN interval '1 min' ELSE interval '31 min' END
  FROM places;
ANALYZE donors.presence;

-- 1,000 searches around places where somebody is, from a street to the whole globe.
CREATE TEMPORARY TABLE searches AS
SELECT s.n, greatest(-90, least(90, p.latitude + (random() - 0.5) * 0.1)) AS latitude,
       greatest(-180, least(180, p.longitude + (random() - 0.5) * 0.1)) AS longitude,
       (ARRAY[0.3, 1, 5, 25, 25, 25, 100, 700, 5000, 21000])[1 + floor(random() * 10)::integer] AS radius_km,
       (ARRAY['O-', 'O+', 'A-', 'A+', 'B-', 'B+', 'AB-', 'AB+'])[1 + floor(random() * 8)::integer] AS blood_group,
       (ARRAY[1, 3, 10, 50, 50, 50, 400, NULL])[1 + floor(random() * 8)::integer] AS max_results
  FROM generate_series(1, 1000) s (n)
  JOIN places p ON p.n = 1 + (s.n * 7919) % 3000;
CREATE TEMPORARY TABLE answers AS
SELECT s.n,
       ARRAY(SELECT row(r.user_id, r.blood_group, r.distance_km)::text
               FROM donors.nearby(s.latitude, s.longitude, s.radius_km, s.blood_group, s.max_results) WITH ORDINALITY r ORDER BY r.ordinality) AS fast,
       ARRAY(SELECT row(b.user_id, b.blood_group, b.metres / 1000)::text
               FROM (SELECT p.user_id, p.blood_group, ST_Distance(p.position, ST_SetSRID(ST_MakePoint(s.longitude, s.latitude), 4326)::geography) AS metres
                       FROM donors.presence p
                      WHERE p.is_available AND p.updated_at > now() - interval '30 min' AND donors.can_give(p.blood_group, s.blood_group)) b
              WHERE b.metres <= s.radius_km * 1000
              ORDER BY b.metres, b.user_id LIMIT s.max_results) AS exact
  FROM searches s;
SELECT is((SELECT count(*) FROM answers), 1000::bigint, 'D6: 1,000 random searches');
SELECT is_empty($$SELECT s.*, a.fast, a.exact FROM answers a JOIN searches s USING (n) WHERE a.fast IS DISTINCT FROM a.exact LIMIT 3$$,
    'D6: all of them equal brute force: same donors, same order, exact geodesic distance');
SELECT cmp_ok((SELECT count(*) FROM answers WHERE exact <> '{}'), '>', 500::bigint, 'D6: and more than half of them find somebody');

-- What is inside.
SELECT is_empty($$SELECT 1 FROM donors.presence p
                   WHERE NOT EXISTS (SELECT FROM unnest(_donors.search_boxes(p.latitude, p.longitude, 0)) b WHERE p.hot_position <@ b)$$,
    'D6: every donor''s grid position lies in the box around the donor');
SELECT is((SELECT count(*) FROM donors.nearby(19.076, 72.8777, 25, 'AB+')), 50::bigint, 'D6: max_results is 50 when it is left out');
SELECT is((SELECT count(*) FROM donors.nearby(19.076, 72.8777, 25, 'AB+', 0)), 0::bigint, 'D6: max_results 0 finds nobody');
SELECT results_eq($$SELECT DISTINCT blood_group FROM donors.nearby(19.076, 72.8777, 25, 'O-', NULL)$$, $$VALUES ('O-')$$,
    'D6: an O- recipient gets O- donors alone');

-- Lifetime.
INSERT INTO donors.presence (user_id, latitude, longitude, country_code, blood_group, updated_at)
VALUES ('island', -25.06, -130.1, 'PN', 'O-', now() - interval '29 min 59 s');
SELECT is((SELECT user_id FROM donors.nearby(-25.06, -130.1, 25, 'O-')), 'island', 'D5: available for 30 min after the last update');
UPDATE donors.presence SET updated_at = now() - interval '30 min' WHERE user_id = 'island';
SELECT is_empty($$SELECT * FROM donors.nearby(-25.06, -130.1, 25, 'O-')$$, 'D5: gone after 30 min');
SELECT pulse.configure('donors', 'presence_ttl', '1 hour');
SELECT isnt_empty($$SELECT * FROM donors.nearby(-25.06, -130.1, 25, 'O-')$$, 'D5: the setting presence_ttl is effective at once');
SELECT is_empty($$SELECT * FROM donors.nearby(-25.06, 130.1, 25, 'O-')$$, 'D6: nobody on the other side of the globe');
UPDATE donors.presence SET is_available = false WHERE user_id = 'island';
SELECT is_empty($$SELECT * FROM donors.nearby(-25.06, -130.1, 25, 'O-')$$, 'D5: is_available false ends it at once');
SELECT pulse.configure('donors', 'presence_ttl', NULL);

-- Bad arguments.
SELECT throws_ok($$SELECT * FROM donors.nearby(19, 72, 25, 'C+')$$, '22023', 'invalid blood group: ''C+''', 'D6: an unknown group is refused');
SELECT throws_ok($$SELECT * FROM donors.nearby(19, 72, 25, NULL)$$, '22023', 'invalid blood group: null', 'D6: no group is refused');
SELECT throws_ok($$SELECT * FROM donors.nearby(91, 72, 25, 'O+')$$, '22023', 'invalid position: latitude 91, longitude 72', 'D6: a position off the globe is refused');
SELECT throws_ok($$SELECT * FROM donors.nearby(19, 72, 'NaN', 'O+')$$, '22023', 'invalid radius_km: NaN', 'D6: a radius that is no number is refused');
SELECT throws_ok($$SELECT * FROM donors.nearby(19, 72, -1, 'O+')$$, '22023', 'invalid radius_km: -1', 'D6: a negative radius is refused');
SELECT throws_ok($$SELECT * FROM donors.nearby(19, 72, 25, 'O+', -1)$$, '22023', 'invalid max_results: -1', 'D6: a negative max_results is refused');

-- Plans at 100,000 donors, of which 40 % are available.
TRUNCATE donors.presence;
INSERT INTO donors.presence (user_id, is_available, latitude, longitude, country_code, blood_group)
SELECT 'p' || n, n % 5 < 2, 19.076 + (random() + random() + random() - 1.5) * 0.5, 72.8777 + (random() + random() + random() - 1.5) * 0.5, 'IN',
       (ARRAY['O+', 'B+', 'A+', 'AB+', 'O+', 'B+', 'A+', 'O-', 'O+', 'B+', 'A+', 'B-', 'O+', 'B+', 'A-', 'AB-'])[1 + floor(random() * 16)::integer]
  FROM generate_series(1, 100000) n;
ANALYZE donors.presence;
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query;
END
$$;
SELECT ok(bool_or(l ~ 'Index Scan using presence_hot_position_available_idx') AND bool_or(l ~ 'Order By: \(hot_position <->') AND NOT bool_or(l ~ 'Seq Scan'),
    'D6: at 100,000 donors a spatial index in order of distance and no sequential scan')
  FROM pg_temp.plan_of($$SELECT * FROM donors.nearby(19.076, 72.8777, 25, 'AB+')$$) l;
PREPARE search (double precision, double precision, double precision, text, integer) AS SELECT * FROM donors.nearby($1, $2, $3, $4, $5);
SET LOCAL plan_cache_mode = force_generic_plan;
SELECT ok(bool_or(l ~ 'Index Scan using presence_hot_position_available_idx') AND bool_or(l ~ 'Index Scan using presence_hot_position_rh_negative_idx')
          AND NOT bool_or(l ~ 'Seq Scan'), 'D6: the one generic plan of a prepared search holds both indexes')
  FROM pg_temp.plan_of($$EXECUTE search(19.076, 72.8777, 25, 'AB+', 50)$$) l;
CREATE FUNCTION pg_temp.sequential_scans() RETURNS bigint LANGUAGE sql AS
    $$SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relid = 'donors.presence'::regclass$$;
CREATE TEMPORARY TABLE before AS SELECT pg_temp.sequential_scans() AS scans;
SELECT count(*) FROM (SELECT 1 FROM donors.nearby(19.076, 72.8777, 25, 'O-')
    UNION ALL SELECT 1 FROM donors.nearby(19.076, 72.8777, 25, 'AB+', 50)   -- dense: measured again within the reach
    UNION ALL SELECT 1 FROM donors.nearby(0, 179.99, 25, 'AB+')             -- two boxes
    UNION ALL SELECT 1 FROM donors.nearby(89.9, 0, 25, 'O-')) s \g /dev/null
SELECT is(pg_temp.sequential_scans(), (SELECT scans FROM before), 'D6: no search scanned the table, at the antimeridian and the pole neither');
SELECT ok((SELECT bool_and(am.amname IN ('gist', 'spgist')) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
            WHERE i.indrelid = 'donors.presence'::regclass AND c.relname LIKE 'presence_hot_position%'), 'D6: both are spatial indexes');
SELECT ok((SELECT count(*) > 0 FROM pg_index i WHERE i.indrelid = 'donors.presence'::regclass AND i.indpred IS NOT NULL)
      AND (SELECT bool_and(NOT (a.attnum = ANY (i.indkey))) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'updated_at'
            WHERE i.indrelid = 'donors.presence'::regclass), 'D5: updated_at is in no index, a sign of life stays in its page');

SELECT * FROM finish();
ROLLBACK;
