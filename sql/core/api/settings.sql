-- Settings of packs and applications: times and limits that a DBA may change, effective at once, kept in the dump.

-- pulse.define_setting(pack text, name text, default_value text, description text)
-- Makes a setting exist. Called by a pack's script; defining it again changes default and description, never a value.
CREATE OR REPLACE FUNCTION pulse.define_setting(pack text, name text, "default" text, description text) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_extension text := _pulse.running_extension();
    v_owner text;
BEGIN
    IF pack IS NULL OR pack = '' OR name IS NULL OR name = '' OR description IS NULL THEN
        RAISE EXCEPTION 'a setting has a pack, a name and a description' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    SELECT d.extension INTO v_owner FROM _pulse.setting_definitions d WHERE d.pack = define_setting.pack AND d.name = define_setting.name;
    IF FOUND AND v_owner IS DISTINCT FROM v_extension THEN
        RAISE EXCEPTION 'setting %.% is already defined by %', pack, name, coalesce('extension ' || v_owner, 'the application')
            USING ERRCODE = 'duplicate_object', HINT = 'Use pulse.configure to give it a value.';
    END IF;
    INSERT INTO _pulse.setting_definitions AS d (pack, name, default_value, description, extension)
        VALUES (define_setting.pack, define_setting.name, define_setting."default", define_setting.description, v_extension)
        ON CONFLICT ON CONSTRAINT setting_definitions_pkey
        DO UPDATE SET default_value = excluded.default_value, description = excluded.description;
END
$$;
COMMENT ON FUNCTION pulse.define_setting(text, text, text, text) IS 'makes a setting of a pack exist, with its default';
REVOKE ALL ON FUNCTION pulse.define_setting(text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.define_setting(text, text, text, text) TO pulse_admin;

-- pulse.configure(pack text, name text, value text)
-- Gives a setting a value; null goes back to the default.
CREATE OR REPLACE FUNCTION pulse.configure(pack text, name text, value text) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM _pulse.check_setting(configure.pack, configure.name);
    IF value IS NULL THEN
        DELETE FROM _pulse.settings s WHERE s.pack = configure.pack AND s.name = configure.name;
    ELSE
        INSERT INTO _pulse.settings (pack, name, value) VALUES (configure.pack, configure.name, configure.value)
            ON CONFLICT ON CONSTRAINT settings_pkey DO UPDATE SET value = excluded.value;
    END IF;
END
$$;
COMMENT ON FUNCTION pulse.configure(text, text, text) IS 'gives a setting a value, effective at once; null goes back to the default';
REVOKE ALL ON FUNCTION pulse.configure(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.configure(text, text, text) TO pulse_admin;

-- pulse.setting(pack text, name text) returns text
-- The value in force. Raises for a setting that nobody defined.
CREATE OR REPLACE FUNCTION pulse.setting(pack text, name text) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_value text;
BEGIN
    SELECT coalesce(s.value, d.default_value) INTO v_value
        FROM _pulse.setting_definitions d
        LEFT JOIN _pulse.settings s ON s.pack = d.pack AND s.name = d.name
        WHERE d.pack = setting.pack AND d.name = setting.name;
    IF NOT FOUND THEN
        PERFORM _pulse.check_setting(setting.pack, setting.name);
    END IF;
    RETURN v_value;
END
$$;
COMMENT ON FUNCTION pulse.setting(text, text) IS 'the value of a setting that is in force';
GRANT EXECUTE ON FUNCTION pulse.setting(text, text) TO PUBLIC;

-- _pulse.check_setting(pack text, name text)
-- Raises with the known names when there is no such setting.
CREATE OR REPLACE FUNCTION _pulse.check_setting(pack text, name text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_known text;
BEGIN
    IF EXISTS (SELECT FROM _pulse.setting_definitions d WHERE d.pack = check_setting.pack AND d.name = check_setting.name) THEN
        RETURN;
    END IF;
    SELECT string_agg(d.name, ', ' ORDER BY d.name) INTO v_known FROM _pulse.setting_definitions d WHERE d.pack = check_setting.pack;
    IF v_known IS NOT NULL THEN
        RAISE EXCEPTION 'pack "%" has no setting "%"', pack, name USING ERRCODE = 'undefined_object', HINT = 'It has: ' || v_known || '.';
    END IF;
    SELECT string_agg(DISTINCT d.pack, ', ' ORDER BY d.pack) INTO v_known FROM _pulse.setting_definitions d;
    RAISE EXCEPTION 'no pack "%" has settings', pack USING ERRCODE = 'undefined_object', HINT = 'Packs with settings: ' || v_known || '.';
END
$$;
COMMENT ON FUNCTION _pulse.check_setting(text, text) IS 'raises when a setting does not exist';
REVOKE ALL ON FUNCTION _pulse.check_setting(text, text) FROM PUBLIC;
