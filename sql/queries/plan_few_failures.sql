-- Are the failures that a retry looks at few? Walks summary_not_succeeded up to the limit. $1 int8 job that retries, $2 int8 limit.
-- Gives int8: how many, at most the limit.
SELECT count(*) FROM (SELECT FROM summary WHERE job_id = (SELECT retry_of FROM job WHERE id = $1) AND state <> 'succeeded' LIMIT $2) few
