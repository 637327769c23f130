-- Taking a right away from who is connected now. Both commit with the caller's transaction and take effect at their position in
-- the order of events: what comes before is delivered, what comes after is not. docs/reference/evict.md.

-- pulse.evict(room text, user_id text default null, reason text default null) returns bigint
-- Takes a user's sessions, or with null everybody's, out of a room. It says nothing about tomorrow: that is the policy's.
CREATE OR REPLACE FUNCTION pulse.evict(room text, user_id text DEFAULT NULL, reason text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_evict';
COMMENT ON FUNCTION pulse.evict(text, text, text) IS 'takes a user''s sessions, or everybody''s, out of a room; returns the event''s id';
REVOKE ALL ON FUNCTION pulse.evict(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.evict(text, text, text) TO pulse_admin, pulse_publisher, pulse_client;

-- pulse.revoke(user_id text default null, jti text default null, expires_at timestamptz default null, reason text default null) returns bigint
-- Ends the sessions of a user, or of one token, and refuses its tokens until expires_at (in 24 hours when null). A token of the
-- user that was issued (iat) after this is good again.
CREATE OR REPLACE FUNCTION pulse.revoke(user_id text DEFAULT NULL, jti text DEFAULT NULL, expires_at timestamptz DEFAULT NULL,
                                        reason text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_revoke';
COMMENT ON FUNCTION pulse.revoke(text, text, timestamptz, text) IS 'ends a user''s or a token''s sessions and refuses the tokens; returns the event''s id';
REVOKE ALL ON FUNCTION pulse.revoke(text, text, timestamptz, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.revoke(text, text, timestamptz, text) TO pulse_admin, pulse_publisher;

-- pulse.bridge_revocations() returns json
-- [{"userId","jti","revokedAt","expiresAt"}, …], times in seconds since 1970.
CREATE OR REPLACE FUNCTION pulse.bridge_revocations() RETURNS json
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce(json_agg(json_build_object('userId', r.user_id, 'jti', r.jti, 'revokedAt', date_part('epoch', r.revoked_at),
                                               'expiresAt', date_part('epoch', r.expires_at))), '[]')
    FROM _pulse.revocations r WHERE r.expires_at > clock_timestamp();
END;
COMMENT ON FUNCTION pulse.bridge_revocations() IS 'bridge: tokens that count no more';
REVOKE ALL ON FUNCTION pulse.bridge_revocations() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.bridge_revocations() TO pulse_bridge;
