-- Empties the table of a scan.
TRUNCATE pg_temp.scan_video
