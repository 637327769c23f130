\set requester random(1, 100000)
INSERT INTO donors.blood_requests (requester_id, blood_group, urgency, latitude, longitude, country_code, hospital_name) VALUES ('r' || :requester, 'B-', 'normal', -44.9, -170.1, 'NZ', 'General');
