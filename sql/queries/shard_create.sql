-- Stores a shard. $1 int8 id, $2 int8 job, $3 int4 ordinal, $4 int4 records, $5 text folder, $6 text output folder, $7 text name at
-- Bedrock, $8 text client token, $9 int8 bytes of its videos, $10 int8 most bytes of its JSONL, $11 int8 estimated input tokens,
-- $12 int8 estimated output tokens, $13 text model key, $14 text staging, $15 text route.
INSERT INTO shard (id, job_id, ordinal, record_count, folder_uri, output_uri, bedrock_name, client_token, video_bytes, planned_input_bytes,
                   estimated_input_tokens, estimated_output_tokens, model_key, staging, route)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
