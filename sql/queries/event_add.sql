-- Adds to the story of a job. $1 int8 job, $2 text kind, $3 jsonb detail or NULL.
INSERT INTO event (job_id, kind, detail) VALUES ($1, $2, $3)
