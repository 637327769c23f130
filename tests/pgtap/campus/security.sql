-- What holds for the pack as a whole, and what its owner alone may do.
BEGIN;
SELECT plan(15);

\set pack campus
\set undumped '_campus.refreshes _campus.repeats'
\ir ../../support/pack_security.sql

-- an application's role
INSERT INTO campus.organizations (id, name) VALUES ('org1', 'One');
INSERT INTO campus.campuses (id, organization_id, name) VALUES ('c1', 'org1', 'North');
CREATE ROLE campus_app NOLOGIN;
GRANT INSERT ON campus.issues TO campus_app;
SET LOCAL ROLE campus_app;
SELECT lives_ok($$INSERT INTO campus.issues (campus_id, title, reported_by) VALUES ('c1', 'Dark', 'ann')$$, 'an application reports issues with no right but that');
SELECT throws_ok($$SELECT campus.stats('org1')$$, '42501', NULL, 'it counts none');
SELECT throws_ok($$SELECT * FROM campus.issues$$, '42501', NULL, 'and sees none');
RESET ROLE;
SELECT results_eq($$SELECT name FROM pulse.events$$, $$VALUES ('issue:created')$$, 'the issue is told');

SELECT * FROM finish();
ROLLBACK;
