-- Do the videos of an import lie outside what the key that asked for it may use? They must lie under one of its places, all under the
-- same, so that the prefix that they may be given is under it too; and the registered prefix that a video would be added to, the longest
-- over it, must lie under one of its places. Walks import_line_by_job; prefix_place for each. $1 int8 job.
-- Gives outside int8 (0 or 1).
SELECT EXISTS (
       SELECT FROM job j JOIN api_key k ON k.id = j.key_id
        WHERE j.id = $1 AND k.prefixes IS NOT NULL
          AND (NOT EXISTS (SELECT FROM unnest(k.prefixes) place
                            WHERE NOT EXISTS (SELECT FROM import_line l
                                               WHERE l.job_id = $1 AND NOT starts_with('s3://' || l.bucket || '/' || l.key, place)))
               OR EXISTS (SELECT FROM import_line l
                           CROSS JOIN LATERAL (SELECT key_prefix FROM prefix
                                                WHERE bucket = l.bucket AND deleted_at IS NULL AND starts_with(l.key, key_prefix)
                                                  AND length(l.key) > length(key_prefix)
                                                ORDER BY length(key_prefix) DESC LIMIT 1) p
                           WHERE l.job_id = $1
                             AND NOT EXISTS (SELECT FROM unnest(k.prefixes) place
                                              WHERE starts_with('s3://' || l.bucket || '/' || p.key_prefix, place)))))::int
