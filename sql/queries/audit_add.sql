-- Adds to the log of changes. $1 int8 key or NULL, $2 text who, $3 text action, $4 text subject or NULL, $5 text address or NULL,
-- $6 text request or NULL.
INSERT INTO audit (key_id, who, action, subject, address, request_id) VALUES ($1, $2, $3, $4, $5, $6)
