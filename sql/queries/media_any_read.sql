-- Did S3 ever hand out, or know, a video of a prefix as it is now known? Walks the prefix's videos until the first. $1 int8 prefix.
-- Gives int8: 1 or 0.
SELECT EXISTS (SELECT FROM video v JOIN video_media m ON m.video_id = v.id
                WHERE v.prefix_id = $1 AND coalesce(m.refusal, '') NOT IN ('denied', 'unreadable'))::int4::int8
