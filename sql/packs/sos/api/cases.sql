-- How long a case lives, and what its rows do by themselves (schema/triggers.sql).

-- The settings count as they are now, so that a shorter life holds for the cases there are.
CREATE OR REPLACE FUNCTION _sos.live_until(sos_case sos.cases) RETURNS timestamptz
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT least((live_until.sos_case).expires_at,
                 CASE WHEN (live_until.sos_case).closed_at IS NULL THEN (live_until.sos_case).updated_at + sos.state_ttl()
                      ELSE (live_until.sos_case).closed_at + sos.closed_ttl() END);
END;
COMMENT ON FUNCTION _sos.live_until(sos.cases) IS 'until when clients can read and write a case';

CREATE OR REPLACE FUNCTION _sos.find_case(sos_id text) RETURNS sos.cases
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c FROM sos.cases c WHERE c.id = find_case.sos_id AND _sos.live_until(c) > clock_timestamp();
END;
COMMENT ON FUNCTION _sos.find_case(text) IS 'the case, unless it has expired';

CREATE OR REPLACE FUNCTION _sos.touch() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _sos.touch() IS 'trigger: updated_at of a row whose change somebody signs';

CREATE OR REPLACE FUNCTION _sos.name_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.updated_by := coalesce(NEW.updated_by, pulse.user_id(), 'system');
    NEW.updated_role := coalesce(NEW.updated_role, pulse.claim('role'), CASE WHEN NEW.updated_by = NEW.citizen_id THEN 'citizen' ELSE 'system' END);
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _sos.name_change() IS 'trigger: who opened a case, when the INSERT does not say it';

CREATE OR REPLACE FUNCTION _sos.change_status() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at THEN   -- unsigned: what is there tells of the change before
        NEW.updated_at := clock_timestamp();
        NEW.updated_by := coalesce(pulse.user_id(), 'system');
        NEW.updated_role := coalesce(pulse.claim('role'), 'system');
        NEW.note := CASE WHEN NEW.note IS DISTINCT FROM OLD.note THEN NEW.note END;
    ELSIF NEW.updated_by IS DISTINCT FROM OLD.updated_by AND NEW.updated_role IS NOT DISTINCT FROM OLD.updated_role THEN
        NEW.updated_role := coalesce((SELECT p.role FROM sos.participants p WHERE p.case_id = NEW.id AND p.user_id = NEW.updated_by),
                                     pulse.claim('role'), 'system');
    END IF;
    IF NEW.status = 'closed' THEN
        NEW.closed_at := NEW.updated_at;
        NEW.emptied_at := NEW.updated_at;
        NEW.expires_at := NEW.updated_at + sos.closed_ttl();
    ELSE
        NEW.closed_at := NULL;
        NEW.emptied_at := NULL;
        NEW.expires_at := NEW.updated_at + sos.state_ttl();
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _sos.change_status() IS 'trigger: who changed the status, and how long the case lives from now on';

CREATE OR REPLACE FUNCTION _sos.add_citizen() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO sos.participants (case_id, user_id, role) VALUES (NEW.id, NEW.citizen_id, 'citizen')
        ON CONFLICT ON CONSTRAINT participants_pkey DO NOTHING;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _sos.add_citizen() IS 'trigger: the citizen takes part in the own case';

CREATE OR REPLACE FUNCTION _sos.on_closed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM pulse.evict(_sos.room(c.id), reason => 'deleted') FROM sos.cases c WHERE c.emptied_at IS NULL;
    ELSE
        PERFORM pulse.evict(_sos.room(OLD.id), reason => CASE WHEN TG_OP = 'DELETE' THEN 'deleted' WHEN NEW.id = OLD.id THEN 'closed'
                                                              WHEN NEW.emptied_at IS NULL THEN 'renamed' ELSE 'expired' END);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _sos.on_closed() IS 'trigger: nobody stays in the room of a case that is closed, deleted, or has another id';

-- The right to enter ends with the row that gave it. (Whoever has another, as a token for the case, may come in again.)
CREATE OR REPLACE FUNCTION _sos.on_dismissed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM pulse.evict(_sos.room(c.id), p.user_id, 'not admitted any more')
           FROM sos.participants p JOIN sos.cases c ON c.id = p.case_id AND c.citizen_id <> p.user_id
          WHERE p.admitted AND c.emptied_at IS NULL;
    ELSE
        PERFORM pulse.evict(_sos.room(c.id), OLD.user_id, 'not admitted any more') FROM sos.cases c WHERE c.id = OLD.case_id AND c.citizen_id <> OLD.user_id;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _sos.on_dismissed() IS 'trigger: who is not admitted any more is put out of the room of the case';

CREATE OR REPLACE FUNCTION _sos.on_citizen_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE sos.participants p SET admitted = false WHERE p.case_id = NEW.id AND p.user_id = OLD.citizen_id;
    INSERT INTO sos.participants AS p (case_id, user_id, role) VALUES (NEW.id, NEW.citizen_id, 'citizen')
        ON CONFLICT ON CONSTRAINT participants_pkey DO UPDATE SET role = 'citizen', admitted = true;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _sos.on_citizen_changed() IS 'trigger: the case is another citizen''s; who had it before is out of it';

CREATE OR REPLACE FUNCTION _sos.fill_role() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.role := coalesce(CASE WHEN NEW.user_id = pulse.user_id() THEN pulse.claim('role') END,
                         (SELECT p.role FROM sos.participants p WHERE p.case_id = NEW.case_id AND p.user_id = NEW.user_id));
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _sos.fill_role() IS 'trigger: the role in which somebody wrote a message';

-- Reads refuse an expired case at once. This job of a case takes everybody out of its room then; a case that lives longer by now is looked at
-- again. Without sosId it looks at all cases.
CREATE OR REPLACE FUNCTION sos.clean_up(args json DEFAULT NULL) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_emptied integer := 0;
    v_case    sos.cases;
BEGIN
    FOR v_case IN
        SELECT * FROM sos.cases c
         WHERE c.emptied_at IS NULL AND (clean_up.args ->> 'sosId' IS NULL OR c.id = clean_up.args ->> 'sosId')
         ORDER BY c.id FOR UPDATE
    LOOP
        IF _sos.live_until(v_case) > clock_timestamp() THEN
            PERFORM _sos.arm_clean_up(v_case);
        ELSE
            PERFORM pulse.evict(_sos.room(v_case.id), reason => 'expired');
            UPDATE sos.cases c SET emptied_at = clock_timestamp() WHERE c.id = v_case.id;
            v_emptied := v_emptied + 1;
        END IF;
    END LOOP;
    RETURN json_build_object('emptied', v_emptied);
END
$$;
COMMENT ON FUNCTION sos.clean_up(json) IS 'job: empties the room of a case that has expired; without sosId, of all';
REVOKE EXECUTE ON FUNCTION sos.clean_up(json) FROM PUBLIC;

CREATE OR REPLACE FUNCTION _sos.arm_clean_up(sos_case sos.cases) RETURNS bigint
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pulse.enqueue('sos', 'sql', json_build_object('function', 'sos.clean_up', 'args', json_build_object('sosId', (arm_clean_up.sos_case).id)),
        priority => 10, run_at => _sos.live_until(arm_clean_up.sos_case), unique_key => 'sos.clean_up:' || (arm_clean_up.sos_case).id)
$$;
COMMENT ON FUNCTION _sos.arm_clean_up(sos.cases) IS 'sees to it that sos.clean_up looks at a case when it expires; once, however often it is called';

CREATE OR REPLACE FUNCTION _sos.on_live() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM _sos.arm_clean_up(NEW);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _sos.on_live() IS 'trigger: a case that will expire';
