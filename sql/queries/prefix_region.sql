-- Where the bucket of a place lies, as S3 told. $1 int8 id, $2 text region.
UPDATE prefix SET region = $2, version = version + 1, updated_at = now() WHERE id = $1 AND region <> $2
