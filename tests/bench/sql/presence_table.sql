\set who random(1, 10000)
INSERT INTO bench.presence AS p (user_id, room, state, expires_at) VALUES ('u' || :who::text, 'room ' || :who % 100, json_build_object('n', nextval('bench.presence_states')), clock_timestamp() + interval '30 minutes') ON CONFLICT (user_id, room) DO UPDATE SET state = excluded.state, expires_at = excluded.expires_at;
