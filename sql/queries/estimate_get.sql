-- How estimates fared for a model in a Region. By primary key. $1 text model key, $2 text Region.
-- Gives records, estimated_input_tokens, input_tokens, estimated_output_tokens, output_tokens: int8.
SELECT records, estimated_input_tokens, input_tokens, estimated_output_tokens, output_tokens
  FROM estimate_fit WHERE model_key = $1 AND region = $2
