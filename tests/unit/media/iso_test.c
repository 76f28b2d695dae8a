/* MP4 and its kin, from boxes that no encoder would write but somebody's does. */
#include "server/media/media.h"

#include "server/base/buf.h"
#include "tests/support/test.h"

#include <string.h>

static void put(struct buf *out, uint64_t n, int bytes)
{
    while (bytes > 0)
        buf_char(out, (char)(n >> 8 * --bytes & 0xff));
}

static void put_zeros(struct buf *out, size_t n)
{
    char *room = buf_room(out, n);

    if (room) {
        memset(room, 0, n);
        buf_grew(out, n);
    }
}

/* The head of a box whose size is filled in by box_end. */
static size_t box(struct buf *out, const char *type)
{
    const size_t at = out->len;

    put(out, 0, 4);
    buf_text(out, type);
    return at;
}

static void box_end(struct buf *out, size_t at)
{
    for (int i = 0; i < 4; i++)
        out->data[at + (size_t)i] = (char)((out->len - at) >> 8 * (3 - i) & 0xff);
}

static void whole_box(struct buf *out, const char *type, size_t body)
{
    const size_t at = box(out, type);

    put_zeros(out, body);
    box_end(out, at);
}

static void movie_header(struct buf *out, int version, uint64_t scale, uint64_t duration)
{
    const size_t at = box(out, "mvhd");
    const int wide = version ? 8 : 4;

    put(out, (uint64_t)version << 24, 4);
    put_zeros(out, (size_t)(2 * wide));
    put(out, scale, 4);
    put(out, duration, wide);
    put_zeros(out, 80);
    box_end(out, at);
}

/* tables: bytes of sample tables in front of stsd, as nobody writes them, and behind it */
static void track(struct buf *out, const char *kind, const char *codec, size_t tables_before, size_t tables_behind)
{
    const size_t trak = box(out, "trak");
    size_t tkhd = 0, mdia = 0, hdlr = 0, minf = 0, stbl = 0, stsd = 0;

    tkhd = box(out, "tkhd");
    put_zeros(out, 76);
    put(out, strcmp(kind, "vide") == 0 ? 640 << 16 : 0, 4);
    put(out, strcmp(kind, "vide") == 0 ? 360 << 16 : 0, 4);
    box_end(out, tkhd);
    mdia = box(out, "mdia");
    hdlr = box(out, "hdlr");
    put_zeros(out, 8);
    buf_text(out, kind);
    put_zeros(out, 12);
    box_end(out, hdlr);
    minf = box(out, "minf");
    hdlr = box(out, "hdlr"); /* QuickTime's second one, of the data */
    put_zeros(out, 4);
    buf_text(out, "dhlralis");
    box_end(out, hdlr);
    stbl = box(out, "stbl");
    whole_box(out, "stts", tables_before);
    stsd = box(out, "stsd");
    put(out, 1, 8);
    put(out, 86, 4);
    buf_text(out, codec);
    put_zeros(out, 24);
    put(out, 320, 2);
    put(out, 180, 2);
    put_zeros(out, 50);
    box_end(out, stsd);
    whole_box(out, "stsz", tables_behind);
    box_end(out, stbl);
    box_end(out, minf);
    box_end(out, mdia);
    box_end(out, trak);
}

static void file_type(struct buf *out, const char *brand)
{
    const size_t at = box(out, "ftyp");

    buf_text(out, brand);
    put_zeros(out, 4);
    box_end(out, at);
}

/* ---- the files ---- */

static void plain(struct buf *f)
{
    size_t moov = 0;

    file_type(f, "isom");
    moov = box(f, "moov");
    movie_header(f, 0, 600, 1500);
    track(f, "vide", "avc1", 0, 100);
    box_end(f, moov);
    whole_box(f, "mdat", 5000);
}

/* A quarter turn: b is 1 and c is -1 in the matrix, 36 bytes that end 8 before tkhd does. */
static void turned(struct buf *out)
{
    static const unsigned char matrix[16] = { [5] = 1, [12] = 255, [13] = 255 };
    char *tkhd = NULL;

    plain(out);
    tkhd = buf_ok(out) ? memmem(out->data, out->len, "tkhd", 4) : NULL;
    if (tkhd)
        memcpy(tkhd + 4 + 76 - 36, matrix, sizeof matrix);
}

static void wide_numbers(struct buf *f)
{
    size_t moov = 0;

    file_type(f, "3gp5");
    put(f, 1, 4); /* a box of 64-bit size */
    buf_text(f, "free");
    put(f, 116, 8);
    put_zeros(f, 100);
    moov = box(f, "moov");
    movie_header(f, 1, 90000, 90000 * 7);
    whole_box(f, "udta", 10);
    track(f, "soun", "mp4a", 0, 10);
    track(f, "vide", "hvc1", 10, 10);
    box_end(f, moov);
}

/* The moov behind the pictures, its audio track first and too large to be fetched with it. */
static void large_tables(struct buf *f)
{
    size_t moov = 0;

    file_type(f, "mp42");
    moov = box(f, "moov");
    movie_header(f, 0, 1000, 4000);
    track(f, "soun", "mp4a", 0, 200000);
    track(f, "vide", "vp09", 0, 300000);
    box_end(f, moov);
}

static void moov_behind(struct buf *f)
{
    size_t moov = 0;

    file_type(f, "qt  ");
    whole_box(f, "wide", 0);
    whole_box(f, "mdat", 100000);
    moov = box(f, "moov");
    movie_header(f, 0, 1000, 4000);
    track(f, "vide", "apch", 0, 400000);
    box_end(f, moov);
}

static void moov_without_end(struct buf *f)
{
    whole_box(f, "mdat", 100000);
    (void)box(f, "moov"); /* size 0: to the end */
    movie_header(f, 0, 1000, 4000);
    track(f, "vide", "mp4v", 0, 10);
}

static void pictures_without_end(struct buf *f)
{
    size_t moov = 0;

    file_type(f, "isom");
    (void)box(f, "mdat");
    put_zeros(f, 300000);
    moov = box(f, "moov");
    movie_header(f, 0, 1000, 4000);
    track(f, "vide", "avc1", 0, 10);
    box_end(f, moov);
}

static void fragmented(struct buf *f)
{
    size_t moov = 0, mvex = 0, mehd = 0;

    file_type(f, "iso5");
    moov = box(f, "moov");
    movie_header(f, 0, 1000, 0);
    track(f, "vide", "avc1", 0, 0);
    mvex = box(f, "mvex");
    whole_box(f, "trex", 24);
    mehd = box(f, "mehd");
    put(f, 1 << 24, 4);
    put(f, 12345, 8);
    box_end(f, mehd);
    box_end(f, mvex);
    box_end(f, moov);
    whole_box(f, "moof", 1000);
}

static void nothing_known(struct buf *f)
{
    size_t moov = 0;

    file_type(f, "isom");
    moov = box(f, "moov");
    movie_header(f, 0, 0, 4000); /* no timescale */
    track(f, "soun", "mp4a", 0, 10);
    box_end(f, moov);
}

static void absurd(struct buf *f)
{
    size_t moov = 0;

    file_type(f, "isom");
    moov = box(f, "moov");
    movie_header(f, 1, 1, UINT64_MAX - 1);
    track(f, "vide", "av\x01\xff", 0, 10);
    box_end(f, moov);
}

static void box_of_four_bytes(struct buf *f)
{
    file_type(f, "isom");
    put(f, 4, 4);
    buf_text(f, "moov");
    put_zeros(f, 100);
}

static void boxes_in_boxes(struct buf *f)
{
    file_type(f, "isom");
    put(f, UINT32_MAX, 4);
    buf_text(f, "moov");
    put(f, UINT32_MAX, 4);
    buf_text(f, "trak");
    for (int i = 0; i < 10000; i++) {
        put(f, UINT32_MAX, 4);
        buf_text(f, "mdia");
    }
}

static void empty_boxes(struct buf *f)
{
    file_type(f, "isom");
    for (int i = 0; i < 30000; i++)
        whole_box(f, "free", 0);
    plain(f);
}

static const struct {
    const char *name;
    void (*make)(struct buf *f);
    int pieces; /* with a head of MEDIA_HEAD_BYTES */
    const char *container, *codec;
    int64_t duration_ms;
    int width, height;
} files[] = {
    { "plain", plain, 1, "mp4", "avc1", 2500, 640, 360 },
    { "turned", turned, 1, "mp4", "avc1", 2500, 360, 640 },
    { "wide_numbers", wide_numbers, 1, "three_gp", "hvc1", 7000, 640, 360 },
    { "large_tables", large_tables, 2, "mp4", "vp09", 4000, 640, 360 },
    { "moov_behind", moov_behind, 2, "mov", "apch", 4000, 640, 360 },
    { "moov_without_end", moov_without_end, 2, "mov", "mp4v", 4000, 640, 360 },
    { "pictures_without_end", pictures_without_end, 2, "mp4", "avc1", 4000, 640, 360 },
    { "fragmented", fragmented, 1, "mp4", "avc1", 12345, 640, 360 },
    { "nothing_known", nothing_known, 1, "mp4", "", -1, 0, 0 },
    { "absurd", absurd, 1, "mp4", "", -1, 640, 360 },
    { "box_of_four_bytes", box_of_four_bytes, 1, "mp4", "", -1, 0, 0 },
    { "boxes_in_boxes", boxes_in_boxes, 1, "mp4", "", -1, 0, 0 },
    { "empty_boxes", empty_boxes, 2, "mp4", "", -1, 0, 0 }, /* more of them than anybody reads */
};

static int look_at(struct span file, size_t head, struct media_look *look)
{
    media_start(span_head(file, head), (int64_t)file.len, look);
    if (look->more_len == 0)
        return 1;
    CHECK(look->more_offset >= 0 && look->more_offset < (int64_t)file.len && look->more_len <= MEDIA_MORE_BYTES);
    media_go_on(span_head(span_tail(file, (size_t)look->more_offset), (size_t)look->more_len), (int64_t)file.len, look);
    CHECK_I64(look->more_len, 0);
    return 2;
}

static void boxes(void)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        AUTO(buf_done) struct buf f = { .max = 2 << 20 };
        struct media_look look;

        test_case("%s", files[i].name);
        files[i].make(&f);
        if (!CHECK(buf_ok(&f)))
            continue;
        CHECK_I64(look_at(buf_view(&f), MEDIA_HEAD_BYTES, &look), files[i].pieces);
        CHECK(!look.is_no_video);
        CHECK_TEXT(look.facts.container, files[i].container);
        CHECK_TEXT(look.facts.codec, files[i].codec);
        CHECK_I64(look.facts.duration_ms, files[i].duration_ms);
        CHECK_I64(look.facts.width, files[i].width);
        CHECK_I64(look.facts.height, files[i].height);
    }
    test_case(NULL);
}

/* Wherever the head ends: what is known in two pieces is right, and nothing is asked for three times. */
static void any_head(void)
{
    AUTO(buf_done) struct buf f = { .max = 1 << 20 };
    struct media_look look;

    plain(&f);
    for (size_t head = 12; head <= 800 && CHECK(buf_ok(&f)); head++) {
        test_case("a head of %zu bytes", head);
        (void)look_at(buf_view(&f), head, &look);
        CHECK_I64(look.facts.duration_ms, 2500);
        CHECK_TEXT(look.facts.codec, "avc1");
        CHECK_I64(look.facts.height, 360);
    }
    test_case(NULL);
}

/* A file that ends too early says what it can. */
static void cut_files(void)
{
    AUTO(buf_done) struct buf f = { .max = 1 << 20 };
    struct media_look look;
    int known = 0;

    plain(&f);
    for (size_t len = 12; len < f.len && CHECK(buf_ok(&f)); len += 7) {
        CHECK(look_at(span_head(buf_view(&f), len), MEDIA_HEAD_BYTES, &look) <= 2);
        CHECK(look.facts.duration_ms == -1 || look.facts.duration_ms == 2500);
        CHECK(!look.is_no_video);
        known += look.facts.duration_ms == 2500;
    }
    CHECK(known > 100);
}

static const struct test tests[] = {
    { "boxes", boxes },
    { "any_head", any_head },
    { "cut_files", cut_files },
};

TEST_MAIN("media_iso", tests)
