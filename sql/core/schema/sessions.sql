-- Sessions of clients, so that any bridge can continue any of them; the bridges that hold them; tokens that count no more.
-- A connect inserts one row, joins update it in place; end and takeover move it in the index by bridge and end.
CREATE TABLE _pulse.sessions (
    key              text COLLATE "C" NOT NULL,
    pid_hash         bytea,
    user_id          text COLLATE "C",
    jti              text COLLATE "C",
    namespace        text COLLATE "C" NOT NULL,
    socket_id        text COLLATE "C" NOT NULL,
    bridge           text COLLATE "C" NOT NULL,
    generation       bigint NOT NULL DEFAULT 1,
    rooms            text[] COLLATE "C" NOT NULL,
    joined_at        bigint[] NOT NULL,
    epoch            text,
    position         bigint,
    decided_position bigint NOT NULL,
    evicted_position bigint NOT NULL DEFAULT 0,
    arrived_at       bigint NOT NULL DEFAULT 0,
    connected_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at         timestamptz,
    data             json,
    device           text,
    CONSTRAINT sessions_pkey PRIMARY KEY (key)
) WITH (fillfactor = 70, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX sessions_pid_hash_idx ON _pulse.sessions (pid_hash);
CREATE INDEX sessions_user_id_idx ON _pulse.sessions (user_id);
CREATE INDEX sessions_bridge_ended_at_idx ON _pulse.sessions (bridge, ended_at);

COMMENT ON TABLE _pulse.sessions IS 'sessions of clients, kept for a while after their end so that they can be continued';
COMMENT ON COLUMN _pulse.sessions.key IS 'pulse.session_id(), the same over reconnects';
COMMENT ON COLUMN _pulse.sessions.pid_hash IS 'sha256 of the secret that continues it; null when recovery is off';
COMMENT ON COLUMN _pulse.sessions.jti IS 'id of the token it connected with last';
COMMENT ON COLUMN _pulse.sessions.generation IS 'counts takeovers: what an earlier owner still says does not count';
COMMENT ON COLUMN _pulse.sessions.joined_at IS 'of each room: the position from which on its events are this session''s';
COMMENT ON COLUMN _pulse.sessions.position IS 'with epoch, the cursor that is used when the client has none: that of its connect';
COMMENT ON COLUMN _pulse.sessions.decided_position IS 'position of the last connect''s decision';
COMMENT ON COLUMN _pulse.sessions.evicted_position IS 'position of the last eviction that a bridge carried out on it';
COMMENT ON COLUMN _pulse.sessions.data IS 'pulse.session_data(): what connect functions gave, united';
COMMENT ON COLUMN _pulse.sessions.device IS 'what the client of the last connect calls itself';
COMMENT ON COLUMN _pulse.sessions.arrived_at IS 'when the client of the last connect stood at its bridge, in ms since 1970: one from before that comes too late';

CREATE TABLE _pulse.bridges (
    id         text COLLATE "C" NOT NULL,
    name       text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT bridges_pkey PRIMARY KEY (id)
) WITH (fillfactor = 50);
COMMENT ON TABLE _pulse.bridges IS 'bridges that run, or ran a while ago; each reports every few seconds';

-- When a session ended. That of a bridge not heard of for 15 s ended when it was last heard of: nobody else can say so. Nobody could
-- report while the server was down, so the time counts from its start.
CREATE VIEW _pulse.session_states AS
    SELECT s.key, s.pid_hash, s.user_id, s.jti, s.namespace, s.socket_id, s.bridge, s.generation, s.rooms, s.joined_at, s.epoch, s.position,
           s.decided_position, s.evicted_position, s.arrived_at, s.connected_at,
           CASE WHEN s.ended_at IS NOT NULL THEN s.ended_at
                ELSE (SELECT CASE WHEN heard.at < clock_timestamp() - interval '15 seconds' THEN heard.at END
                      FROM (SELECT greatest(b.seen_at, (SELECT e.opened_at FROM _pulse.epochs e ORDER BY e.number DESC LIMIT 1)) AS at
                            FROM _pulse.bridges b WHERE b.id = s.bridge) heard)
           END AS ended,
           s.ended_at, s.data, s.device
    FROM _pulse.sessions s;

CREATE TABLE _pulse.revocations (
    user_id    text COLLATE "C",
    jti        text COLLATE "C",
    revoked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    reason     text,
    CONSTRAINT revocations_key UNIQUE NULLS NOT DISTINCT (user_id, jti),
    CONSTRAINT revocations_subject_check CHECK (user_id IS NOT NULL OR jti IS NOT NULL)
);
CREATE INDEX revocations_jti_idx ON _pulse.revocations (jti);
CREATE INDEX revocations_expires_at_idx ON _pulse.revocations (expires_at);
COMMENT ON TABLE _pulse.revocations IS 'tokens that count no more: all of a user up to a time, or one by its id';
