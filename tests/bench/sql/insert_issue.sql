\set campus random(1, 20)
\set building random(1, 200)
INSERT INTO bench.issues (campus_id, building_id, title) VALUES ('c' || :campus, 'b' || :building, 'The light on the second floor does not work');
