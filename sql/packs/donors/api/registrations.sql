-- What the bridge asks this pack: who connects, who joins, what clients send.
SELECT pulse.namespace('/', 'donors.connect');

SELECT pulse.policy('region:{countryCode}', 'join', 'donors.may_join_region');
SELECT pulse.policy('emergency:{id}', 'join', 'donors.may_join_emergency');
SELECT pulse.policy('emergency:{id}:requester', 'join', 'donors.may_join_requester');
SELECT pulse.policy('donors:available', 'join', 'donors.may_join_available');
SELECT pulse.policy('hospital:{id}', 'join', 'donors.may_join_hospital');

-- Who may be in a room may also have what it missed there: listeners that come back by /sse and /poll on another bridge, pulse.history.
-- Events name nobody that a member may not know (docs/reference/donors.md).
SELECT pulse.policy('region:{countryCode}', 'history', 'donors.may_join_region');
SELECT pulse.policy('emergency:{id}', 'history', 'donors.may_join_emergency');
SELECT pulse.policy('emergency:{id}:requester', 'history', 'donors.may_join_requester');
SELECT pulse.policy('donors:available', 'history', 'donors.may_join_available');
SELECT pulse.policy('hospital:{id}', 'history', 'donors.may_join_hospital');

SELECT pulse.on('donor:update-presence', 'donors.on_update_presence');
SELECT pulse.on('emergency:join', 'donors.on_emergency_join');
SELECT pulse.on('emergency:leave', 'donors.on_emergency_leave');
SELECT pulse.on('emergency:respond', 'donors.on_emergency_respond');

SELECT pulse.route('POST', '/api/v1/blood-requests', 'donors.post_request');
SELECT pulse.route('GET', '/api/v1/blood-requests', 'donors.get_requests');
SELECT pulse.route('GET', '/api/v1/blood-requests/{id}', 'donors.get_request');
SELECT pulse.route('PATCH', '/api/v1/blood-requests/{id}', 'donors.patch_request');
SELECT pulse.route('POST', '/api/v1/blood-requests/{id}/responses', 'donors.post_response');
SELECT pulse.route('PATCH', '/api/v1/donors/me/presence', 'donors.patch_presence');
SELECT pulse.route('GET', '/api/v1/donors/nearby', 'donors.get_nearby');
SELECT pulse.route('GET', '/api/v1/donors/online', 'donors.get_online');
SELECT pulse.route('POST', '/api/v1/users/me/tokens', 'donors.post_token');
SELECT pulse.route('DELETE', '/api/v1/users/me/tokens/{token}', 'donors.delete_token');

-- The channels of an emergency, as quick as the providers allow: 10 at once, 100 a minute, three attempts.
SELECT pulse.job_kind('emergency_push', 'fcm', 'donors.push_args');
SELECT pulse.job_kind('emergency_sms', 'sms', 'donors.sms_args');
SELECT pulse.configure_queue('emergency-notifications', concurrency => 10, rate => 100, per => '1 min', max_attempts => 3);
