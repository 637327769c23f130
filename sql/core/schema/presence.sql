-- Presence: which users are in which rooms. A session holds a lease in each room where it is tracked; leases change often and are
-- UNLOGGED: after a crash the bridges write theirs again. That a user is in a room at all, which has been announced by an event,
-- changes rarely and is logged, so that each join has its leave, whatever crashes. docs/reference/presence.md.
CREATE UNLOGGED TABLE _pulse.leases (
    user_id    text COLLATE "C" NOT NULL,
    room       text COLLATE "C" NOT NULL,
    session    text COLLATE "C" NOT NULL,
    bridge     text COLLATE "C",
    state      json NOT NULL,
    announce   boolean NOT NULL,
    ttl        interval,
    tracked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    gone_at    timestamptz,
    due_at     timestamptz,
    lapsed     boolean NOT NULL DEFAULT false,
    CONSTRAINT leases_pkey PRIMARY KEY (user_id, room, session)
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX leases_session_idx ON _pulse.leases (session);
CREATE INDEX leases_due_at_idx ON _pulse.leases (due_at) WHERE due_at IS NOT NULL;
COMMENT ON TABLE _pulse.leases IS 'sessions that are tracked in a room, each with its state; empty after a crash until the bridges have reported';
COMMENT ON COLUMN _pulse.leases.bridge IS 'the bridge whose silence ends it; null: none';
COMMENT ON COLUMN _pulse.leases.announce IS 'was it ever tracked with events? Then its coming back is announced too';
COMMENT ON COLUMN _pulse.leases.expires_at IS 'end of its ttl; -infinity: the session has left the room';
COMMENT ON COLUMN _pulse.leases.gone_at IS 'when its session''s connection ended; null while it is there';
COMMENT ON COLUMN _pulse.leases.due_at IS 'not before this time there is anything to do about it';
COMMENT ON COLUMN _pulse.leases.lapsed IS 'does not count any more; kept for a session that can be continued';

CREATE UNLOGGED TABLE _pulse.lease_bridges (
    bridge   text COLLATE "C" NOT NULL,
    complete boolean NOT NULL,
    token    text NOT NULL DEFAULT gen_random_uuid()::text,
    CONSTRAINT lease_bridges_pkey PRIMARY KEY (bridge)
);
COMMENT ON COLUMN _pulse.lease_bridges.token IS 'named by a bridge that is complete: what it wrote before another crash would not be all';
COMMENT ON TABLE _pulse.lease_bridges IS 'bridges with leases. Empty after a crash: whoever is not complete writes all of its leases; the row '''' says that this has ended';

CREATE TABLE _pulse.presences (
    room      text COLLATE "C" NOT NULL,
    user_id   text COLLATE "C" NOT NULL,
    since     timestamptz NOT NULL DEFAULT clock_timestamp(),
    announced boolean NOT NULL,
    CONSTRAINT presences_pkey PRIMARY KEY (room, user_id)
);
COMMENT ON TABLE _pulse.presences IS 'users who are in a room; there is a row exactly from presence:join to presence:leave';
COMMENT ON COLUMN _pulse.presences.announced IS 'presence:join was published, so presence:leave will be';

CREATE TABLE _pulse.last_seen (
    user_id text COLLATE "C" NOT NULL,
    at      timestamptz NOT NULL,
    CONSTRAINT last_seen_pkey PRIMARY KEY (user_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE _pulse.last_seen IS 'when users who were tracked were last there; written when they leave a room';
