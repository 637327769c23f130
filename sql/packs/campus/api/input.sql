-- What clients send about an issue, checked member by member. Each refusal says what is accepted.

CREATE OR REPLACE FUNCTION _campus.require_body(request json) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF json_typeof(require_body.request -> 'body') IS DISTINCT FROM 'object' THEN
        PERFORM pulse.fail('invalid', 'the body must be a JSON object', 'Send it with Content-Type: application/json.');
    END IF;
    RETURN (require_body.request -> 'body')::jsonb;
END
$$;
COMMENT ON FUNCTION _campus.require_body(json) IS 'the body of a request when it is an object, or an error';

CREATE OR REPLACE FUNCTION _campus.text_of(input jsonb, name text, longest integer, required boolean) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_value text := text_of.input ->> text_of.name;
BEGIN
    IF v_value IS NULL AND NOT text_of.required THEN
        RETURN NULL;
    END IF;
    IF jsonb_typeof(text_of.input -> text_of.name) IS DISTINCT FROM 'string' OR btrim(v_value) = '' OR length(v_value) > text_of.longest THEN
        PERFORM pulse.fail('invalid', format('%s must be a text of 1 to %s characters', text_of.name, text_of.longest),
            CASE WHEN text_of.required THEN 'It is needed.' ELSE 'Leave it out when there is none.' END);
    END IF;
    RETURN v_value;
END
$$;
COMMENT ON FUNCTION _campus.text_of(jsonb, text, integer, boolean) IS 'a text of a client, null when it may be and is left out, or an error';

CREATE OR REPLACE FUNCTION _campus.one_of(input jsonb, name text, accepted text[]) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_value text := one_of.input ->> one_of.name;
BEGIN
    IF one_of.input ? one_of.name AND NOT coalesce(v_value = ANY (one_of.accepted), false) THEN
        PERFORM pulse.fail('invalid', format('%s must be one of %s', one_of.name, array_to_string(one_of.accepted, ', ')), 'Leave it out to keep what it is.');
    END IF;
    RETURN v_value;
END
$$;
COMMENT ON FUNCTION _campus.one_of(jsonb, text, text[]) IS 'one of the accepted values, null when it is left out, or an error';

CREATE OR REPLACE FUNCTION _campus.degrees_of(input jsonb, name text, bound integer) RETURNS double precision
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_value numeric;
BEGIN
    IF jsonb_typeof(degrees_of.input -> degrees_of.name) = 'number' THEN
        v_value := (degrees_of.input ->> degrees_of.name)::numeric;
        IF v_value BETWEEN -degrees_of.bound AND degrees_of.bound THEN
            RETURN v_value;
        END IF;
    ELSIF degrees_of.input ->> degrees_of.name IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM pulse.fail('invalid', format('%s must be a number from -%s to %s', degrees_of.name, degrees_of.bound, degrees_of.bound),
        'Positions are WGS 84 degrees, such as latitude 19.076, longitude 72.8777.');
END
$$;
COMMENT ON FUNCTION _campus.degrees_of(jsonb, text, integer) IS 'latitude or longitude of a client, null when it is left out, or an error';

-- All that a client may say about an issue; members that it does not name are null.
CREATE OR REPLACE FUNCTION _campus.issue_of(input jsonb, created boolean) RETURNS campus.issues
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_issue campus.issues;
BEGIN
    v_issue.title := _campus.text_of(input, 'title', 200, created OR input ? 'title');
    v_issue.description := _campus.text_of(input, 'description', 10000, false);
    v_issue.category := _campus.text_of(input, 'category', 100, false);
    v_issue.severity := _campus.one_of(input, 'severity', '{low,medium,high,critical}');
    v_issue.status := CASE WHEN NOT created THEN _campus.one_of(input, 'status', '{open,assigned,in_progress,resolved}') END;
    v_issue.campus_id := CASE WHEN created THEN _campus.text_of(input, 'campusId', 200, true) END;
    v_issue.building_id := _campus.text_of(input, 'buildingId', 200, false);
    v_issue.assigned_to := _campus.text_of(input, 'assignedTo', 200, false);
    v_issue.latitude := _campus.degrees_of(input, 'latitude', 90);
    v_issue.longitude := _campus.degrees_of(input, 'longitude', 180);
    IF (v_issue.latitude IS NULL) <> (v_issue.longitude IS NULL) THEN
        PERFORM pulse.fail('invalid', 'latitude and longitude go together', 'Send both, or neither.');
    END IF;
    RETURN v_issue;
END
$$;
COMMENT ON FUNCTION _campus.issue_of(jsonb, boolean) IS 'the members of an issue that a client sent, or an error';

CREATE OR REPLACE FUNCTION _campus.require_building(building text, campus text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF require_building.building IS NOT NULL
       AND NOT EXISTS (SELECT FROM campus.buildings b WHERE b.id = require_building.building AND b.campus_id = require_building.campus) THEN
        PERFORM pulse.fail('invalid', format('there is no building %s on this campus', require_building.building), 'Send the buildingId of a building of the campus, or leave it out.');
    END IF;
END
$$;
COMMENT ON FUNCTION _campus.require_building(text, text) IS 'an error when a building is not one of the campus';
