-- Registers the folder of imported videos. No scan is started: until one is asked for, jobs over it are refused, and told why.
-- $1 text bucket, $2 text key prefix, $3 text region, $4 jsonb array of suffixes, $5 jsonb what the scan's error says.
INSERT INTO prefix (bucket, key_prefix, name, region, suffixes, scan_state, scan_error)
VALUES ($1, $2, 'imported', $3, ARRAY(SELECT jsonb_array_elements_text($4::jsonb)), 'failed', $5::jsonb)
ON CONFLICT (bucket, key_prefix) WHERE deleted_at IS NULL DO NOTHING
