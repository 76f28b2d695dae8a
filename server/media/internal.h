/* The readers behind media.h, one a container. Private to server/media. Each gets a look whose facts are "not known",
 * and fills in what it finds. */
#ifndef VIDBATCH_MEDIA_INTERNAL_H
#define VIDBATCH_MEDIA_INTERNAL_H

#include "server/media/media.h"
#include "server/media/window.h"

/* ISO base media: MP4, QuickTime, 3GP (ISO/IEC 14496-12, QuickTime File Format). */
bool iso_knows(const struct window *w);
void iso_start(const struct window *w, int64_t file_size, struct media_look *look);
void iso_go_on(const struct window *w, int64_t file_size, struct media_look *look);
/* Matroska and WebM (RFC 8794, RFC 9559). */
bool ebml_knows(const struct window *w);
void ebml_start(const struct window *w, int64_t file_size, struct media_look *look);
void ebml_go_on(const struct window *w, int64_t file_size, struct media_look *look);
/* Flash video (Adobe FLV/F4V specification 10.1, annex E). */
bool flv_knows(const struct window *w);
void flv_start(const struct window *w, struct media_look *look);
/* MPEG program and transport streams, elementary video (ISO/IEC 13818-1, 11172-2). */
bool mpeg_knows(const struct window *w);
void mpeg_start(const struct window *w, struct media_look *look);
/* Windows Media (Advanced Systems Format specification 1.2). */
bool asf_knows(const struct window *w);
void asf_start(const struct window *w, struct media_look *look);

/* Each sets a fact where it can be believed, and leaves it unknown otherwise. */
void facts_duration(struct media_facts *facts, uint64_t units, uint64_t units_per_second);
void facts_duration_ms(struct media_facts *facts, double ms);
void facts_size(struct media_facts *facts, double width, double height);
void facts_codec(struct media_facts *facts, const unsigned char *text, size_t len);
/* Asks for a piece of the file, cut to what is there. */
void look_for_more(struct media_look *look, int64_t offset, int64_t len, int64_t file_size);

#endif
