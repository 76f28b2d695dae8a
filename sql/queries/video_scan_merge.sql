-- Writes the differences between what a scan listed (scan_video) and what is known of the prefix: one pass over both. The FULL JOIN is
-- meant: it can only be a hash or a merge join, however wrong the planner's idea of the tables is. A name listed twice counts once
-- (ON CONFLICT would do that too, at twice the price of the whole insert).
-- $1 int8 prefix.  Gives inserted int8, updated int8, vanished int8.
WITH difference AS MATERIALIZED (
    SELECT v.id, s.name, s.size_bytes, s.modified_at, s.etag, s.reason
      FROM scan_video s
      FULL JOIN (SELECT * FROM video WHERE prefix_id = $1) v ON v.name = s.name
     WHERE CASE WHEN v.id IS NULL THEN true
                WHEN s.name IS NULL THEN v.vanished_at IS NULL
                ELSE v.size_bytes <> s.size_bytes OR v.etag <> s.etag OR v.modified_at <> s.modified_at
                     OR v.reason IS DISTINCT FROM s.reason OR v.vanished_at IS NOT NULL END
), inserted AS (
    INSERT INTO video (prefix_id, size_bytes, modified_at, name, etag, reason)
    SELECT DISTINCT ON (name) $1::int8, size_bytes, modified_at, name, etag, reason FROM difference WHERE id IS NULL ORDER BY name
    RETURNING 1
), updated AS (
    UPDATE video v
       SET size_bytes = d.size_bytes, modified_at = d.modified_at, etag = d.etag, reason = d.reason, vanished_at = NULL
      FROM difference d WHERE d.id = v.id AND d.name IS NOT NULL
    RETURNING 1
), vanished AS (
    UPDATE video v SET vanished_at = now()
      FROM difference d WHERE d.id = v.id AND d.name IS NULL
    RETURNING 1
)
SELECT (SELECT count(*) FROM inserted), (SELECT count(*) FROM updated), (SELECT count(*) FROM vanished)
