#include "server/media/internal.h"

#include <string.h>

enum { MAX_HOURS = 1000, SHORTEST_SIGNATURE = 16 };

void facts_duration(struct media_facts *facts, uint64_t units, uint64_t units_per_second)
{
    uint64_t seconds;

    if (units == 0 || units_per_second == 0 || units_per_second > UINT32_MAX)
        return;
    seconds = units / units_per_second;
    if (seconds < (uint64_t)MAX_HOURS * 3600)
        facts->duration_ms = (int64_t)(seconds * 1000 + units % units_per_second * 1000 / units_per_second);
}

void facts_duration_ms(struct media_facts *facts, double ms)
{
    if (ms > 0 && ms < MAX_HOURS * 3600e3) /* NaN is neither */
        facts->duration_ms = (int64_t)ms;
}

void facts_size(struct media_facts *facts, double width, double height)
{
    if (width >= 1 && height >= 1 && width <= MEDIA_MAX_SIDE && height <= MEDIA_MAX_SIDE) {
        facts->width = (int32_t)width;
        facts->height = (int32_t)height;
    }
}

void facts_codec(struct media_facts *facts, const unsigned char *text, size_t len)
{
    while (len > 0 && (text[len - 1] == 0 || text[len - 1] == ' '))
        len--;
    if (len == 0 || len >= sizeof facts->codec)
        return;
    for (size_t i = 0; i < len; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            return;
    memcpy(facts->codec, text, len);
    facts->codec[len] = '\0';
}

void look_for_more(struct media_look *look, int64_t offset, int64_t len, int64_t file_size)
{
    if (offset < 0 || offset >= file_size)
        return;
    look->more_offset = offset;
    look->more_len = len < file_size - offset ? len : file_size - offset;
}

void media_start(struct span head, int64_t file_size, struct media_look *look)
{
    const struct window w = window_of(head, 0);

    *look = (struct media_look){ .facts.duration_ms = -1 };
    if (iso_knows(&w))
        iso_start(&w, file_size, look);
    else if (ebml_knows(&w))
        ebml_start(&w, file_size, look);
    else if (flv_knows(&w))
        flv_start(&w, look);
    else if (asf_knows(&w))
        asf_start(&w, look);
    else if (mpeg_knows(&w))
        mpeg_start(&w, look);
    else /* too few bytes prove nothing, unless the file has no more */
        look->is_no_video = head.len >= SHORTEST_SIGNATURE || (int64_t)head.len >= file_size;
}

void media_go_on(struct span bytes, int64_t file_size, struct media_look *look)
{
    const struct window w = window_of(bytes, look->more_offset);
    const char *container = look->facts.container;

    if (look->more_len == 0)
        return;
    look->more_len = 0;
    if (container && (strcmp(container, "mkv") == 0 || strcmp(container, "webm") == 0))
        ebml_go_on(&w, file_size, look);
    else
        iso_go_on(&w, file_size, look);
}
