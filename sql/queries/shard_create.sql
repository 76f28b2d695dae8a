-- Stores a shard. $1 int8 id, $2 int8 job, $3 int4 ordinal, $4 int4 records, $5 text folder, $6 text output folder, $7 text name at
-- Bedrock, $8 text client token.
INSERT INTO shard (id, job_id, ordinal, record_count, folder_uri, output_uri, bedrock_name, client_token)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
