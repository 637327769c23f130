-- What the bridge asks this pack: who joins, what clients send and read. Who may be in a room may also have what it missed there.
SELECT pulse.policy('org:{id}', 'join', 'campus.may_join_organization');
SELECT pulse.policy('org:{id}', 'history', 'campus.may_join_organization');
SELECT pulse.policy('heatmap:{id}', 'join', 'campus.may_join_organization');
SELECT pulse.policy('heatmap:{id}', 'history', 'campus.may_join_organization');
SELECT pulse.policy('campus:{id}', 'join', 'campus.may_join_campus');
SELECT pulse.policy('campus:{id}', 'history', 'campus.may_join_campus');
SELECT pulse.policy('building:{id}', 'join', 'campus.may_join_building');
SELECT pulse.policy('building:{id}', 'history', 'campus.may_join_building');

SELECT pulse.on('subscribe', 'campus.on_subscribe');

SELECT pulse.stream('/api/realtime/heatmap/stream', 'campus.heatmap_stream');
SELECT pulse.stream('/api/realtime/issues/stream', 'campus.issue_stream');
SELECT pulse.stream('/api/realtime/stats/stream', 'campus.stats_stream');

SELECT pulse.route('GET', '/api/realtime/heatmap', 'campus.get_heatmap');
SELECT pulse.route('GET', '/api/realtime/stats', 'campus.get_stats');
SELECT pulse.route('POST', '/api/issues', 'campus.post_issue');
SELECT pulse.route('GET', '/api/issues/{id}', 'campus.get_issue');
SELECT pulse.route('PATCH', '/api/issues/{id}', 'campus.patch_issue');
SELECT pulse.route('DELETE', '/api/issues/{id}', 'campus.delete_issue');
SELECT pulse.route('POST', '/api/issues/{id}/resolve', 'campus.resolve_issue');
SELECT pulse.route('POST', '/api/issues/{id}/assign', 'campus.assign_issue');
