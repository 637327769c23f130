-- For pgTAP tests with a schema shop: what a statement raises, as `sqlstate message / hint`; also a cancelled query, which WHEN OTHERS does not catch.
CREATE FUNCTION shop.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_hint text;
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN OTHERS OR query_canceled THEN
    GET STACKED DIAGNOSTICS v_hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ' ' || SQLERRM || CASE WHEN v_hint <> '' THEN ' / ' || v_hint ELSE '' END;
END
$$;
