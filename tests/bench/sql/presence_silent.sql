\set who random(1, 10000)
SELECT ack FROM pulse.handle('/', :event, '[false]', format('{"userId":"u%s","sessionId":"s%s"}', :who::text, :who::text)::json);
