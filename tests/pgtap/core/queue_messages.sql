-- E4: whatever is wrong with a call, its message names the argument, and its hint what is accepted.
BEGIN;
CREATE SCHEMA app;
CREATE FUNCTION app.work(args json) RETURNS json LANGUAGE sql RETURN args;
CREATE FUNCTION pg_temp.said(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_code text;
    v_message text;
    v_hint text;
BEGIN
    EXECUTE 'SELECT pulse.' || call;
    RETURN 'nothing';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_code = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT, v_hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' / ', v_code || ' ' || v_message, nullif(v_hint, ''));
END
$$;
CREATE FUNCTION pg_temp.job(options text) RETURNS text LANGUAGE sql AS $$ SELECT format('enqueue(''q'', ''sql'', ''{"function":"app.work"}'', %s)', options) $$;
CREATE FUNCTION pg_temp.jobs(options text) RETURNS text LANGUAGE sql AS $$ SELECT format('enqueue_many(''q'', ''sql'', ARRAY[''{"function":"app.work"}'']::json[], %s)', options) $$;
CREATE TEMPORARY TABLE bad (call text, said text);
INSERT INTO bad VALUES
    ($$enqueue('*', 'sql', '{}')$$, '22023 no queue can have the name \* / Give it one of 1 to 255 bytes'),
    ($$enqueue('q', 'sql', '{"function":"app.nothing"}')$$, '42883 function app.nothing\(json\) does not exist / Name a function f\(args json\) returns json'),
    (pg_temp.job($$on_end => 'app.nothing'$$), '42883 function app.nothing\(json\) .* / Name a function f\(args json\) returns json'),
    (pg_temp.job($$timeout => '0'$$), '22023 timeout is not between a millisecond and 7 days / .* without months'),
    (pg_temp.job($$timeout => '1 month'$$), '22023 timeout is not between a millisecond and 7 days / .* without months'),
    (pg_temp.job($$unique_mode => 'last'$$), '22023 unknown unique_mode "last" / Modes: keep, replace, keep_run_at'),
    (pg_temp.job($$priority => NULL$$), '22004 priority is null / Only max_attempts'),
    ($$enqueue_many('q', 'sql', ARRAY[NULL]::json[])$$, '22004 args of job 1 is null / Each element of args is one job'),
    ($$enqueue_many('q', 'sql', ARRAY[ARRAY['{}']]::json[])$$, '2202E an array of pulse.enqueue_many has more than one dimension / It has an element for each job'),
    (pg_temp.jobs($$unique_keys => '{a,b}'$$), '2202E unique_keys has 2 elements for 1 jobs / It has one for each job'),
    (pg_temp.jobs($$unique_keys => '{NULL}'$$), '22004 unique key of job 1 is null / Either every job has one, or none'),
    (pg_temp.jobs($$unique_keys => '{""}'$$), '22023 an element of unique_keys has 0 bytes / A key has 1 to 255 bytes'),
    ($$job_kind('k', 'sql', 'app.nothing')$$, '42883 function app.nothing\(json\) does not exist / Name a function f\(args json\) returns json'),
    (pg_temp.job($$on_end => 'a b'$$), '42602 "a b" is no name of a function / Name a function f\(args json\) returns json'),
    (pg_temp.job($$on_end => ''$$), '42602 "" is no name of a function / Name a function'),
    (pg_temp.job($$on_end => 'a.b.c.d'$$), '42602 "a.b.c.d" is no name of a function / Name a function'),
    ($$job_kind(NULL, 'sql')$$, '22004 kind is null / A kind of jobs has a name and a channel'),
    ($$job_kind('k', 'fcm', backoff => '8 days')$$, '22023 backoff is not between 0 and 7 days / Leave it out'),
    ($$configure_queue('q', concurrency => -1)$$, '22023 concurrency is -1 / It is between 1 and 100000, or 0'),
    ($$configure_queue('q', rate => 5)$$, '22023 a rate needs the time that it is for / Give per'),
    ($$configure_queue('q', per => '1 year')$$, '22023 per is 1 year / It is between 10 milliseconds and 31 days'),
    ($$configure_queue('q', backoff => '-00:00:01')$$, '22023 backoff is -00:00:01 / It is between 0, for the default, and 7 days'),
    ($$register_device('ann', '', 'ios')$$, '22023 a device has a user and a token of 1 to 4096 bytes / The token is'),
    ($$job_kind('k', 'pigeon')$$, '22023 unknown channel "pigeon" / Channels: sql, fcm, sms, webhook, external'),
    ($$pause_queue(NULL)$$, '22004 queue is null / Name the queue'),
    ($$resume_queue('')$$, '22023 no queue can have the name "" / A queue''s name has 1 to 255 bytes'),
    ($$purge_queue('*')$$, '22023 no queue can have the name "\*" / A queue''s name has 1 to 255 bytes'),
    ($$redrive(NULL)$$, '22004 queue is null / Leave out what does not matter'),
    ($$redrive(max_jobs => -1)$$, '22023 max_jobs is -1 / It is 0 or more'),
    ($$purge(until => NULL)$$, '22004 until is null / Leave out what does not matter'),
    ($$fetch_jobs('q', 'w', 101)$$, '22023 max_jobs is not between 1 and 100 / Fetch again for more'),
    ($$fetch_jobs('q', 'w', lease => '500 ms')$$, '22023 lease is shorter than a second / It is between a second and 7 days'),
    ($$fetch_jobs('q', 'w', wait => NULL)$$, '22023 wait is null / It is an interval'),
    ($$heartbeat(1, 1, '1 year')$$, '22023 lease is not between 0 and 7 days / It is an interval without months'),
    ($$nack(1, 1, '')$$, '22023 error is empty / Say what went wrong'),
    ($$schedule(NULL, '1 s', 'q', 'sql', '{}')$$, '22004 name is null / Only max_attempts may be null'),
    ($$schedule('s', '0 0 30 2 *', 'q', 'sql', '{}')$$, '22023 "0 0 30 2 \*" is never due / Its day of month'),
    ($$next_slot('* * * * *', after => 'infinity')$$, '22023 after is not finite / It is the moment');
SELECT plan((SELECT count(*)::int FROM bad));
SELECT matches(pg_temp.said(b.call), '^' || b.said, 'E4: ' || b.call) FROM bad b;
SELECT * FROM finish();
ROLLBACK;
