-- The session's table for rows of summary that may be there already.
CREATE TEMPORARY TABLE IF NOT EXISTS summary_new (LIKE summary)
