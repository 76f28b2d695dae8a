-- The latest import of a place that did not fail and was not cancelled. Walks job_imports backward. $1 text output URI.  Gives id int8.
SELECT id FROM job WHERE import_output_uri = $1 AND state NOT IN ('failed', 'cancelled') ORDER BY id DESC LIMIT 1
