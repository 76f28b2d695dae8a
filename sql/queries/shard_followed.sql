-- Does a running shard belong to this Bedrock job? Walks shard_in_flight. $1 text ARN.  Gives found bool.
SELECT EXISTS (SELECT FROM shard WHERE state = 'running' AND route = 'batch' AND bedrock_arn = $1)
