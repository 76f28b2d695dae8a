-- Writes what changed; what is gone keeps what was known of it. Walks scan_change; video by its key.
UPDATE video v
   SET size_bytes = coalesce(c.size_bytes, v.size_bytes), modified_at = coalesce(c.modified_at, v.modified_at),
       etag = coalesce(c.etag, v.etag), reason = CASE WHEN c.size_bytes IS NULL THEN v.reason ELSE c.reason END,
       vanished_at = CASE WHEN c.size_bytes IS NULL THEN now() END
  FROM scan_change c
 WHERE v.id = c.id
