-- Tokens made in SQL, for the users of an application that has authenticated them. docs/reference/tokens.md.

-- pulse.mint_token(claims json, ttl interval default '24 hours') returns text
-- Adds iat, exp (now and now + ttl) and jti unless the claims have them. With "use":"reconnect" it is a reconnect token.
CREATE OR REPLACE FUNCTION pulse.mint_token(claims json, ttl interval DEFAULT '24 hours') RETURNS text
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_mint_token';
COMMENT ON FUNCTION pulse.mint_token(json, interval) IS 'a token (JWT, HS256) signed with the secret in the file of pulse.jwt_secret_file';
REVOKE ALL ON FUNCTION pulse.mint_token(json, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.mint_token(json, interval) TO pulse_admin;
