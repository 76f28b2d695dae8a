-- Empties the table of what was found in videos.
TRUNCATE pg_temp.media_new
