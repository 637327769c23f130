\set room random(0, 3)
INSERT INTO bench.messages (room, body) VALUES ('r' || :room, 'ring the bell twice and wait at the gate');
