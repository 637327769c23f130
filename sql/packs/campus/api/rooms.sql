-- Who may be in which room, and the event subscribe, which joins rooms by the ids of what they tell of.

CREATE OR REPLACE FUNCTION campus.may_join_organization(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT _campus.role_in(may_join_organization.params ->> 'id') IS NOT NULL
$$;
COMMENT ON FUNCTION campus.may_join_organization(json, text, json) IS 'policy: org:{id} and heatmap:{id} for the organization''s people';
REVOKE EXECUTE ON FUNCTION campus.may_join_organization(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION campus.may_join_organization(json, text, json) TO pulse_client;

CREATE OR REPLACE FUNCTION campus.may_join_campus(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM campus.campuses c WHERE c.id = may_join_campus.params ->> 'id' AND _campus.role_in(c.organization_id) IS NOT NULL)
$$;
COMMENT ON FUNCTION campus.may_join_campus(json, text, json) IS 'policy: campus:{id} for the people of its organization';
REVOKE EXECUTE ON FUNCTION campus.may_join_campus(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION campus.may_join_campus(json, text, json) TO pulse_client;

CREATE OR REPLACE FUNCTION campus.may_join_building(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM campus.buildings b WHERE b.id = may_join_building.params ->> 'id' AND _campus.role_in(b.organization_id) IS NOT NULL)
$$;
COMMENT ON FUNCTION campus.may_join_building(json, text, json) IS 'policy: building:{id} for the people of its organization';
REVOKE EXECUTE ON FUNCTION campus.may_join_building(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION campus.may_join_building(json, text, json) TO pulse_client;

-- The rooms of {organizationId?, campusId?, buildingId?, heatmap?}, each of them checked; without any of these the organization of
-- the token. Used by subscribe and by the streams, whose parameters have the same names.
CREATE OR REPLACE FUNCTION _campus.rooms_of(input json) RETURNS text[]
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_rooms text[] := '{}';
    v_name  text;
    v_id    text;
    v_org   text;
BEGIN
    FOREACH v_name IN ARRAY '{organizationId,campusId,buildingId,heatmap}'::text[] LOOP
        v_id := rooms_of.input ->> v_name;
        CONTINUE WHEN v_id IS NULL;
        IF json_typeof(rooms_of.input -> v_name) <> 'string' OR v_id = '' THEN
            PERFORM pulse.fail('invalid', format('%s must be an id', v_name), 'Send {"organizationId":"…"}, campusId, buildingId or heatmap.');
        END IF;
        v_org := CASE v_name WHEN 'campusId' THEN (SELECT c.organization_id FROM campus.campuses c WHERE c.id = v_id)
                             WHEN 'buildingId' THEN (SELECT b.organization_id FROM campus.buildings b WHERE b.id = v_id)
                             ELSE v_id END;
        IF v_org IS NULL THEN
            PERFORM pulse.fail('not_found', format('there is no %s %s', replace(v_name, 'Id', ''), v_id), 'Its id is in the events of its issues.');
        END IF;
        PERFORM _campus.require_access(v_org);
        v_rooms := v_rooms || (CASE v_name WHEN 'organizationId' THEN 'org' ELSE replace(v_name, 'Id', '') END || ':' || pulse.room_part(v_id));
    END LOOP;
    IF v_rooms = '{}' THEN
        v_rooms := ARRAY['org:' || pulse.room_part(_campus.require_access(_campus.require_own()))];
    END IF;
    RETURN v_rooms;
END
$$;
COMMENT ON FUNCTION _campus.rooms_of(json) IS 'rooms by the ids of organization, campus, building; an error when one is not for who asks';

CREATE OR REPLACE FUNCTION _campus.require_own() RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pulse.claim('organizationId') IS NULL THEN
        PERFORM pulse.fail('invalid', 'an organization is needed', 'Send organizationId, or use a token that has the claim organizationId.');
    END IF;
    RETURN pulse.claim('organizationId');
END
$$;
COMMENT ON FUNCTION _campus.require_own() IS 'the organization of the token, or an error';

CREATE OR REPLACE FUNCTION campus.on_subscribe(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_rooms text[];
    v_room  text;
BEGIN
    PERFORM pulse.require_user();
    v_rooms := _campus.rooms_of(pulse.input_object(args -> 0, '{"organizationId":"…"}, campusId, buildingId or heatmap'));
    FOREACH v_room IN ARRAY v_rooms LOOP
        PERFORM pulse.join(v_room);
    END LOOP;
    RETURN json_build_object('ok', true, 'rooms', to_json(v_rooms));
END
$$;
COMMENT ON FUNCTION campus.on_subscribe(json) IS
    'subscribe {organizationId?, campusId?, buildingId?, heatmap?}: joins their rooms; {ok, rooms}';
REVOKE EXECUTE ON FUNCTION campus.on_subscribe(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION campus.on_subscribe(json) TO pulse_client;
