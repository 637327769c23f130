\set who random(1, 10000)
SELECT ack FROM pulse.handle('/', :event, '[true]', format('{"userId":"u%s","sessionId":"s%s"}', :who::text, :who::text)::json);
