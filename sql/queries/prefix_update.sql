-- Changes what is given. $1 int8 id, $2 text name or NULL, $3 text owner or NULL, $4 bool no owner any more, $5 jsonb suffixes or NULL.
UPDATE prefix
   SET name = coalesce($2, name), bucket_owner = CASE WHEN $4::bool THEN NULL ELSE coalesce($3, bucket_owner) END,
       suffixes = CASE WHEN $5::jsonb IS NULL THEN suffixes ELSE ARRAY(SELECT jsonb_array_elements_text($5::jsonb)) END,
       version = version + 1, updated_at = now()
 WHERE id = $1 AND deleted_at IS NULL
