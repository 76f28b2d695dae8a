-- Registers a place. $1 text bucket, $2 text key prefix, $3 text name, $4 text owner or NULL, $5 text region, $6 jsonb array of suffixes.
-- Gives id int8; no row when the place is taken (prefix_at says by which).
INSERT INTO prefix (bucket, key_prefix, name, bucket_owner, region, suffixes)
VALUES ($1, $2, $3, $4, $5, ARRAY(SELECT jsonb_array_elements_text($6::jsonb)))
ON CONFLICT (bucket, key_prefix) WHERE deleted_at IS NULL DO NOTHING
RETURNING id
