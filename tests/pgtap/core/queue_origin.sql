-- E7: the queues of a restored database are paused, all of them, until somebody resumes them.
BEGIN;
SELECT plan(23);

CREATE VIEW pg_temp.paused AS SELECT q.name, q.paused, q.pause_reason FROM pulse.queues q ORDER BY q.name;
SELECT pulse.configure_queue('mail'), pulse.configure_queue('sms');
DELETE FROM _pulse.queue_origin;

SELECT is(_pulse.check_queue_origin(), false, 'a new database is served at once');
SELECT results_eq('SELECT system_identifier, database FROM _pulse.queue_origin',
                  'SELECT c.system_identifier, d.oid FROM pg_control_system() c, pg_database d WHERE d.datname = current_database()', 'it is remembered where');
SELECT is(_pulse.check_queue_origin(), false, 'and served again');

UPDATE _pulse.queue_origin SET system_identifier = system_identifier + 1;
SELECT pulse.pause_queue('mail', 'by hand');
SELECT is(_pulse.check_queue_origin(), true, 'E7: in another cluster it is not');
SELECT results_eq('SELECT * FROM pg_temp.paused', $$ VALUES ('mail' COLLATE "C", true, 'by hand'), ('sms', true, 'restored') $$, 'E7: all queues are paused');
SELECT pulse.configure_queue('new');
SELECT is((SELECT pause_reason FROM pg_temp.paused WHERE name = 'new'), 'restored', 'E7: also those that come later');
SELECT is(_pulse.check_queue_origin(), false, 'asking again pauses nothing');
SELECT is((SELECT pause_reason FROM pg_temp.paused WHERE name = 'sms'), 'restored', 'and resumes nothing');

SELECT is(pulse.resume_queue('sms'), true, 'E7: one can be resumed');
SELECT is(pulse.resume_queue('sms'), false, 'once');
SELECT results_eq('SELECT name FROM pg_temp.paused WHERE paused', $$ VALUES ('mail' COLLATE "C"), ('new') $$, 'E7: the others stay paused');
SELECT is(pulse.pause_queue('sms', 'again'), true, 'it can be paused by itself');
SELECT is(pulse.resume_queue('sms'), true, 'and resumed');
SELECT is(pulse.resume_queues(), true, 'E7: all can be resumed');
SELECT is(pulse.resume_queues(), false, 'once');
SELECT results_eq('SELECT * FROM pg_temp.paused', $$ VALUES ('mail' COLLATE "C", true, 'by hand'), ('new', false, NULL), ('sms', false, NULL) $$,
                  'E7: but what somebody had paused');
SELECT is(_pulse.check_queue_origin(), false, 'and it stays so');

UPDATE _pulse.queue_origin SET database = database::bigint::oid::text::bigint + 1;
SELECT is(_pulse.check_queue_origin(), true, 'E7: in another database of the cluster they are paused, too');
SELECT is((SELECT count(*) FROM _pulse.queue_origin), 1::bigint, 'only the last place is remembered');
SELECT matches((SELECT p ->> 'hint' FROM json_array_elements(pulse.status() -> 'problems') AS p WHERE p ->> 'problem' LIKE '%queues are paused%'),
               'pulse\.resume_queues\(\)', 'E7: pulse.status says so, and what to do');
SELECT pulse.resume_queues();
SELECT is_empty($$ SELECT FROM json_array_elements(pulse.status() -> 'problems') AS p WHERE p ->> 'problem' LIKE '%queues are paused%' $$, 'until it is done');

INSERT INTO _pulse.queue_origin SELECT * FROM _pulse.queue_origin;
SELECT is(_pulse.check_queue_origin(), true, 'E7: a backup that was loaded into its own database may hold what has run since');
SELECT is((SELECT count(*) FROM _pulse.queue_origin), 1::bigint, 'the place is remembered once');

SELECT * FROM finish();
ROLLBACK;
