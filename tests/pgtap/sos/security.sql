-- What holds for the pack as a whole, and what its owner alone may do.
BEGIN;
SELECT plan(17);

\set pack sos
\set undumped ''
\ir ../../support/pack_security.sql

SELECT is(pg_temp.as_client(statement), '42501', statement)
  FROM unnest(ARRAY['SELECT * FROM sos.cases', 'INSERT INTO sos.participants (case_id, user_id) VALUES (''s'', ''u'')', 'SELECT * FROM sos.active_rooms',
                    'SELECT sos.state(''s'')', 'SELECT sos.clean_up()', 'SELECT sos.verify(''s'')']) statement;

SELECT * FROM finish();
ROLLBACK;
