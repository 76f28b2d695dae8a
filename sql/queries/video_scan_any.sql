-- Is any video of the prefix known? $1 int8 prefix.  Gives any bool.
SELECT EXISTS (SELECT FROM video WHERE prefix_id = $1)
