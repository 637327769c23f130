-- Group roles; a DBA grants them to login roles. Roles belong to the cluster, so they outlive the extension.
DO $$
DECLARE
    v_role text;
BEGIN
    FOREACH v_role IN ARRAY ARRAY['pulse_client', 'pulse_bridge', 'pulse_publisher', 'pulse_admin'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = v_role) THEN
            BEGIN
                EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', v_role);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;   -- another database of this cluster created it at the same moment
            END;
        END IF;
    END LOOP;
END
$$;
