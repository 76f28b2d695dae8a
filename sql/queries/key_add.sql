-- Stores a key. $1 int8 id, $2 text name, $3 jsonb array of scopes, $4 jsonb array of prefixes or NULL, $5 jsonb array of models or NULL,
-- $6 int8 monthly budget in micros or NULL, $7 bytea SHA-256 of the secret, $8 timestamptz expires at or NULL, $9 int8 key that made it or
-- NULL. No row is touched where the id is taken.
INSERT INTO api_key (id, name, scopes, prefixes, models, monthly_budget_micros, secret_hash, expires_at, created_by)
VALUES ($1, $2, ARRAY(SELECT jsonb_array_elements_text($3::jsonb)),
        CASE WHEN $4::jsonb IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text($4::jsonb)) END,
        CASE WHEN $5::jsonb IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text($5::jsonb)) END, $6::int8, $7::bytea, $8::timestamptz, $9::int8)
ON CONFLICT (id) DO NOTHING
