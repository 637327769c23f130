-- What functions of packs and applications need to read what clients send and to answer them: docs/reference/input.md. A refusal is
-- pulse.fail with a message that names the member, and a hint that says what is accepted.

-- pulse.iso8601(at timestamptz) returns text
CREATE OR REPLACE FUNCTION pulse.iso8601(at timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT to_char(iso8601.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
END;
COMMENT ON FUNCTION pulse.iso8601(timestamptz) IS 'a time as events carry it: ISO 8601 in UTC with milliseconds and Z';
GRANT EXECUTE ON FUNCTION pulse.iso8601(timestamptz) TO PUBLIC;

-- pulse.to_uuid(value text) returns uuid
CREATE OR REPLACE FUNCTION pulse.to_uuid(value text) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN to_uuid.value ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN to_uuid.value::uuid END;
END;
COMMENT ON FUNCTION pulse.to_uuid(text) IS 'a UUID that a client sent; null when it is none';
GRANT EXECUTE ON FUNCTION pulse.to_uuid(text) TO PUBLIC;

-- pulse.to_time(value text) returns timestamptz
-- ISO 8601 with a zone, or a number of milliseconds since 1970, which is what Date.now() gives.
-- Not for parallel plans: PostgreSQL before 17 begins no subtransaction, which EXCEPTION is, in one.
CREATE OR REPLACE FUNCTION pulse.to_time(value text) RETURNS timestamptz
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_time.value ~ '^[0-9]{1,15}(\.[0-9]{1,20})?$' THEN
        RETURN to_timestamp(to_time.value::double precision / 1000);
    ELSIF to_time.value ~ '^[0-9]{4}-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9](:[0-9][0-9](\.[0-9]{1,20})?)?(Z|[+-][0-9][0-9]:?[0-9][0-9])$' THEN
        RETURN to_time.value::timestamptz;
    END IF;
    RETURN NULL;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;   -- the 30th of February
END
$$;
COMMENT ON FUNCTION pulse.to_time(text) IS 'a time that a client sent, ISO 8601 with a zone or milliseconds since 1970; null when it is none';
GRANT EXECUTE ON FUNCTION pulse.to_time(text) TO PUBLIC;

-- pulse.room_part(value text) returns text
-- As pulse.watch writes a value into a room's name: a colon in it begins no new part.
CREATE OR REPLACE FUNCTION pulse.room_part(value text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pulse_room_part';
COMMENT ON FUNCTION pulse.room_part(text) IS 'a value as a part of a room''s name, with colons, percent signs and control characters encoded';
GRANT EXECUTE ON FUNCTION pulse.room_part(text) TO PUBLIC;

-- pulse.require_user() returns text
CREATE OR REPLACE FUNCTION pulse.require_user() RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pulse.user_id() IS NULL THEN
        PERFORM pulse.fail('unauthenticated', 'this needs a user', 'Come with a token that has the claim userId or sub.');
    END IF;
    RETURN pulse.user_id();
END
$$;
COMMENT ON FUNCTION pulse.require_user() IS 'the verified user of the call, or an error for the client';
GRANT EXECUTE ON FUNCTION pulse.require_user() TO PUBLIC;

-- pulse.input_object(value json, example text) returns json
-- A text that looks like an object is one sent with another Content-Type, as curl -d does, or written as JSON twice.
CREATE OR REPLACE FUNCTION pulse.input_object(value json, example text) RETURNS json
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF json_typeof(input_object.value) IS DISTINCT FROM 'object' THEN
        PERFORM pulse.fail('invalid', 'what is sent must be a JSON object', 'Send ' || input_object.example || '.'
            || CASE WHEN input_object.value::text ~ '^\s*"\s*\{'
                    THEN ' It came as a text: send the object itself, over HTTP with Content-Type: application/json.' ELSE '' END);
    END IF;
    RETURN input_object.value;
END
$$;
COMMENT ON FUNCTION pulse.input_object(json, text) IS 'an object that a client sent, or an error with an example';
GRANT EXECUTE ON FUNCTION pulse.input_object(json, text) TO PUBLIC;

-- pulse.input_text(input json, name text, longest integer, required boolean) returns text
CREATE OR REPLACE FUNCTION pulse.input_text(input json, name text, longest integer, required boolean DEFAULT false) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_value text := input_text.input ->> input_text.name;
BEGIN
    IF v_value IS NULL AND NOT input_text.required THEN
        RETURN NULL;
    ELSIF json_typeof(input_text.input -> input_text.name) = 'string' AND v_value ~ '[^[:space:]]' AND length(v_value) <= input_text.longest THEN
        RETURN v_value;
    END IF;
    PERFORM pulse.fail('invalid', format('%s must be a text of 1 to %s characters', input_text.name, input_text.longest),
        CASE WHEN input_text.required THEN 'It is needed.' ELSE 'Leave it out when there is none.' END);
END
$$;
COMMENT ON FUNCTION pulse.input_text(json, text, integer, boolean) IS 'a text of a client, not only spaces; null when it may be and is left out, or an error';
GRANT EXECUTE ON FUNCTION pulse.input_text(json, text, integer, boolean) TO PUBLIC;

-- pulse.input_number(input json, name text, lowest numeric, highest numeric, required boolean) returns double precision
-- By its text first: numbers that no numeric or double precision can hold are refused like others out of bounds.
CREATE OR REPLACE FUNCTION pulse.input_number(input json, name text, lowest numeric, highest numeric, required boolean DEFAULT false)
    RETURNS double precision
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_text text := input_number.input ->> input_number.name;
BEGIN
    IF v_text IS NULL AND NOT input_number.required THEN
        RETURN NULL;
    ELSIF json_typeof(input_number.input -> input_number.name) = 'number' AND length(v_text) <= 100 AND v_text !~ '[eE][+-]?[0-9]{3}'
      AND v_text::numeric BETWEEN input_number.lowest AND input_number.highest THEN
        RETURN v_text::numeric;
    END IF;
    PERFORM pulse.fail('invalid', format('%s must be a number from %s to %s', input_number.name, input_number.lowest, input_number.highest),
        CASE WHEN input_number.required THEN 'It is needed.' ELSE 'Leave it out when it is not known.' END);
END
$$;
COMMENT ON FUNCTION pulse.input_number(json, text, numeric, numeric, boolean) IS
    'a number of a client within bounds; null when it may be and is left out, or an error';
GRANT EXECUTE ON FUNCTION pulse.input_number(json, text, numeric, numeric, boolean) TO PUBLIC;

-- pulse.input_time(input json, name text, required boolean) returns timestamptz
CREATE OR REPLACE FUNCTION pulse.input_time(input json, name text, required boolean DEFAULT false) RETURNS timestamptz
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_text text := input_time.input ->> input_time.name;
    v_at   timestamptz;
BEGIN
    IF v_text IS NULL AND NOT input_time.required THEN
        RETURN NULL;
    END IF;
    v_at := pulse.to_time(v_text);
    IF v_at IS NULL THEN
        PERFORM pulse.fail('invalid', format('%s must be a time', input_time.name),
            'Send ISO 8601 with a zone, such as 2026-01-05T10:00:00.000Z, or milliseconds since 1970.');
    END IF;
    RETURN v_at;
END
$$;
COMMENT ON FUNCTION pulse.input_time(json, text, boolean) IS 'a time of a client; null when it may be and is left out, or an error';
GRANT EXECUTE ON FUNCTION pulse.input_time(json, text, boolean) TO PUBLIC;

-- pulse.input_choice(input json, name text, accepted text[], required boolean) returns text
CREATE OR REPLACE FUNCTION pulse.input_choice(input json, name text, accepted text[], required boolean DEFAULT false) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_value text := input_choice.input ->> input_choice.name;
BEGIN
    IF v_value IS NULL AND NOT input_choice.required THEN
        RETURN NULL;
    ELSIF json_typeof(input_choice.input -> input_choice.name) = 'string' AND v_value = ANY (input_choice.accepted) THEN
        RETURN v_value;
    END IF;
    PERFORM pulse.fail('invalid', format('%s must be one of %s', input_choice.name, array_to_string(input_choice.accepted, ', ')),
        CASE WHEN input_choice.required THEN 'It is needed.' ELSE 'Leave it out when there is none.' END);
END
$$;
COMMENT ON FUNCTION pulse.input_choice(json, text, text[], boolean) IS 'one of the accepted words; null when it may be and is left out, or an error';
GRANT EXECUTE ON FUNCTION pulse.input_choice(json, text, text[], boolean) TO PUBLIC;

-- pulse.page_size(request json, most integer, usual integer) returns integer
CREATE OR REPLACE FUNCTION pulse.page_size(request json, most integer, usual integer DEFAULT NULL) RETURNS integer
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_text text := page_size.request -> 'query' ->> 'limit';
BEGIN
    IF v_text IS NULL THEN
        RETURN coalesce(page_size.usual, page_size.most);
    ELSIF v_text ~ '^[0-9]{1,9}$' AND v_text::integer BETWEEN 1 AND page_size.most THEN
        RETURN v_text;
    END IF;
    PERFORM pulse.fail('invalid', format('limit must be a whole number from 1 to %s', page_size.most),
        format('Leave it out for %s.', coalesce(page_size.usual, page_size.most)));
END
$$;
COMMENT ON FUNCTION pulse.page_size(json, integer, integer) IS 'how many items a request asks for by ?limit=, or an error';
GRANT EXECUTE ON FUNCTION pulse.page_size(json, integer, integer) TO PUBLIC;
