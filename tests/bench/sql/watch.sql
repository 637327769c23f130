-- The same fields as sql/notify.sql, by pulse.watch.
SELECT pulse.watch('bench.orders', 'bench', ARRAY['bench:{region}'], payload => '{"orderId":"{id}","customerId":"{customer_id}",
    "region":"{region}","status":"{status}","units":"{units}","latitude":"{latitude}","longitude":"{longitude}",
    "createdAt":"{created_at}"}');
SELECT pulse.watch('bench.messages', 'bench', ARRAY['bench:{room}'], payload => '{"room":"{room}","body":"{body}"}');
