-- api/notifications.sql: push and SMS jobs of a request, what becomes of them, who gets an SMS when no push came through, the report.
BEGIN;
SELECT plan(44);

INSERT INTO donors.donors (user_id, name, phone, blood_group, country_code) VALUES
    ('ann', 'Ann', '+919800000001', 'O-', 'IN'), ('ben', 'Ben', '+919800000002', 'O-', 'IN'), ('cy', 'Cy', NULL, 'O-', 'IN');
INSERT INTO donors.presence (user_id, latitude, longitude) VALUES ('ann', 19.0860, 72.8777), ('ben', 19.0960, 72.8777), ('cy', 19.1060, 72.8777);
INSERT INTO donors.device_tokens (token, user_id, device_type, created_at) VALUES
    ('ann-1', 'ann', 'android', now() - interval '1 day'), ('ann-2', 'ann', 'ios', now() - interval '1 day'), ('cy-1', 'cy', 'web', now() - interval '1 day'),
    ('stranger', 'dee', 'web', now());
CREATE FUNCTION pg_temp.ask(urgency text, OUT id uuid) LANGUAGE sql AS $$
    INSERT INTO donors.blood_requests (requester_id, blood_group, urgency, units, latitude, longitude, country_code, hospital_name)
    VALUES ('rohan', 'A-', ask.urgency, 2, 19.0760, 72.8777, 'IN', 'Lilavati') RETURNING blood_requests.id $$;
CREATE FUNCTION pg_temp.fan_out(id uuid) RETURNS jsonb LANGUAGE sql AS $$
    SELECT donors.fan_out(json_build_object('requestId', fan_out.id))::jsonb $$;
CREATE FUNCTION pg_temp.jobs(request uuid) RETURNS TABLE (kind text, recipient text, priority integer, on_end text, args jsonb, queue text, id bigint) LANGUAGE sql AS $$
    SELECT j.kind, j.args ->> 'recipient', j.priority, j.on_end, j.args::jsonb, j.queue, j.id FROM _pulse.jobs j
     WHERE j.args #>> '{data,emergencyId}' = jobs.request::text ORDER BY j.id $$;
CREATE FUNCTION pg_temp.ended(request uuid, recipient text, state text, result json DEFAULT NULL, error text DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
    SELECT donors.notification_ended(json_build_object('id', j.id, 'queue', j.queue, 'kind', j.kind, 'state', ended.state, 'attempt', 3, 'args', j.args,
               'result', ended.result, 'error', ended.error))::jsonb
      FROM pg_temp.jobs(ended.request) j WHERE j.recipient = ended.recipient $$;
CREATE FUNCTION pg_temp.report(request uuid) RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(concat_ws(' ', r.user_id, r.channel, r.state)) FROM donors.notification_report(report.request) r WHERE r.channel <> 'socket' $$;

-- kinds and queue
SELECT results_eq($$SELECT k.kind COLLATE "default", k.channel COLLATE "default", k.function COLLATE "default" FROM _pulse.job_kinds k WHERE k.extension = 'pulse_donors' ORDER BY k.kind$$,
    $$VALUES ('emergency_push', 'fcm', 'donors.push_args'), ('emergency_sms', 'sms', 'donors.sms_args')$$, 'D8: kinds of jobs');
SELECT results_eq($$SELECT q.concurrency, q.rate, q.per, q.max_attempts FROM _pulse.queues q WHERE q.name = 'emergency-notifications'$$,
    $$VALUES (10, 100, interval '1 min', 3)$$, 'D8: 10 at once, 100 a minute, 3 attempts');

-- normal: push only
SELECT pg_temp.ask('normal') AS normal \gset
SELECT is(pg_temp.fan_out(:'normal'), '{"nearby":3,"queued":3}', 'D7: three donors, three devices');
SELECT results_eq(format('SELECT kind, recipient FROM pg_temp.jobs(%L)', :'normal'),
    $$VALUES ('emergency_push', 'ann-1'), ('emergency_push', 'ann-2'), ('emergency_push', 'cy-1')$$, 'D7: a push a device, nearest first, to nobody else');
SELECT is((SELECT args FROM pg_temp.jobs(:'normal') LIMIT 1), jsonb_build_object('type', 'emergency_push', 'recipient', 'ann-1', 'data', jsonb_build_object(
    'emergencyId', :'normal', 'bloodGroup', 'A-', 'urgency', 'normal', 'hospitalName', 'Lilavati', 'title', 'A- blood needed', 'body', '2 units of A- needed at Lilavati')),
    'D8: job data as the original document');
SELECT is((SELECT array_agg(DISTINCT queue || ' ' || on_end) FROM pg_temp.jobs(:'normal')), ARRAY['emergency-notifications donors.notification_ended'], 'D8: in their queue');
SELECT is(pg_temp.fan_out(:'normal'), '{"nearby":0}', 'D7: the job again tells nobody');
SELECT is((SELECT count(*) FROM pg_temp.jobs(:'normal')), 3::bigint, 'D7: and pushes nothing');
SELECT results_eq(format('SELECT user_id, state FROM donors.notification_report(%L) WHERE channel = ''socket''', :'normal'),
    $$VALUES ('ann', 'sent'), ('ben', 'sent'), ('cy', 'sent')$$, 'D7: the report names who was told by socket');
SELECT is(pg_temp.report(:'normal'), '{ann push queued,ann push queued,cy push queued}', 'D7: and what is queued');

-- what is sent
SELECT is(donors.push_args((SELECT args::json FROM pg_temp.jobs(:'normal') LIMIT 1))::jsonb, jsonb_build_object('token', 'ann-1',
    'notification', jsonb_build_object('title', 'A- blood needed', 'body', '2 units of A- needed at Lilavati'),
    'data', (SELECT args -> 'data' FROM pg_temp.jobs(:'normal') LIMIT 1), 'urgent', false, 'collapseKey', :'normal', 'ttl', 3600), 'D8: the FCM message');
SELECT ok((donors.push_args('{"recipient":"t","data":{"urgency":"critical"}}') ->> 'urgent')::boolean, 'D8: urgent ones wake the device');
SELECT is(donors.sms_args('{"recipient":"+919800000001","data":{"title":"Critical: A- blood needed","body":"1 unit of A- needed near you"}}')::jsonb,
    '{"to":"+919800000001","body":"Critical: A- blood needed. 1 unit of A- needed near you. Open the app to answer."}', 'D8: the text message');

-- what becomes of them
SELECT is(pg_temp.ended(:'normal', 'ann-1', 'completed', '{"name":"projects/p/messages/1"}'), '{"sms":0}', 'D7: a push that was sent');
SELECT isnt((SELECT last_used_at FROM donors.device_tokens WHERE token = 'ann-1'), NULL, 'D8: its token was used');
SELECT is(pg_temp.ended(:'normal', 'ann-2', 'discarded', '{"tokenDead":true}', 'UNREGISTERED'), '{"sms":0}', 'D7: one device of two is gone: no SMS');
SELECT is((SELECT count(*) FROM donors.device_tokens WHERE token = 'ann-2'), 0::bigint, 'D8: a token that FCM calls unregistered is removed');
SELECT is(pg_temp.ended(:'normal', 'cy-1', 'discarded', NULL, 'INVALID_ARGUMENT'), '{"sms":0}', 'D7: no phone, no SMS');
SELECT is((SELECT count(*) FROM donors.device_tokens WHERE token = 'cy-1'), 1::bigint, 'D8: any other refusal keeps the token');
SELECT is(pg_temp.report(:'normal'), '{ann push sent,ann push failed,cy push failed}', 'D7: the report says so');
SELECT results_eq(format('SELECT attempts, error, ended_at IS NOT NULL FROM donors.notification_report(%L) WHERE state = ''failed'' AND user_id = ''ann''', :'normal'),
    $$VALUES (3, 'UNREGISTERED', true)$$, 'D7: with attempts, error and time');
SELECT is(donors.notification_ended('{"id":-1,"state":"completed","attempt":1}')::jsonb, '{"sms":0}', 'an unknown job is no error');

-- push ends for good: SMS
INSERT INTO donors.device_tokens (token, user_id, device_type) VALUES ('ben-1', 'ben', 'android');
SELECT pg_temp.ask('low') AS low \gset
SELECT is(pg_temp.fan_out(:'low'), '{"nearby":3,"queued":3}', 'D7: ann, ben and cy have a device each');
UPDATE donors.device_tokens SET last_used_at = clock_timestamp() WHERE token = 'ben-1';
SELECT is(pg_temp.ended(:'low', 'ben-1', 'discarded', '{"tokenDead":true}', 'UNREGISTERED'), '{"sms":1}', 'D7: the last push failed for good: an SMS');
SELECT is((SELECT count(*) FROM donors.device_tokens WHERE token = 'ben-1'), 1::bigint, 'D8: a token that was registered again meanwhile stays');
SELECT is((SELECT recipient FROM pg_temp.jobs(:'low') WHERE kind = 'emergency_sms'), '+919800000002', 'D7: to the donor''s phone');
SELECT is(pg_temp.ended(:'low', 'ben-1', 'discarded'), '{"sms":0}', 'D7: told twice, one SMS');
INSERT INTO donors.blood_request_responses (request_id, donor_id) VALUES (:'low', 'ann');
SELECT is(pg_temp.ended(:'low', 'ann-1', 'discarded'), '{"sms":0}', 'D7: who has answered needs none');

-- critical: SMS at once
SELECT pg_temp.ask('critical') AS critical \gset
SELECT is(pg_temp.fan_out(:'critical'), '{"nearby":3,"queued":5}', 'D7: critical: devices and phones');
SELECT results_eq(format('SELECT recipient FROM pg_temp.jobs(%L)', :'critical'),
    $$VALUES ('ann-1'), ('+919800000001'), ('ben-1'), ('+919800000002'), ('cy-1')$$, 'D7: side by side, nearest first');
SELECT ok((SELECT max(priority) FROM pg_temp.jobs(:'critical')) < (SELECT min(priority) FROM pg_temp.jobs(:'normal')), 'D7: before those of a normal one');
SELECT is(pg_temp.ended(:'critical', 'ben-1', 'discarded'), '{"sms":0}', 'D7: and no second SMS when the push fails');
SELECT is((SELECT args #>> '{data,title}' FROM pg_temp.jobs(:'critical') LIMIT 1), 'Critical: A- blood needed', 'D8: its title says so');

-- high: who has not answered after sms_after
SELECT pg_temp.ask('high') AS high \gset
SELECT is(pg_temp.fan_out(:'high'), '{"nearby":3,"queued":3}', 'D7: high: push at first');
SELECT results_eq($$SELECT j.run_at > now() + interval '4 min', j.args #>> '{args,requestId}' FROM _pulse.jobs j WHERE j.args ->> 'function' = 'donors.remind'$$,
    format('VALUES (true, %L)', :'high'), 'D7: and a reminder in five minutes, for it alone');
INSERT INTO donors.blood_request_responses (request_id, donor_id, status) VALUES (:'high', 'ann', 'declined');
SELECT is(donors.remind(json_build_object('requestId', :'high'))::jsonb, '{"sms":1}', 'D7: no device answered: an SMS, but not to who declined');
SELECT is((SELECT recipient FROM pg_temp.jobs(:'high') WHERE kind = 'emergency_sms'), '+919800000002', 'D7: to ben');
SELECT is(donors.remind(json_build_object('requestId', :'high'))::jsonb, '{"sms":0}', 'D7: once');
SELECT is(donors.remind('{}')::jsonb, '{"sms":0}', 'no request is no error');
SELECT pulse.configure('donors', 'sms_after', '0');
SELECT pg_temp.fan_out(pg_temp.ask('high'));
SELECT is((SELECT count(*) FROM _pulse.jobs j WHERE j.args ->> 'function' = 'donors.remind'), 1::bigint, 'D7: sms_after 0: nobody is reminded');

-- a request that is closed
SELECT is((SELECT count(*) FROM _pulse.jobs j WHERE j.args ->> 'function' = 'donors.stop_notifications'), 0::bigint, 'nothing was stopped yet');
UPDATE donors.blood_requests SET status = 'fulfilled' WHERE id = :'high';
SELECT is((SELECT count(*) FROM _pulse.jobs j WHERE j.args ->> 'function' = 'donors.stop_notifications'), 1::bigint, 'D7: closing a request stores a job');
SELECT is(donors.stop_notifications(json_build_object('requestId', :'high'))::jsonb, '{"stopped":4}', 'D7: that cancels what waits');
SELECT is((SELECT count(*) FROM pg_temp.jobs(:'high')), 0::bigint, 'D7: none of it is sent');

SELECT * FROM finish();
ROLLBACK;
