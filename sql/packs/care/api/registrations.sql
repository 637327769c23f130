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

SELECT pulse.stream('/api/v1/care/families/{id}/activity/stream', 'care.activity_stream');
