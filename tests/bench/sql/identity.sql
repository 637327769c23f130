-- A limit that is never reached, and rooms that anybody may join.
SELECT pulse.limit('bench', 2000000000, '1 hour');
CREATE SCHEMA IF NOT EXISTS rules;
GRANT USAGE ON SCHEMA rules TO pulse_client;
CREATE OR REPLACE FUNCTION rules.by_sql(claims json, room text, params json) RETURNS boolean LANGUAGE sql STABLE RETURN params ->> 'id' IS NOT NULL;
CREATE OR REPLACE FUNCTION rules.by_plpgsql(claims json, room text, params json) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN params ->> 'id' IS NOT NULL; END $$;
SELECT pulse.policy('sql:{id}', 'join', 'rules.by_sql'), pulse.policy('plpgsql:{id}', 'join', 'rules.by_plpgsql');
CREATE OR REPLACE FUNCTION rules.requests(kind text) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_agg(json_build_object('operation', 'join', 'room', kind || ':' || n, 'context', json_build_object('userId', 'u' || n, 'claims', json_build_object('userId', 'u' || n, 'role', 'guest'))))
      FROM generate_series(1, 200) AS n $$;
CREATE TABLE IF NOT EXISTS rules.batches AS SELECT kind, rules.requests(kind) AS requests FROM unnest(ARRAY['sql', 'plpgsql']) AS kind;
