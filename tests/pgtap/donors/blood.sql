-- api/blood.sql: the red-cell table, written out here pair by pair, independent of the antigens that the functions use.
BEGIN;
SELECT plan(9);

CREATE TEMPORARY TABLE given (donor text, recipients text[]);
INSERT INTO given VALUES
    ('O-', '{O-,O+,A-,A+,B-,B+,AB-,AB+}'), ('O+', '{O+,A+,B+,AB+}'),
    ('A-', '{A-,A+,AB-,AB+}'), ('A+', '{A+,AB+}'),
    ('B-', '{B-,B+,AB-,AB+}'), ('B+', '{B+,AB+}'),
    ('AB-', '{AB-,AB+}'), ('AB+', '{AB+}');

SELECT is((SELECT count(*) FROM given d CROSS JOIN given r WHERE donors.can_give(d.donor, r.donor)), 27::bigint,
    'D6: exactly 27 of the 64 pairs are compatible');
SELECT is_empty($$SELECT d.donor, r.donor FROM given d CROSS JOIN given r
                   WHERE donors.can_give(d.donor, r.donor) IS DISTINCT FROM (r.donor = ANY (d.recipients))$$,
    'D6: each of the 64 pairs is as in the red-cell table');
SELECT is(donors.can_give('X', 'O+'), NULL, 'D6: an unknown donor group is neither true nor false');
SELECT is(donors.can_give('O+', 'o+'), NULL, 'D6: an unknown recipient group is neither true nor false');
SELECT is(donors.can_give(NULL, 'O+'), NULL, 'D6: null in, null out');
SELECT volatility_is('donors', 'can_give', ARRAY['text', 'text'], 'immutable', 'D6: can_give is immutable');
SELECT is((SELECT array_agg(donors.antigens(donor) ORDER BY donors.antigens(donor)) FROM given), ARRAY[0, 1, 2, 3, 4, 5, 6, 7],
    'D6: the eight groups are the eight sets of three antigens');
SELECT is_empty($$SELECT r.donor FROM given r
                   WHERE (SELECT array_agg(donors.antigens(d.donor) ORDER BY donors.antigens(d.donor)) FROM given d WHERE donors.can_give(d.donor, r.donor))
                         IS DISTINCT FROM (SELECT array_agg(a ORDER BY a) FROM unnest(donors.compatible_antigens(r.donor)) a)$$,
    'D6: compatible_antigens lists the groups that can give');

-- Inlined: the plan shows the body, not the function.
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || query;
END
$$;
SELECT is_empty($$SELECT l FROM pg_temp.plan_of('SELECT user_id FROM donors.donors WHERE donors.can_give(blood_group, ''A+'')') l
                   WHERE l LIKE '%can_give%'$$, 'D6: can_give is inlined into a query');

SELECT * FROM finish();
ROLLBACK;
