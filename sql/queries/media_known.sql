-- What is known for good of these videos: looked at, and nothing that may have passed meanwhile was found. By primary key.
-- $1 int8[] videos.  Gives position int8 in $1 from 1 on, etag text at which it holds.
SELECT wanted.position, m.etag
  FROM unnest($1::int8[]) WITH ORDINALITY wanted(id, position) JOIN video_media m ON m.video_id = wanted.id
 WHERE m.refusal IS NULL OR m.refusal = 'not_a_video'
