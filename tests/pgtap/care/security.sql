-- What holds for the pack as a whole, and what its owner alone may do.
BEGIN;
SELECT plan(16);

\set pack care
\set undumped ''
\ir ../../support/pack_security.sql

SELECT is(pg_temp.as_client(statement), '42501', statement)
  FROM unnest(ARRAY['SELECT * FROM care.messages', 'INSERT INTO care.members (family_id, user_id) VALUES (''f'', ''u'')', 'UPDATE care.alerts SET type = type',
                    'SELECT care.unread(''u'')', 'SELECT care.escalate(''{}'')']) statement;

SELECT * FROM finish();
ROLLBACK;
