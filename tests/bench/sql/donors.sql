-- A hundred donors around one place, each with a device.
CREATE EXTENSION pulse_donors CASCADE;
INSERT INTO donors.donors (user_id, blood_group, country_code) SELECT 'donor ' || n, 'O-', 'IN' FROM generate_series(1, 100) AS n;
INSERT INTO donors.presence (user_id, latitude, longitude) SELECT 'donor ' || n, 19.076 + n / 10000.0, 72.8777 FROM generate_series(1, 100) AS n;
INSERT INTO donors.device_tokens (token, user_id, device_type) SELECT 'device-' || n, 'donor ' || n, 'android' FROM generate_series(1, 100) AS n;
ANALYZE;
-- As it comes, but for the window: not a minute between two requests, each of which fills it.
SELECT pulse.configure_queue('emergency-notifications', rate => 100, per => '2 s');
