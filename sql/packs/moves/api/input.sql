-- What clients send, checked member by member. Each refusal says what is accepted.

CREATE OR REPLACE FUNCTION _moves.require_role(roles text[], what text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pulse.user_id() IS NULL THEN
        PERFORM pulse.fail('unauthenticated', 'this needs a user', 'Use a token that has the claim userId or sub.');
    END IF;
    IF NOT coalesce(pulse.claim('role') = ANY (require_role.roles), false) THEN
        PERFORM pulse.fail('forbidden', format('%s is for %s', require_role.what, array_to_string(require_role.roles, 's, ') || 's'),
            'The claim role of the token tells who one is.');
    END IF;
    RETURN pulse.user_id();
END
$$;
COMMENT ON FUNCTION _moves.require_role(text[], text) IS 'the user of this call when the claim role is one of these, or an error';

CREATE OR REPLACE FUNCTION _moves.require_object(args json, example text) RETURNS json
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF json_typeof(require_object.args -> 0) IS DISTINCT FROM 'object' THEN
        PERFORM pulse.fail('invalid', 'the argument must be an object', 'Send ' || require_object.example || '.');
    END IF;
    RETURN require_object.args -> 0;
END
$$;
COMMENT ON FUNCTION _moves.require_object(json, text) IS 'the event''s one argument when it is an object, or an error with an example';

CREATE OR REPLACE FUNCTION _moves.text_of(input json, name text, longest integer, required boolean) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_value text := text_of.input ->> text_of.name;
BEGIN
    IF v_value IS NULL AND NOT text_of.required THEN
        RETURN NULL;
    END IF;
    IF json_typeof(text_of.input -> text_of.name) IS DISTINCT FROM 'string' OR btrim(v_value) = '' OR length(v_value) > text_of.longest THEN
        PERFORM pulse.fail('invalid', format('%s must be a text of 1 to %s characters', text_of.name, text_of.longest),
            CASE WHEN text_of.required THEN 'It is needed.' ELSE 'Leave it out when there is none.' END);
    END IF;
    RETURN v_value;
END
$$;
COMMENT ON FUNCTION _moves.text_of(json, text, integer, boolean) IS 'a text of a client, null when it may be and is left out, or an error';

CREATE OR REPLACE FUNCTION _moves.number_of(input json, name text, low numeric, high numeric, required boolean) RETURNS double precision
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_value numeric;
BEGIN
    IF json_typeof(number_of.input -> number_of.name) = 'number' THEN
        v_value := (number_of.input ->> number_of.name)::numeric;
        IF v_value BETWEEN number_of.low AND number_of.high THEN
            RETURN v_value;
        END IF;
    ELSIF NOT number_of.required AND number_of.input ->> number_of.name IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM pulse.fail('invalid', format('%s must be a number from %s to %s', number_of.name, number_of.low, number_of.high),
        CASE WHEN number_of.required THEN 'Send {"latitude":19.076,"longitude":72.8777}: WGS 84 degrees.' ELSE 'Leave it out when it is not known.' END);
END
$$;
COMMENT ON FUNCTION _moves.number_of(json, text, numeric, numeric, boolean) IS 'a number of a client within bounds, null when it may be and is left out, or an error';

-- A time as clients write it: ISO 8601 with a zone, or milliseconds since 1970 as Date.now() gives them.
CREATE OR REPLACE FUNCTION _moves.time_of(input json, name text) RETURNS timestamptz
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_text text := time_of.input ->> time_of.name;
BEGIN
    IF v_text IS NULL THEN
        RETURN now();
    END IF;
    IF json_typeof(time_of.input -> time_of.name) = 'number' AND v_text::numeric BETWEEN 0 AND 4102444800000 THEN
        RETURN to_timestamp(v_text::double precision / 1000);
    END IF;
    IF v_text ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)$' THEN
        RETURN v_text::timestamptz;
    END IF;
    RAISE invalid_datetime_format;
EXCEPTION WHEN invalid_datetime_format OR datetime_field_overflow THEN
    PERFORM pulse.fail('invalid', format('%s must be a time', time_of.name),
        'Send ISO 8601 with a zone, such as 2026-01-05T10:00:00.000Z, or milliseconds since 1970, or leave it out.');
END
$$;
COMMENT ON FUNCTION _moves.time_of(json, text) IS 'a time of a client, now when it is left out, or an error';
