-- What the bridge asks this pack: who connects, who joins, what clients send and read.
SELECT pulse.namespace('/', 'care.connect');

SELECT pulse.policy('family:{familyId}', 'join', 'care.may_join');
SELECT pulse.policy('family:{familyId}', 'history', 'care.may_join');
SELECT pulse.policy('family:{familyId}', 'presence', 'care.may_join');

SELECT pulse.on('join:family', 'care.on_join_family');
SELECT pulse.on('family:send-message', 'care.on_send_message');
SELECT pulse.on('typing:start', 'care.on_typing');
SELECT pulse.on('presence:update', 'care.on_presence_update');
SELECT pulse.on('message:read', 'care.on_message_read');
SELECT pulse.on('alert:acknowledge', 'care.on_acknowledge');

SELECT pulse.route('POST', '/api/v1/care/medication-logs', 'care.post_medication_log');
SELECT pulse.route('POST', '/api/v1/care/shifts/{id}/start', 'care.post_shift_start');
SELECT pulse.route('POST', '/api/v1/care/shifts/{id}/end', 'care.post_shift_end');
SELECT pulse.route('POST', '/api/v1/care/alerts', 'care.post_alert');
SELECT pulse.route('POST', '/api/v1/care/alerts/{id}/acknowledge', 'care.post_acknowledge');
SELECT pulse.route('GET', '/api/v1/care/families/{id}/channels', 'care.get_channels');
SELECT pulse.route('GET', '/api/v1/care/families/{id}/messages', 'care.get_messages');
SELECT pulse.route('GET', '/api/v1/care/families/{id}/activity', 'care.get_activity');
SELECT pulse.route('GET', '/api/v1/care/families/{id}/stats', 'care.get_stats');
SELECT pulse.route('GET', '/api/v1/care/me/badge', 'care.get_badge');
SELECT pulse.stream('/api/v1/care/families/{id}/activity/stream', 'care.activity_stream');
