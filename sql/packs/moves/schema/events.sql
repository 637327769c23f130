-- Which change of which row is which event; docs/reference/moves.md is the same table. What a restore loads is no news.

SELECT pulse.watch('moves.orders', 'order:status:updated',
    ARRAY['order:{id}', 'user:{customer_id}', 'user:{porter_id}'],
    operations => 'update', columns => ARRAY['status'],
    payload => '{"orderId":"{id}","status":"{status}","previousStatus":"{old.status}","porterId?":"{porter_id}","updatedAt":"{updated_at}"}',
    partition_key => '{id}');

SELECT pulse.watch('moves.messages', 'chat:message',
    ARRAY['order:{order_id}'],
    operations => 'insert', condition => 'current_setting(''row_security'') = ''on''',
    payload => '{"orderId":"{order_id}","messageId":"{id}","from":"{sender_id}","role":"{sender_role}","message":"{message}","createdAt":"{created_at}"}',
    partition_key => '{order_id}');
