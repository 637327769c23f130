-- schema/: an INSERT with what the caller knows is enough; what makes no sense is refused by a named constraint.
BEGIN;
SELECT plan(56);

CREATE FUNCTION pg_temp.refused(statement text, constraint_name text, description text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_constraint text;
BEGIN
    EXECUTE statement;
    RETURN fail(description);
EXCEPTION WHEN integrity_constraint_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    RETURN is(v_constraint, constraint_name, description);
END
$$;

-- donors, device_tokens
SELECT columns_are('donors', 'donors', ARRAY['user_id', 'name', 'phone', 'blood_group', 'country_code', 'last_donation_at', 'created_at']);
SELECT lives_ok($$INSERT INTO donors.donors (user_id, blood_group, country_code) VALUES ('d1', 'O-', 'IN'), ('d2', 'AB+', 'IN')$$,
    'D1: a donor needs an id, a group and a country');
SELECT isnt((SELECT created_at FROM donors.donors WHERE user_id = 'd1'), NULL, 'D1: created_at is filled');
SELECT pg_temp.refused($$INSERT INTO donors.donors (user_id, blood_group, country_code) VALUES ('d1', 'O-', 'IN')$$, 'donors_pkey', 'D1: one row a user');
SELECT pg_temp.refused($$INSERT INTO donors.donors (user_id, blood_group, country_code) VALUES ('', 'O-', 'IN')$$, 'donors_user_id_check', 'D1: an empty user id is refused');
SELECT pg_temp.refused($$INSERT INTO donors.donors (user_id, blood_group, country_code) VALUES ('x', 'C+', 'IN')$$, 'donors_blood_group_check', 'D1: an unknown blood group is refused');
SELECT pg_temp.refused($$INSERT INTO donors.donors (user_id, blood_group, country_code) VALUES ('x', 'O-', 'in')$$, 'donors_country_code_check', 'D1: a country is two capitals');
SELECT pg_temp.refused($$INSERT INTO donors.donors (user_id, blood_group, country_code, phone) VALUES ('x', 'O-', 'IN', '0987654321')$$, 'donors_phone_check', 'D1: a phone is E.164');
SELECT throws_ok($$INSERT INTO donors.donors (user_id, country_code) VALUES ('x', 'IN')$$, '23502', NULL, 'D1: a donor has a blood group');
SELECT lives_ok($$INSERT INTO donors.device_tokens (token, user_id, token_type, device_type) VALUES ('t1', 'd1', 'fcm', 'android')$$, 'D1: a device token');
SELECT pg_temp.refused($$INSERT INTO donors.device_tokens (token, user_id, device_type) VALUES ('t1', 'd2', 'ios')$$, 'device_tokens_pkey', 'D1: a token belongs to one device');
SELECT pg_temp.refused($$INSERT INTO donors.device_tokens (token, user_id, token_type, device_type) VALUES ('t2', 'd1', 'apns', 'ios')$$, 'device_tokens_token_type_check', 'D1: tokens are of FCM');
SELECT pg_temp.refused($$INSERT INTO donors.device_tokens (token, user_id, device_type) VALUES ('t2', 'd1', 'fridge')$$, 'device_tokens_device_type_check', 'D1: devices are android, ios, web');

-- presence
SELECT lives_ok($$INSERT INTO donors.presence (user_id, latitude, longitude) VALUES ('d1', 19.0760, 72.8777)$$, 'D5: presence of a donor needs a position');
SELECT results_eq($$SELECT is_available, blood_group, country_code, antigens, rh_negative FROM donors.presence WHERE user_id = 'd1'$$,
    $$VALUES (true, 'O-', 'IN', 0, true)$$, 'D5: group and country come from the donor''s row');
SELECT is((SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = 'donors.presence'::regclass AND a.attname IN
              ('user_id', 'is_available', 'latitude', 'longitude', 'country_code', 'blood_group', 'socket_id', 'updated_at')),
    '{blood_group,country_code,is_available,latitude,longitude,socket_id,updated_at,user_id}'::text[], 'D5: presence has the columns of the contract');
SELECT is((SELECT relpersistence FROM pg_class WHERE oid = 'donors.presence'::regclass), 'p'::"char", 'D5: presence is a logged table');
SELECT col_type_is('donors', 'presence', 'position', 'geography(Point,4326)', 'D6: position is a PostGIS geography');
SELECT is((SELECT ST_AsText(position) FROM donors.presence WHERE user_id = 'd1'), 'POINT(72.8777 19.076)', 'D6: position follows latitude and longitude');
SELECT pg_temp.refused($$INSERT INTO donors.presence (user_id) VALUES ('d2')$$, 'presence_position_check', 'D5: nobody is available nowhere');
SELECT lives_ok($$INSERT INTO donors.presence (user_id, is_available) VALUES ('d2', false)$$, 'D5: somebody not available needs no position');
SELECT lives_ok($$INSERT INTO donors.presence (user_id, latitude, longitude, blood_group, country_code) VALUES ('elsewhere', 0, 0, 'B+', 'DE')$$,
    'D5: presence of somebody whose donor''s row is elsewhere');
SELECT throws_ok($$INSERT INTO donors.presence (user_id, latitude, longitude) VALUES ('nobody', 0, 0)$$, '23502', NULL, 'D5: without a donor''s row the group must be given');
SELECT pg_temp.refused($$UPDATE donors.presence SET latitude = 90.1 WHERE user_id = 'd1'$$, 'presence_latitude_check', 'D5: a latitude beyond the pole is refused');
SELECT pg_temp.refused($$UPDATE donors.presence SET longitude = 'NaN' WHERE user_id = 'd1'$$, 'presence_longitude_check', 'D5: NaN is no longitude');
UPDATE donors.donors SET blood_group = 'A+', country_code = 'DE' WHERE user_id = 'd1';
SELECT results_eq($$SELECT blood_group, country_code, antigens, rh_negative FROM donors.presence WHERE user_id = 'd1'$$,
    $$VALUES ('A+', 'DE', 5, false)$$, 'D5: presence follows a corrected group and country');
DELETE FROM donors.donors WHERE user_id = 'd1';
SELECT is_empty($$SELECT user_id FROM donors.presence WHERE user_id = 'd1' UNION ALL SELECT user_id FROM donors.device_tokens WHERE user_id = 'd1'$$,
    'D5: presence and tokens go with the donor');

-- hospitals, blood_inventory
SELECT lives_ok($$INSERT INTO donors.hospitals (id, name, country_code, latitude, longitude) VALUES ('00000000-0000-4000-8000-000000000001', 'H', 'IN', 19, 72)$$, 'D1: a hospital');
SELECT results_eq($$SELECT emergency, is_active FROM donors.hospitals WHERE name = 'H'$$, $$VALUES (false, true)$$, 'D1: a new hospital is active, without emergency service');
SELECT pg_temp.refused($$INSERT INTO donors.hospitals (name, country_code, latitude, longitude) VALUES ('', 'IN', 0, 0)$$, 'hospitals_name_check', 'D1: a hospital has a name');
SELECT pg_temp.refused($$INSERT INTO donors.hospitals (name, country_code, latitude, longitude) VALUES ('X', 'IND', 0, 0)$$, 'hospitals_country_code_check', 'D1: a hospital''s country is two capitals');
SELECT pg_temp.refused($$INSERT INTO donors.hospitals (name, country_code, latitude, longitude) VALUES ('X', 'IN', -91, 0)$$, 'hospitals_latitude_check', 'D1: a hospital is on the globe');
SELECT pg_temp.refused($$INSERT INTO donors.hospitals (name, country_code, latitude, longitude) VALUES ('X', 'IN', 0, 181)$$, 'hospitals_longitude_check', 'D1: a hospital''s longitude is at most 180');
SELECT lives_ok($$INSERT INTO donors.blood_inventory (hospital_id, blood_group, units) VALUES ('00000000-0000-4000-8000-000000000001', 'O-', 4)$$, 'D1: a stock of blood');
SELECT is((SELECT country_code FROM donors.blood_inventory), 'IN', 'D1: the stock knows its hospital''s country');
SELECT pg_temp.refused($$INSERT INTO donors.blood_inventory (hospital_id, blood_group, units) VALUES ('00000000-0000-4000-8000-000000000001', 'O-', 5)$$,
    'blood_inventory_hospital_id_blood_group_key', 'D1: one stock a hospital and group');
SELECT pg_temp.refused($$UPDATE donors.blood_inventory SET units = -1$$, 'blood_inventory_units_check', 'D1: no stock below zero');
SELECT pg_temp.refused($$UPDATE donors.blood_inventory SET blood_group = 'Z'$$, 'blood_inventory_blood_group_check', 'D1: a stock is of a known group');
SELECT pg_temp.refused($$INSERT INTO donors.blood_inventory (hospital_id, blood_group) VALUES (gen_random_uuid(), 'O-')$$, 'blood_inventory_hospital_id_fkey', 'D1: a stock belongs to a hospital');
UPDATE donors.hospitals SET country_code = 'DE' WHERE name = 'H';
SELECT is((SELECT country_code FROM donors.blood_inventory), 'DE', 'D1: the stock''s country follows the hospital''s');
UPDATE donors.blood_inventory SET country_code = 'FR';
SELECT is((SELECT country_code FROM donors.blood_inventory), 'DE', 'D1: the stock''s country is nobody''s choice');

-- blood_requests
SELECT lives_ok($$INSERT INTO donors.blood_requests (id, requester_id, blood_group, urgency, latitude, longitude, country_code)
                  VALUES ('00000000-0000-4000-8000-00000000000a', 'r1', 'O-', 'critical', 19.0760, 72.8777, 'IN')$$, 'D1: a request with what the caller knows');
SELECT results_eq($$SELECT units, radius_km, status, hospital_id FROM donors.blood_requests$$, $$VALUES (1, 25::float8, 'open', NULL::uuid)$$, 'D1: defaults of a request');
SELECT pulse.configure('donors', 'search_radius_km', '40');
INSERT INTO donors.blood_requests (requester_id, blood_group, latitude, longitude, country_code, hospital_id)
VALUES ('r2', 'O-', 1, 1, 'IN', '00000000-0000-4000-8000-000000000001');
SELECT results_eq($$SELECT urgency, radius_km, hospital_name FROM donors.blood_requests WHERE requester_id = 'r2'$$, $$VALUES ('normal', 40::float8, 'H')$$,
    'D1: radius from the setting, at once; the hospital''s name from its row');
SELECT pg_temp.refused($$UPDATE donors.blood_requests SET blood_group = '0-'$$, 'blood_requests_blood_group_check', 'D1: a request is for a known group');
SELECT pg_temp.refused($$UPDATE donors.blood_requests SET urgency = 'urgent'$$, 'blood_requests_urgency_check', 'D1: urgency is low, normal, high, critical');
SELECT pg_temp.refused($$UPDATE donors.blood_requests SET status = 'done'$$, 'blood_requests_status_check', 'D1: status is open, matched, fulfilled, cancelled, expired');
SELECT pg_temp.refused($$UPDATE donors.blood_requests SET units = 0$$, 'blood_requests_units_check', 'D1: a request is for a unit at least');
SELECT pg_temp.refused($$UPDATE donors.blood_requests SET radius_km = 0$$, 'blood_requests_radius_km_check', 'D1: a request has a radius');
SELECT pg_temp.refused($$UPDATE donors.blood_requests SET hospital_id = gen_random_uuid()$$, 'blood_requests_hospital_id_fkey', 'D1: a request''s hospital exists');

-- blood_request_responses
SELECT lives_ok($$INSERT INTO donors.blood_request_responses (request_id, donor_id, status) VALUES ('00000000-0000-4000-8000-00000000000a', 'elsewhere', 'accepted')$$, 'D1: a response');
SELECT ok((SELECT distance_km BETWEEN 8000 AND 8500 FROM donors.blood_request_responses), 'D1: the distance is filled from the presence');
SELECT pg_temp.refused($$INSERT INTO donors.blood_request_responses (request_id, donor_id) VALUES ('00000000-0000-4000-8000-00000000000a', 'elsewhere')$$,
    'blood_request_responses_request_id_donor_id_key', 'D1: one response a donor and request');
SELECT pg_temp.refused($$UPDATE donors.blood_request_responses SET status = 'maybe'$$, 'blood_request_responses_status_check', 'D1: status of a response');
SELECT pg_temp.refused($$UPDATE donors.blood_request_responses SET eta_minutes = -1$$, 'blood_request_responses_eta_minutes_check', 'D1: no arrival in the past');
DELETE FROM donors.blood_requests WHERE requester_id = 'r1';
SELECT is_empty('SELECT 1 FROM donors.blood_request_responses', 'D1: responses go with their request');

SELECT * FROM finish();
ROLLBACK;
