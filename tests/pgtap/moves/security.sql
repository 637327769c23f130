-- What holds for the pack as a whole, and what its owner alone may do.
BEGIN;
SELECT plan(14);

\set pack moves
\set undumped ''
\ir ../../support/pack_security.sql

-- an application's role
CREATE ROLE moves_app NOLOGIN;
GRANT INSERT, UPDATE, SELECT ON moves.orders, moves.job_offers, moves.job_offer_porters TO moves_app;
SET LOCAL ROLE moves_app;
SELECT lives_ok($$INSERT INTO moves.orders (id, customer_id) VALUES ('o1', 'ann'); INSERT INTO moves.job_offers (id, order_id) VALUES ('j1', 'o1');
                  INSERT INTO moves.job_offer_porters (offer_id, porter_id) VALUES ('j1', 'pat'); UPDATE moves.orders SET status = 'cancelled'$$,
    'an application offers jobs with no rights but those on three tables');
SELECT throws_ok($$SELECT moves.mint_access_token('ann', 'admin')$$, '42501', NULL, 'it makes no tokens');
SELECT throws_ok($$SELECT * FROM moves.porter_positions$$, '42501', NULL, 'and sees no positions');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
