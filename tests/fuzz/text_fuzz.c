/* The small parsers of server/base. The first byte chooses one; each must accept or refuse, and what it accepts must
 * come back when it is written again. */
#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/text.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { MAX_BYTES = 1 << 20 };

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "text: %s\n", what);
    abort();
}

static void percent(struct span in)
{
    AUTO(buf_done) struct buf decoded = { .max = MAX_BYTES };
    AUTO(buf_done) struct buf encoded = { .max = MAX_BYTES };
    AUTO(buf_done) struct buf again = { .max = MAX_BYTES };

    if (text_percent_decode(&decoded, in, false))
        must(decoded.len <= in.len, "decoding made more of it");
    else
        must(decoded.len == 0, "refused, but something was left");
    text_percent_encode(&encoded, in, true);
    must(text_percent_decode(&again, buf_view(&encoded), true) && span_eq(buf_view(&again), in), "percent round trip");
}

static void base64url(struct span in)
{
    AUTO(buf_done) struct buf bytes = { .max = MAX_BYTES };
    AUTO(buf_done) struct buf again = { .max = MAX_BYTES };

    if (!text_base64url_decode(&bytes, in))
        return;
    text_base64url(&again, buf_view(&bytes).ptr, bytes.len);
    must(span_eq(buf_view(&again), in), "two spellings of one base64url value");
}

static void times(struct span in)
{
    char text[CLOCK_RFC3339_SIZE] = "";
    int64_t ms = 0;
    int64_t again = 0;

    if (clock_parse_rfc3339(in, &ms)) {
        clock_rfc3339(ms, text);
        /* An offset may lead out of the years that can be written. */
        must(clock_parse_rfc3339(span_of(text), &again), "a written time is refused");
        must(again == ms || ms < INT64_C(-62167219200000) || ms > INT64_C(253402300799999), "time round trip");
    }
    if (clock_parse_http_date(in, &ms)) {
        clock_http_date(ms, text);
        must(span_eq_text(in, text), "HTTP date round trip");
    }
}

static void utf8(struct span in)
{
    AUTO(buf_done) struct buf stored = { .max = 3 * MAX_BYTES };
    AUTO(buf_done) struct buf again = { .max = 3 * MAX_BYTES };
    bool clean = text_is_utf8(in) && span_find(in, '\0') == in.len;

    must(text_add_storable(&stored, in) == !clean, "replacing is not told");
    must(text_is_utf8(buf_view(&stored)) && span_find(buf_view(&stored), '\0') == stored.len, "not storable");
    must(!text_add_storable(&again, buf_view(&stored)) && span_eq(buf_view(&again), buf_view(&stored)), "not stable");
    for (size_t max = 0; clean && max <= in.len && max < 64; max++)
        must(text_is_utf8(text_utf8_head(in, max)), "the head is cut inside a character");
}

static void ids(struct span in)
{
    char text[ID_SIZE] = "";
    int64_t id = 0;

    if (id_parse(ID_JOB, in, &id)) {
        id_format(ID_JOB, id, text);
        must(span_eq_text(in, text), "id round trip");
    }
    if (id_parse(ID_RECORD, in, &id)) {
        id_format(ID_RECORD, id, text);
        must(span_eq_text(in, text), "record id round trip");
    }
}

static void numbers(struct span in)
{
    AUTO(buf_done) struct buf out = { .max = 100 };
    int64_t n = 0;
    int64_t again = 0;

    if (text_parse_i64(in, &n)) {
        buf_i64(&out, n);
        must(text_parse_i64(buf_view(&out), &again) && again == n, "number round trip");
    }
    if (text_parse_duration_ms(in, &n))
        must(n >= 0, "a negative duration");
    if (text_parse_size(in, &n))
        must(n >= 0, "a negative size");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static void (*const parsers[])(struct span) = { percent, base64url, times, utf8, ids, numbers };

    if (len == 0 || len > MAX_BYTES / 3)
        return 0;
    parsers[data[0] % (sizeof parsers / sizeof parsers[0])]((struct span){ (const char *)data + 1, len - 1 });
    return 0;
}
