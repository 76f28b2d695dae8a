-- An import ends without records: what was read is forgotten. Walks import_line_by_job. $1 int8 job.
DELETE FROM import_line WHERE job_id = $1
