-- A planned job starts. By primary key. $1 int8 job, $2 text name or NULL (stays), $3 jsonb metadata or NULL (stays).
UPDATE job
   SET state = 'staging', launched_at = coalesce(launched_at, now()), started_at = coalesce(started_at, now()), waiting = NULL,
       name = coalesce($2, name), metadata = coalesce($3::jsonb, metadata), version = version + 1
 WHERE id = $1 AND state = 'planned'
