-- Who has this place? $1 text bucket, $2 text key prefix. By prefix_place.  Gives id int8.
SELECT id FROM prefix WHERE bucket = $1 AND key_prefix = $2 AND deleted_at IS NULL
