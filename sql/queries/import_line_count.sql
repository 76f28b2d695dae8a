-- What an import has read. Walks import_line_by_job. $1 int8 job.  Gives lines int8, buckets int8, bucket text, another text.
SELECT count(*), count(DISTINCT bucket), min(bucket), max(bucket) FROM import_line WHERE job_id = $1
