-- The same fields as sql/notify.sql, by pulse.watch.
SELECT pulse.watch('bench.orders', 'bench', ARRAY['orders:{region}'], payload => '{"orderId":"{id}","customerId":"{customer_id}",
    "region":"{region}","status":"{status}","units":"{units}","latitude":"{latitude}","longitude":"{longitude}",
    "createdAt":"{created_at}"}');
