-- What clients send, checked. A refusal raises an error of class PL with a hint, which the client gets in its ack or answer.

CREATE OR REPLACE FUNCTION _care.require_object(value json, example text) RETURNS json
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
COMMENT ON FUNCTION _care.require_object(json, text) IS 'an object that a client sent, or an error with an example';

CREATE OR REPLACE FUNCTION _care.string(input json, name text, most integer, needed boolean DEFAULT false) RETURNS text
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
COMMENT ON FUNCTION _care.string(json, text, integer, boolean) IS 'a text of a client, null when it is left out and not needed, or an error';

CREATE OR REPLACE FUNCTION _care.time(input json, name text) RETURNS timestamptz
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF coalesce(json_typeof("time".input -> "time".name), 'null') = 'null' THEN
        RETURN NULL;
    ELSIF _care.to_time("time".input ->> "time".name) IS NULL THEN
        PERFORM pulse.fail('invalid', format('%s must be a time', "time".name), 'Send ISO 8601 with a zone, such as 2026-01-05T08:00:00Z, or milliseconds since 1970.');
    END IF;
    RETURN _care.to_time("time".input ->> "time".name);
END
$$;
COMMENT ON FUNCTION _care.time(json, text) IS 'a time of a client, null when it is left out, or an error';

CREATE OR REPLACE FUNCTION _care.page_size(request json, most integer) RETURNS integer
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_text text := request -> 'query' ->> 'limit';
BEGIN
    IF v_text IS NULL THEN
        RETURN page_size.most;
    ELSIF v_text ~ '^[0-9]{1,6}$' AND v_text::integer BETWEEN 1 AND page_size.most THEN
        RETURN v_text::integer;
    END IF;
    PERFORM pulse.fail('invalid', format('limit must be a whole number from 1 to %s', page_size.most));
END
$$;
COMMENT ON FUNCTION _care.page_size(json, integer) IS 'limit of a request''s query, or an error';
