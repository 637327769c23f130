\set customer random(1, 100000)
\set region random(0, 3)
\set units random(1, 9)
INSERT INTO bench.orders (customer_id, region, units, latitude, longitude, note) VALUES ('c' || :customer, 'r' || :region, :units, 19.0760, 72.8777, 'ring the bell twice and wait at the gate');
