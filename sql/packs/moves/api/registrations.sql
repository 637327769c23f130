-- What the bridge asks this pack: who connects, who joins, what clients send and read.
SELECT pulse.namespace('/client', 'moves.connect_client');
SELECT pulse.namespace('/porter', 'moves.connect_porter');
SELECT pulse.namespace('/admin', 'moves.connect_admin');

-- Who may be in an order's room may also have what it missed there: chat and changes of the status.
SELECT pulse.policy('order:{id}', 'join', 'moves.may_join_order');
SELECT pulse.policy('order:{id}', 'history', 'moves.may_join_order');

-- Each event exists in each namespace: who may not send it hears why, and not that there is no such event.
SELECT pulse.on('order:subscribe', 'moves.on_order_subscribe', '/client');
SELECT pulse.on('order:subscribe', 'moves.on_order_subscribe', '/porter');
SELECT pulse.on('order:subscribe', 'moves.on_order_subscribe', '/admin');
SELECT pulse.on('order:unsubscribe', 'moves.on_order_unsubscribe', '/client');
SELECT pulse.on('order:unsubscribe', 'moves.on_order_unsubscribe', '/porter');
SELECT pulse.on('order:unsubscribe', 'moves.on_order_unsubscribe', '/admin');
SELECT pulse.on('location:update', 'moves.on_location_update', '/client');
SELECT pulse.on('location:update', 'moves.on_location_update', '/porter');
SELECT pulse.on('location:update', 'moves.on_location_update', '/admin');
SELECT pulse.on('porter:availability', 'moves.on_availability', '/client');
SELECT pulse.on('porter:availability', 'moves.on_availability', '/porter');
SELECT pulse.on('porter:availability', 'moves.on_availability', '/admin');
SELECT pulse.on('job:offer:accept', 'moves.on_offer_accept', '/client');
SELECT pulse.on('job:offer:accept', 'moves.on_offer_accept', '/porter');
SELECT pulse.on('job:offer:accept', 'moves.on_offer_accept', '/admin');
SELECT pulse.on('job:offer:reject', 'moves.on_offer_reject', '/client');
SELECT pulse.on('job:offer:reject', 'moves.on_offer_reject', '/porter');
SELECT pulse.on('job:offer:reject', 'moves.on_offer_reject', '/admin');
SELECT pulse.on('chat:message:send', 'moves.on_chat_message', '/client', key => '{orderId}/{clientMessageId}');
SELECT pulse.on('chat:message:send', 'moves.on_chat_message', '/porter', key => '{orderId}/{clientMessageId}');
SELECT pulse.on('chat:message:send', 'moves.on_chat_message', '/admin', key => '{orderId}/{clientMessageId}');

-- Of one user, over all devices and bridges. SELECT pulse.limit('chat', 20, '60 s') of an application changes one at once.
SELECT pulse.limit('general', 100, '60 s');
SELECT pulse.limit('location', 1000, '60 s');
SELECT pulse.limit('chat', 50, '60 s');
SELECT pulse.limit_event('*', 'general', '/client');
SELECT pulse.limit_event('*', 'general', '/porter');
SELECT pulse.limit_event('*', 'general', '/admin');
SELECT pulse.limit_event('location:update', 'location', '/client');
SELECT pulse.limit_event('location:update', 'location', '/porter');
SELECT pulse.limit_event('location:update', 'location', '/admin');
SELECT pulse.limit_event('chat:message:send', 'chat', '/client');
SELECT pulse.limit_event('chat:message:send', 'chat', '/porter');
SELECT pulse.limit_event('chat:message:send', 'chat', '/admin');

SELECT pulse.route('POST', '/api/v1/socket-token', 'moves.post_socket_token');
SELECT pulse.route('GET', '/api/v1/orders/{id}', 'moves.get_order');
SELECT pulse.route('GET', '/api/v1/orders/{id}/messages', 'moves.get_messages');
SELECT pulse.route('GET', '/api/v1/orders/{id}/location', 'moves.get_location');
