-- Was there ever a key? Gives exists int8 (0 or 1).
SELECT EXISTS (SELECT FROM api_key)::int
