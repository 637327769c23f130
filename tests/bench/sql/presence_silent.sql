\set who random(1, 10000)
SELECT ack FROM pulse.handle('/', 'bench:present', '[false]', format('{"userId":"u%s","sessionId":"s%s"}', :who::text, :who::text)::json);
