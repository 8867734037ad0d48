-- Ids are taken before a transaction commits. Without order between the two, a user could
-- become visible after one with a higher id: who had read the list up to that one, and
-- went on with its cursor, would never see the first. So one transaction at a time
-- inserts: the lock is taken before the first id, and given back after the commit.
CREATE OR REPLACE FUNCTION users_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(x'5553455253'::bigint); -- "USERS"
    RETURN NULL;
END
$$;
--bun:split
DROP TRIGGER IF EXISTS users_in_order ON users;
--bun:split
CREATE TRIGGER users_in_order BEFORE INSERT ON users FOR EACH STATEMENT EXECUTE FUNCTION users_in_order();
