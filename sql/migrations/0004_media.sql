-- What looks into videos refused, for the list of videos that can't be run: a few among millions.
CREATE INDEX video_media_refused ON video_media (video_id) WHERE refusal IS NOT NULL;
