-- Do the videos of an import lie outside what the key that asked for it may use? They must lie under one of its places, all under the
-- same: the prefix that they may be given is then under it too. Walks import_line_by_job. $1 int8 job.
-- Gives outside int8 (0 or 1).
SELECT EXISTS (
       SELECT FROM job j JOIN api_key k ON k.id = j.key_id
        WHERE j.id = $1 AND k.prefixes IS NOT NULL
          AND NOT EXISTS (SELECT FROM unnest(k.prefixes) place
                           WHERE NOT EXISTS (SELECT FROM import_line l
                                              WHERE l.job_id = $1 AND NOT starts_with('s3://' || l.bucket || '/' || l.key, place))))::int
