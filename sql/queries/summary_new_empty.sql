-- Empties the table of rows to be merged.
TRUNCATE pg_temp.summary_new
