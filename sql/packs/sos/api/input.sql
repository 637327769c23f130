-- What clients send, checked. A refusal raises an error of class PL with a hint, which the client gets in its ack or answer.

CREATE OR REPLACE FUNCTION _sos.require_user() RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pulse.user_id() IS NULL THEN
        PERFORM pulse.fail('unauthenticated', 'this needs a user', 'Come with a token that has the claim userId or sub.');
    END IF;
    RETURN pulse.user_id();
END
$$;
COMMENT ON FUNCTION _sos.require_user() IS 'the user of this call, or an error';

CREATE OR REPLACE FUNCTION _sos.role() RETURNS text
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(nullif(pulse.claim('role'), ''), 'citizen');
END;
COMMENT ON FUNCTION _sos.role() IS 'the claim role; citizen without one';

CREATE OR REPLACE FUNCTION _sos.require_object(value json, example text) RETURNS json
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF json_typeof(require_object.value) IS DISTINCT FROM 'object' THEN
        PERFORM pulse.fail('invalid', 'the argument must be an object', 'Send ' || require_object.example || '.');
    END IF;
    RETURN require_object.value;
END
$$;
COMMENT ON FUNCTION _sos.require_object(json, text) IS 'an object that a client sent, or an error with an example';

CREATE OR REPLACE FUNCTION _sos.number(input json, name text, lowest numeric, highest numeric) RETURNS double precision
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF coalesce(json_typeof(number.input -> number.name), 'null') = 'null' THEN
        RETURN NULL;
    ELSIF json_typeof(number.input -> number.name) = 'number' AND (number.input ->> number.name)::numeric BETWEEN number.lowest AND number.highest THEN
        RETURN (number.input ->> number.name)::numeric;
    END IF;
    PERFORM pulse.fail('invalid', format('%s must be a number from %s to %s', number.name, number.lowest, number.highest),
        'Positions are WGS 84 degrees, such as latitude 19.076, longitude 72.8777.');
END
$$;
COMMENT ON FUNCTION _sos.number(json, text, numeric, numeric) IS 'a number of a client, null when it is left out, or an error';

CREATE OR REPLACE FUNCTION _sos.string(input json, name text, most integer, needed boolean DEFAULT false) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT string.needed AND coalesce(json_typeof(string.input -> string.name), 'null') = 'null' THEN
        RETURN NULL;
    ELSIF json_typeof(string.input -> string.name) = 'string' AND length(string.input ->> string.name) BETWEEN 1 AND string.most THEN
        RETURN string.input ->> string.name;
    END IF;
    PERFORM pulse.fail('invalid', format('%s must be a text of 1 to %s characters', string.name, string.most),
        CASE WHEN string.needed THEN 'It is needed.' ELSE 'Leave it out when there is none.' END);
END
$$;
COMMENT ON FUNCTION _sos.string(json, text, integer, boolean) IS 'a text of a client, null when it is left out and not needed, or an error';

-- The case that an input is about: its sosId, else that of the token.
CREATE OR REPLACE FUNCTION _sos.sos_id(input json) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_id text := coalesce(_sos.string(sos_id.input, 'sosId', 200), pulse.claim('sosId'));
BEGIN
    IF v_id IS NULL OR v_id = '' OR octet_length(v_id) > 200 OR v_id ~ '[[:cntrl:]]' THEN
        PERFORM pulse.fail('invalid', 'sosId must be the id of a case', 'Send {"sosId":"…"}, or come with a token that has the claim sosId.');
    END IF;
    RETURN v_id;
END
$$;
COMMENT ON FUNCTION _sos.sos_id(json) IS 'sosId of a client''s input, else of its token, or an error';

CREATE OR REPLACE FUNCTION _sos.status(input json) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF coalesce(status.input ->> 'status', '') NOT IN ('open', 'assigned', 'en_route', 'on_scene', 'resolved', 'closed', 'cancelled') THEN
        PERFORM pulse.fail('invalid', 'there is no such status', 'It is open, assigned, en_route, on_scene, resolved, closed or cancelled.');
    END IF;
    RETURN status.input ->> 'status';
END
$$;
COMMENT ON FUNCTION _sos.status(json) IS 'status of an input, or an error';
