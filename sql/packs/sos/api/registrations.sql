-- What the bridge asks this pack: who connects, who joins, what clients and the SOS service send.
SELECT pulse.namespace('/', 'sos.connect');

SELECT pulse.policy('sos:{sosId}', 'join', 'sos.may_join');
SELECT pulse.policy('sos:{sosId}', 'history', 'sos.may_join');
SELECT pulse.policy('sos:{sosId}', 'presence', 'sos.may_join');

SELECT pulse.on('sos:init', 'sos.on_init');
SELECT pulse.on('sos:status:update', 'sos.on_status_update');
SELECT pulse.on('sos:close', 'sos.on_close');
SELECT pulse.on('location:update', 'sos.on_location');
SELECT pulse.on('message:send', 'sos.on_message');
SELECT pulse.on('webrtc:offer', 'sos.on_webrtc_offer');
SELECT pulse.on('webrtc:answer', 'sos.on_webrtc_answer');
SELECT pulse.on('webrtc:candidate', 'sos.on_webrtc_candidate');

SELECT pulse.route('POST', '/internal/realtime/sos/init', 'sos.internal_init', 'internal');
SELECT pulse.route('POST', '/internal/realtime/sos/{sosId}/status', 'sos.internal_status', 'internal');
SELECT pulse.route('POST', '/internal/realtime/sos/{sosId}/close', 'sos.internal_close', 'internal');
SELECT pulse.route('GET', '/internal/realtime/sos/{sosId}/state', 'sos.internal_state', 'internal');
SELECT pulse.route('GET', '/api/v1/sos/{sosId}/messages', 'sos.get_messages');
SELECT pulse.route('GET', '/api/v1/sos/{sosId}/track', 'sos.get_track');

-- The SOS service may be away for a while: twelve attempts within some twenty minutes.
SELECT pulse.job_kind('sos_verify', 'webhook', '_sos.verify_request');
SELECT pulse.job_kind('sos_tell', 'webhook', '_sos.tell_request');
SELECT pulse.configure_queue('sos-service', concurrency => 10, max_attempts => 12, backoff => '1 s', backoff_max => '5 min');
