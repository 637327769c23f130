-- Tokens: a login gives a short access token; the app exchanges it for a socket token and a reconnect token. Signed by the server's
-- own secret (pulse.mint_token), which is also the bridges'.

CREATE OR REPLACE FUNCTION moves.mint_access_token(user_id text, role text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF coalesce(mint_access_token.user_id, '') = '' OR NOT coalesce(mint_access_token.role IN ('customer', 'porter', 'admin'), false) THEN
        RAISE invalid_parameter_value USING MESSAGE = 'an access token has a user and a role',
            HINT = 'The roles are customer, porter and admin.';
    END IF;
    RETURN pulse.mint_token(json_build_object('userId', mint_access_token.user_id, 'role', mint_access_token.role), moves.access_token_ttl());
END
$$;
COMMENT ON FUNCTION moves.mint_access_token(text, text) IS
    'an access token for who has just signed in, good for the setting access_token_ttl; grant it to the role that signs people in';
REVOKE EXECUTE ON FUNCTION moves.mint_access_token(text, text) FROM PUBLIC;

-- What the access token says of its user goes into both tokens, and a device's id, by which a reconnect token finds what its device
-- watched. A socket token is not exchanged for another: who has no access token any more must sign in again.
CREATE OR REPLACE FUNCTION moves.post_socket_token(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_claims jsonb := pulse.claims()::jsonb - ARRAY['exp', 'nbf', 'iat', 'jti', 'use'];
BEGIN
    IF pulse.user_id() IS NULL OR pulse.claim('use') IS NOT NULL THEN
        PERFORM pulse.fail('forbidden', 'an access token is needed', 'A socket token cannot be exchanged for another one.');
    END IF;
    v_claims := jsonb_build_object('deviceId', gen_random_uuid()) || v_claims;
    RETURN pulse.http_response(201, json_build_object(
        'token', pulse.mint_token((v_claims || '{"use":"socket"}')::json, moves.socket_token_ttl()),
        'reconnectToken', pulse.mint_token((v_claims || '{"use":"reconnect"}')::json, moves.session_ttl()),
        'expiresAt', pulse.iso8601(now() + moves.socket_token_ttl())));
END
$$;
COMMENT ON FUNCTION moves.post_socket_token(json) IS
    'POST /api/v1/socket-token with an access token: 201 {token, reconnectToken, expiresAt}';
REVOKE EXECUTE ON FUNCTION moves.post_socket_token(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION moves.post_socket_token(json) TO pulse_client;
