-- The routes of issues. Each changes the table as an application's SQL would; the events follow from that.

CREATE OR REPLACE FUNCTION campus.issue_json(target campus.issues) RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT json_build_object(
               'issueId', (issue_json.target).id,
               'id', (issue_json.target).id,
               'organizationId', (issue_json.target).organization_id,
               'campusId', (issue_json.target).campus_id,
               'buildingId', (issue_json.target).building_id,
               'title', (issue_json.target).title,
               'description', (issue_json.target).description,
               'category', (issue_json.target).category,
               'severity', (issue_json.target).severity,
               'status', (issue_json.target).status,
               'reportedBy', (issue_json.target).reported_by,
               'assignedTo', (issue_json.target).assigned_to,
               'latitude', (issue_json.target).latitude,
               'longitude', (issue_json.target).longitude,
               'createdAt', pulse.iso8601((issue_json.target).created_at),
               'updatedAt', pulse.iso8601((issue_json.target).updated_at),
               'resolvedAt', pulse.iso8601((issue_json.target).resolved_at));
END;
COMMENT ON FUNCTION campus.issue_json(campus.issues) IS 'an issue as clients read it';

CREATE OR REPLACE FUNCTION _campus.require_issue(request json, writes boolean) RETURNS campus.issues
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_id    text := require_issue.request -> 'params' ->> 'id';
    v_issue campus.issues;
BEGIN
    SELECT * INTO v_issue FROM campus.issues i WHERE i.id = pulse.to_uuid(v_id);
    IF FOUND AND require_issue.writes THEN
        PERFORM _campus.require_write(v_issue.organization_id);
        SELECT * INTO v_issue FROM campus.issues i WHERE i.id = v_issue.id FOR NO KEY UPDATE;   -- whoever deletes it meanwhile was first
        IF FOUND THEN
            PERFORM _campus.require_write(v_issue.organization_id);   -- or whoever gives its campus to another organization
        END IF;
    ELSIF FOUND THEN
        PERFORM _campus.require_access(v_issue.organization_id);
    END IF;
    IF v_issue.id IS NULL THEN
        PERFORM pulse.fail('not_found', format('there is no issue %s', v_id), 'It may have been deleted; its id is issueId in the events of issues.');
    END IF;
    RETURN v_issue;
END
$$;
COMMENT ON FUNCTION _campus.require_issue(json, boolean) IS 'the issue that a request names when who asks may read it, or change it and locked, or an error';

CREATE OR REPLACE FUNCTION campus.post_issue(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_input json := pulse.input_object(request -> 'body', '{"campusId":"…","title":"…"}');
    v_new   campus.issues := _campus.issue_of(v_input, true);
    v_own   text := coalesce(pulse.input_text(v_input, 'clientIssueId', 200), pulse.input_text(request -> 'headers', 'idempotency-key', 200));
    v_org   text := (SELECT c.organization_id FROM campus.campuses c WHERE c.id = v_new.campus_id);
    v_issue campus.issues;
BEGIN
    IF v_org IS NULL THEN
        PERFORM pulse.fail('invalid', format('there is no campus %s', v_new.campus_id), 'Send the campusId of a campus of your organization.');
    END IF;
    PERFORM _campus.require_write(v_org);
    PERFORM _campus.require_building(v_new.building_id, v_new.campus_id);
    INSERT INTO campus.issues (organization_id, campus_id, building_id, title, description, category, severity, status, reported_by,
                               assigned_to, latitude, longitude, client_issue_id)
    VALUES (v_org, v_new.campus_id, v_new.building_id, v_new.title, v_new.description, v_new.category, coalesce(v_new.severity, 'medium'),
            CASE WHEN v_new.assigned_to IS NULL THEN 'open' ELSE 'assigned' END, pulse.user_id(), v_new.assigned_to, v_new.latitude, v_new.longitude, v_own)
        ON CONFLICT (reported_by, client_issue_id) WHERE client_issue_id IS NOT NULL DO NOTHING
    RETURNING * INTO v_issue;
    IF v_issue.id IS NOT NULL THEN
        RETURN pulse.http_response(201, campus.issue_json(v_issue));
    END IF;
    SELECT * INTO v_issue FROM campus.issues i WHERE i.reported_by = pulse.user_id() AND i.client_issue_id = v_own;   -- sent again
    IF NOT FOUND THEN
        PERFORM pulse.fail('conflict', 'the issue is just being deleted', 'Send it again.');
    END IF;
    PERFORM _campus.require_write(v_issue.organization_id);
    RETURN campus.issue_json(v_issue);
END
$$;
COMMENT ON FUNCTION campus.post_issue(json) IS 'POST /api/issues {campusId, buildingId?, title, …, clientIssueId?}: 201 and the issue; again with the same clientIssueId: 200 and that one';

CREATE OR REPLACE FUNCTION campus.get_issue(request json) RETURNS json
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT campus.issue_json(_campus.require_issue(get_issue.request, false))
$$;
COMMENT ON FUNCTION campus.get_issue(json) IS 'GET /api/issues/{id}: the issue';

CREATE OR REPLACE FUNCTION campus.patch_issue(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_issue campus.issues := _campus.require_issue(request, true);
    v_input json := pulse.input_object(request -> 'body', '{"status":"in_progress"}');
    v_new   campus.issues := _campus.issue_of(v_input, false);
    v_names text[] := ARRAY(SELECT json_object_keys(v_input));
BEGIN
    IF NOT v_names && '{title,description,category,severity,status,buildingId,assignedTo,latitude,longitude}' THEN
        PERFORM pulse.fail('invalid', 'there is nothing to change',
            'Send title, description, category, severity, status, buildingId, assignedTo, or latitude and longitude.');
    END IF;
    PERFORM _campus.require_building(v_new.building_id, v_issue.campus_id);
    UPDATE campus.issues i
       SET title       = coalesce(v_new.title, i.title),
           description = CASE WHEN 'description' = ANY (v_names) THEN v_new.description ELSE i.description END,
           category    = CASE WHEN 'category' = ANY (v_names) THEN v_new.category ELSE i.category END,
           severity    = coalesce(v_new.severity, i.severity),
           status      = coalesce(v_new.status, i.status),
           building_id = CASE WHEN 'buildingId' = ANY (v_names) THEN v_new.building_id ELSE i.building_id END,
           assigned_to = CASE WHEN 'assignedTo' = ANY (v_names) THEN v_new.assigned_to ELSE i.assigned_to END,
           latitude    = CASE WHEN v_names && '{latitude,longitude}' THEN v_new.latitude ELSE i.latitude END,
           longitude   = CASE WHEN v_names && '{latitude,longitude}' THEN v_new.longitude ELSE i.longitude END
     WHERE i.id = v_issue.id
    RETURNING * INTO v_issue;
    RETURN campus.issue_json(v_issue);
END
$$;
COMMENT ON FUNCTION campus.patch_issue(json) IS 'PATCH /api/issues/{id}: changes what the body names; the issue';

CREATE OR REPLACE FUNCTION campus.delete_issue(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_issue campus.issues := _campus.require_issue(request, true);
BEGIN
    DELETE FROM campus.issues i WHERE i.id = v_issue.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION campus.delete_issue(json) IS 'DELETE /api/issues/{id}: 204';

CREATE OR REPLACE FUNCTION campus.resolve_issue(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_issue campus.issues := _campus.require_issue(request, true);
BEGIN
    UPDATE campus.issues i SET status = 'resolved' WHERE i.id = v_issue.id AND i.status <> 'resolved';     -- again: as it is
    SELECT * INTO v_issue FROM campus.issues i WHERE i.id = v_issue.id;
    RETURN campus.issue_json(v_issue);
END
$$;
COMMENT ON FUNCTION campus.resolve_issue(json) IS 'POST /api/issues/{id}/resolve: the issue, resolved';

CREATE OR REPLACE FUNCTION campus.assign_issue(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_issue    campus.issues := _campus.require_issue(request, true);
    v_assignee text := pulse.input_text(pulse.input_object(request -> 'body', '{"assignedTo":"…"}'), 'assignedTo', 200, true);
BEGIN
    UPDATE campus.issues i SET assigned_to = v_assignee, status = CASE i.status WHEN 'open' THEN 'assigned' ELSE i.status END
     WHERE i.id = v_issue.id
    RETURNING * INTO v_issue;
    RETURN campus.issue_json(v_issue);
END
$$;
COMMENT ON FUNCTION campus.assign_issue(json) IS 'POST /api/issues/{id}/assign {assignedTo}: the issue; an open one becomes assigned';

REVOKE EXECUTE ON FUNCTION campus.post_issue(json), campus.get_issue(json), campus.patch_issue(json), campus.delete_issue(json),
    campus.resolve_issue(json), campus.assign_issue(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION campus.post_issue(json), campus.get_issue(json), campus.patch_issue(json), campus.delete_issue(json),
    campus.resolve_issue(json), campus.assign_issue(json) TO pulse_client;
