-- A page of prefixes. $1 int8 after this id, $2 int8 limit, $3 int8[] only these, NULL: all. Walks the primary key.  Columns: prefix_row_read.
SELECT id, bucket, key_prefix, name, bucket_owner, region, to_jsonb(suffixes)::text, version, scan_state,
       epoch_ms(scan_started_at), epoch_ms(scan_finished_at), scan_listed, scan_error::text,
       video_count, eligible_count, total_bytes, epoch_ms(created_at), epoch_ms(updated_at), deleted_at IS NOT NULL
  FROM prefix
 WHERE id > $1 AND deleted_at IS NULL AND ($3::int8[] IS NULL OR id = ANY($3))
 ORDER BY id LIMIT $2
