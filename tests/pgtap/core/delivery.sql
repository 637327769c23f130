-- Devices that push messages go to, and what needs no provider. Messages themselves: tests/e2e/channels.test.mjs.
BEGIN;
SELECT plan(31);
CREATE ROLE app IN ROLE pulse_publisher;
CREATE ROLE stranger;

-- devices
SELECT lives_ok($$SELECT pulse.register_device('ann', 't1', 'android'), pulse.register_device('ann', 't2', 'ios'), pulse.register_device('bob', 't3', 'web')$$, 'D7: devices are registered');
SELECT set_eq($$SELECT token, platform FROM pulse.devices('ann')$$, $$VALUES ('t1', 'android'), ('t2', 'ios')$$, 'D7: and are their user''s');
SELECT is_empty($$SELECT * FROM pulse.devices('nobody')$$, 'who has none has none');
UPDATE _pulse.devices SET created_at = created_at - interval '1 day', last_used_at = last_used_at - interval '1 day';
SELECT lives_ok($$SELECT pulse.register_device('ann', 't2', 'ios')$$, 'D7: registering again');
SELECT results_eq($$SELECT token, last_used_at > now() - interval '1 hour', created_at > now() - interval '1 hour' FROM pulse.devices('ann')$$,
    $$VALUES ('t2', true, false), ('t1', false, false)$$, 'says that it is still used, and puts it first');
SELECT lives_ok($$SELECT pulse.register_device('bob', 't1', 'web')$$, 'D7: another user signs in on a device');
SELECT results_eq($$SELECT token FROM pulse.devices('ann')$$, $$VALUES ('t2')$$, 'and has it from then on');
SELECT results_eq($$SELECT platform, created_at > now() - interval '1 hour' FROM pulse.devices('bob') WHERE token = 't1'$$, $$VALUES ('web', true)$$, 'as a new one');
SELECT is(pulse.remove_device('t2', 'bob'), false, 'D7: nobody removes another''s');
SELECT is(pulse.remove_device('t2', 'ann'), true, 'one''s own');
SELECT is(pulse.remove_device('t2'), false, 'once');
SELECT is(pulse.remove_device('t3'), true, 'and without a user whosever it is');
SELECT throws_ok($$SELECT pulse.register_device('ann', '', 'ios')$$, '22023', 'a device has a user and a token of 1 to 4096 bytes', 'no token');
SELECT throws_ok($$SELECT pulse.register_device('', 't', 'ios')$$, '22023', NULL, 'no user');
SELECT throws_ok($$SELECT pulse.register_device('ann', repeat('x', 4097), 'ios')$$, '22023', NULL, 'no such token');
SELECT throws_ok($$SELECT pulse.register_device('ann', 't', 'pager')$$, '22023', 'unknown platform "pager"', 'no such platform');

-- push
SELECT lives_ok($$SELECT pulse.register_device('ann', 'a1', 'android'), pulse.register_device('ann', 'a2', 'ios')$$, 'two devices');
SET LOCAL ROLE app;
SELECT is(pulse.push('ann', '{"notification": {"title": "x"}, "urgent": true}', priority => 2, timeout => '5 s'), 2::bigint, 'D7: a message for each device');
SELECT is(pulse.push('nobody', '{"notification": {}}'), 0::bigint, 'none for who has none');
SELECT throws_ok($$SELECT pulse.push('ann', '{"token": "other"}')$$, '22023', 'message is no JSON object without a target of its own', 'a target is no part of it');
SELECT throws_ok($$SELECT pulse.push('ann', '[]')$$, '22023', NULL, 'nor is a list a message');
RESET ROLE;
SELECT results_eq($$SELECT concat_ws(' ', kind, channel, priority, role, timeout, args ->> 'token', args ->> 'urgent', args -> 'notification' ->> 'title') COLLATE "default"
        FROM _pulse.jobs WHERE queue = 'push' ORDER BY args ->> 'token'$$,
    $$VALUES ('fcm fcm 2 app 00:00:05 a1 true x'), ('fcm fcm 2 app 00:00:05 a2 true x')$$,
    'D7: jobs of the channel fcm, of the caller''s role');

-- reports of SMS providers
SELECT ok(_pulse.read_sms_report('1', 'MessageSid=SM1', 'none') IS NULL, 'an unsigned report is refused');
SELECT throws_like($$SELECT pulse.sms_status('{"query": {"job": "1"}, "headers": {"x-twilio-signature": "x"}, "body": "MessageSid=SM1&MessageStatus=sent"}')$$, '%no good signature%', 'D7: also by the route');
SELECT throws_like($$SELECT pulse.sms_status('{"query": {}, "headers": {}, "body": null}')$$, '%no good signature%', 'and one without anything');
SELECT ok(_pulse.sms_state_rank('delivered') > _pulse.sms_state_rank('sent') AND _pulse.sms_state_rank('sent') > _pulse.sms_state_rank('queued') AND _pulse.sms_state_rank('what') = 0, 'delivered is later than sent');

-- who may what
SET LOCAL ROLE stranger;
SELECT throws_ok($$SELECT pulse.devices('ann')$$, '42501', NULL, 'S: strangers see no devices');
SELECT throws_ok($$SELECT pulse.register_device('ann', 'x', 'ios')$$, '42501', NULL, 'register none');
SELECT throws_ok($$SELECT pulse.push('ann', '{}')$$, '42501', NULL, 'and send nothing');
SELECT throws_ok($$SHOW pulse.fcm_service_account_file$$, '42501', NULL, 'S: where secrets are is for superusers');
SELECT throws_ok($$SELECT * FROM pulse.sms_reports$$, '42501', NULL, 'and reports for pulse_admin');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
