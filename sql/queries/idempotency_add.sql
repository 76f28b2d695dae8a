-- Remembers an answer. $1 text route, $2 text key, $3 bytea hash of the body, $4 int4 status, $5 text location or NULL, $6 text body.
INSERT INTO idempotency (route, key, body_hash, status, location, body) VALUES ($1, $2, $3, $4, $5, $6)
