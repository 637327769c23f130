-- What clients send about an issue, checked member by member. Each refusal says what is accepted.

-- All that a client may say about an issue; members that it does not name are null.
CREATE OR REPLACE FUNCTION _campus.issue_of(input json, created boolean) RETURNS campus.issues
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_issue campus.issues;
BEGIN
    v_issue.title := pulse.input_text(input, 'title', 200, created OR input -> 'title' IS NOT NULL);
    v_issue.description := pulse.input_text(input, 'description', 10000, false);
    v_issue.category := pulse.input_text(input, 'category', 100, false);
    v_issue.severity := pulse.input_choice(input, 'severity', '{low,medium,high,critical}', input -> 'severity' IS NOT NULL);
    v_issue.status := CASE WHEN NOT created THEN pulse.input_choice(input, 'status', '{open,assigned,in_progress,resolved}', input -> 'status' IS NOT NULL) END;
    v_issue.campus_id := CASE WHEN created THEN pulse.input_text(input, 'campusId', 200, true) END;
    v_issue.building_id := pulse.input_text(input, 'buildingId', 200, false);
    v_issue.assigned_to := pulse.input_text(input, 'assignedTo', 200, false);
    v_issue.latitude := pulse.input_number(input, 'latitude', -90, 90);
    v_issue.longitude := pulse.input_number(input, 'longitude', -180, 180);
    IF (v_issue.latitude IS NULL) <> (v_issue.longitude IS NULL) THEN
        PERFORM pulse.fail('invalid', 'latitude and longitude go together', 'Send both, or neither.');
    END IF;
    RETURN v_issue;
END
$$;
COMMENT ON FUNCTION _campus.issue_of(json, boolean) IS 'the members of an issue that a client sent, or an error';

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
