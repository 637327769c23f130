-- pulse.mint_token: what is in a token, who may make one, and what is never signed. Signatures are checked by pgcrypto.
BEGIN;
SELECT plan(35);
CREATE EXTENSION IF NOT EXISTS pgcrypto;

CREATE FUNCTION pg_temp.secret(secret text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY (SELECT %L) TO %L', secret, current_setting('data_directory') || '/token_test_secret');
    RETURN secret;
END $$;
CREATE FUNCTION pg_temp.decoded(part text) RETURNS bytea LANGUAGE sql
    RETURN decode(rpad(translate(part, '-_', '+/'), (length(part) + 3) / 4 * 4, '='), 'base64');
CREATE FUNCTION pg_temp.part(token text, n int) RETURNS text LANGUAGE sql RETURN convert_from(pg_temp.decoded(split_part(token, '.', n)), 'UTF8');
CREATE FUNCTION pg_temp.claims(token text) RETURNS jsonb LANGUAGE sql RETURN pg_temp.part(token, 2)::jsonb;
CREATE FUNCTION pg_temp.is_signed(token text, secret text) RETURNS boolean LANGUAGE sql
    RETURN pg_temp.decoded(split_part(token, '.', 3)) = hmac(split_part(token, '.', 1) || '.' || split_part(token, '.', 2), secret, 'sha256');
CREATE FUNCTION pg_temp.now() RETURNS bigint LANGUAGE sql RETURN floor(extract(epoch FROM clock_timestamp()));

-- without a secret
SELECT is(current_setting('pulse.jwt_secret_file'), '', 'M8: no file is set at first');
SELECT throws_ok($$SELECT pulse.mint_token('{}')$$, '55000', 'pulse.jwt_secret_file is not set, so there is no secret to sign a token with', 'M8: without a file nothing is signed');
SET pulse.jwt_secret_file = 'nowhere/token_test_secret';
SELECT throws_like($$SELECT pulse.mint_token('{}')$$, 'the file of pulse.jwt_secret_file cannot be read: No such file%', 'M8: a missing file is named by its setting, not by its path');
SET pulse.jwt_secret_file = 'token_test_secret';
SELECT pg_temp.secret(repeat('s', 31));
SELECT throws_ok($$SELECT pulse.mint_token('{}')$$, 'F0000', 'the secret in the file of pulse.jwt_secret_file is shorter than 32 bytes', 'M8: a short secret is refused, as bridges refuse it');
SELECT pg_temp.secret('');
SELECT throws_ok($$SELECT pulse.mint_token('{}')$$, 'F0000', 'the secret in the file of pulse.jwt_secret_file is shorter than 32 bytes', 'M8: an empty file is no secret');
SELECT pg_temp.secret(repeat('s', 4100));
SELECT throws_ok($$SELECT pulse.mint_token('{}')$$, 'F0000', 'the file of pulse.jwt_secret_file is longer than a secret', 'M8: a large file is none either');

-- a token
SELECT pg_temp.secret('a secret that is long enough for HS256');
CREATE TEMP TABLE minted AS SELECT pulse.mint_token('{ "userId": "ann", "n": 1.50, "s": "a  b" }') AS token, pg_temp.now() AS at;
SELECT is(array_length(string_to_array(token, '.'), 1), 3, 'M8: a token has three parts') FROM minted;
SELECT is(pg_temp.part(token, 1), '{"alg":"HS256","typ":"JWT"}', 'M8: it says how it is signed') FROM minted;
SELECT ok(pg_temp.is_signed(token, 'a secret that is long enough for HS256'), 'M8: the signature is that of the file''s secret, without the newline') FROM minted;
SELECT matches(pg_temp.part(token, 2), '^{"userId":"ann","n":1\.50,"s":"a  b","iat":\d+,"exp":\d+,"jti":"[\w-]{22}"}$', 'M8: claims stay as they were written, and iat, exp and jti follow') FROM minted;
SELECT is(token ~ '^[A-Za-z0-9_.-]+$', true, 'M8: nothing in it needs escaping in a URL') FROM minted;
SELECT cmp_ok(at - (pg_temp.claims(token) ->> 'iat')::bigint, '<=', 1::bigint, 'M8: iat is now') FROM minted;
SELECT is((pg_temp.claims(token) ->> 'exp')::bigint - (pg_temp.claims(token) ->> 'iat')::bigint, 86400::bigint, 'M8: a token is good for 24 hours when nobody says more') FROM minted;
SELECT is((c ->> 'exp')::bigint - (c ->> 'iat')::bigint, 900::bigint, 'M8: or as long as ttl says') FROM pg_temp.claims(pulse.mint_token('{}', '15 minutes')) c;
SELECT is(pg_temp.claims(pulse.mint_token('{"iat":1,"exp":2.5,"jti":"mine"}')), '{"iat":1,"exp":2.5,"jti":"mine"}', 'M8: what the claims say already is kept');
SELECT isnt(pg_temp.claims(pulse.mint_token('{}')) ->> 'jti', pg_temp.claims(pulse.mint_token('{}')) ->> 'jti', 'M8: every token has a jti of its own');
SELECT is(pg_temp.claims(pulse.mint_token('{"name":"Jürgen ☃","q":"\"\\"}')) - 'iat' - 'exp' - 'jti', '{"name":"Jürgen ☃","q":"\"\\"}', 'M8: any text');

-- another secret counts at once
SELECT pg_temp.secret('another secret that is long enough too');
SELECT ok(pg_temp.is_signed(pulse.mint_token('{}'), 'another secret that is long enough too'), 'M8: a new secret in the file counts at the next call');

-- what no bridge would take is not signed
SELECT throws_ok(format('SELECT pulse.mint_token(%L)', claims), '22023', message, 'M8: not signed: ' || claims)
    FROM (VALUES ('[1]', 'claims: no JSON object'), ('"x"', 'claims: no JSON object'), ('{"a":1,"a":2}', 'claims: "a" is there twice'),
                 ('{"userId":"ann","user\u0049d":"root"}', 'claims: "userId" is there twice'),
                 ('{"a":[{"b":{"c":1,"c":1}}]}', 'claims: "c" is there twice'), ('{"exp":"tomorrow"}', 'claims: "exp" is no number'),
                 ('{"exp":null}', 'claims: "exp" is no number'), ('{"nbf":"now"}', 'claims: "nbf" is no number'), ('{"jti":7}', 'claims: "jti" is no string')) bad (claims, message);
SELECT throws_ok(format('SELECT pulse.mint_token(%L)', repeat('{"a":', 40) || '1' || repeat('}', 40)), '22023', 'claims: nested too deeply', 'M8: not signed: a deep one');
SELECT throws_like(format('SELECT pulse.mint_token(json_build_object(%L, repeat(%L, 7000)))', 'a', 'x'), 'the token has % bytes', 'M8: not signed: more than a bridge reads');
SELECT throws_ok(format('SELECT pulse.mint_token(%L, %L)', '{}', ttl), '22023', 'ttl is not positive', 'M8: not for ' || ttl) FROM unnest(ARRAY['0 s', '-1 h']) ttl;
SELECT throws_ok($$SELECT pulse.mint_token(NULL)$$, '22004', 'claims is null', 'M8: not of nothing');
SELECT throws_ok($$SELECT pulse.mint_token('{}', NULL)$$, '22004', 'ttl is null', 'M8: not for ever');

-- who may
SET ROLE pulse_admin;
SELECT lives_ok($$SELECT pulse.mint_token('{"userId":"ann"}')$$, 'M8: pulse_admin makes tokens');
SELECT throws_ok($$SHOW pulse.jwt_secret_file$$, '42501', NULL, 'M8: and does not learn where the secret is');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
