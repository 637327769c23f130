-- Blood groups as sets of antigens: A = 1, B = 2, Rh (D) = 4. Red cells of a donor are safe for a recipient who has every
-- antigen of the donor. That one rule is the whole ABO/Rh table for red cells: each antigen is absent in both, present in
-- the recipient alone, or present in both; 3 × 3 × 3 = 27 of the 64 pairs are compatible.

CREATE OR REPLACE FUNCTION donors.antigens(blood_group text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT array_position(ARRAY['O-', 'A-', 'B-', 'AB-', 'O+', 'A+', 'B+', 'AB+'], antigens.blood_group) - 1;
END;
COMMENT ON FUNCTION donors.antigens(text) IS
    'antigens of a blood group as bits: A 1, B 2, Rh 4; null for anything but the eight groups';

CREATE OR REPLACE FUNCTION donors.can_give(donor_group text, recipient_group text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT (donors.antigens(can_give.donor_group) & ~donors.antigens(can_give.recipient_group)) = 0;
END;
COMMENT ON FUNCTION donors.can_give(text, text) IS
    'whether red cells of donor_group can be given to recipient_group (full ABO/Rh table); null for an unknown group';

-- ARRAY[…], where a literal would be read by a function that is only STABLE: this one could not be inlined then, and would be planned at each call.
CREATE OR REPLACE FUNCTION donors.compatible_antigens(recipient_group text) RETURNS integer[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE donors.antigens(compatible_antigens.recipient_group)
           WHEN 0 THEN ARRAY[0] WHEN 1 THEN ARRAY[0, 1] WHEN 2 THEN ARRAY[0, 2] WHEN 3 THEN ARRAY[0, 1, 2, 3]
           WHEN 4 THEN ARRAY[0, 4] WHEN 5 THEN ARRAY[0, 1, 4, 5] WHEN 6 THEN ARRAY[0, 2, 4, 6] WHEN 7 THEN ARRAY[0, 1, 2, 3, 4, 5, 6, 7] END;
END;
COMMENT ON FUNCTION donors.compatible_antigens(text) IS
    'donors.antigens of every group that can give to recipient_group, the form an index scan can use';
