-- The session's table for what was found in videos.
CREATE TEMPORARY TABLE IF NOT EXISTS media_new (LIKE video_media)
