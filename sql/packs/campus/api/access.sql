-- Who may do what with an organization. The token speaks for the organization that it names; campus.members for all others.

CREATE OR REPLACE FUNCTION _campus.role_in(organization text) RETURNS text
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT CASE WHEN pulse.user_id() IS NULL THEN NULL
                WHEN pulse.claim('organizationId') = role_in.organization THEN coalesce(pulse.claim('role'), 'viewer')
                ELSE (SELECT m.role FROM campus.members m WHERE m.user_id = pulse.user_id() AND m.organization_id = role_in.organization) END;
END;
COMMENT ON FUNCTION _campus.role_in(text) IS 'the role of who asks in an organization; null: none of it. A token without a role reads only';

CREATE OR REPLACE FUNCTION _campus.require_access(organization text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF _campus.role_in(require_access.organization) IS NULL THEN
        PERFORM pulse.fail('forbidden', 'not your organization', 'The claim organizationId of the token, or membership, says whose data one may see.');
    END IF;
    RETURN require_access.organization;
END
$$;
COMMENT ON FUNCTION _campus.require_access(text) IS 'the organization when who asks belongs to it, or an error';

CREATE OR REPLACE FUNCTION _campus.require_write(organization text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM _campus.require_access(require_write.organization);
    IF _campus.role_in(require_write.organization) NOT IN ('admin', 'staff', 'member') THEN
        PERFORM pulse.fail('forbidden', 'viewers only read', 'The roles admin, staff and member change issues.');
    END IF;
    RETURN require_write.organization;
END
$$;
COMMENT ON FUNCTION _campus.require_write(text) IS 'the organization when who asks may change its issues, or an error';
