/* Which container a file is of, Matroska whose parts are anywhere, and what is no video for certain. */
#include "server/media/media.h"

#include "server/base/buf.h"
#include "tests/support/test.h"

#include <string.h>

#define BYTES(text) ((struct span){ "" text, sizeof(text) - 1 })
#define PACK "\x00\x00\x01\xBA\x44\x00\x04\x00\x04\x01\x00\x00\x03\xF8"
#define SEQUENCE "\x00\x00\x01\xB3\x2D\x01\xE0\x24\xFF\xFF\xE0\x18"
#define PNG "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x02\x80\0\0\x01\xE0\x08\x02\0\0\0"

static const struct {
    const char *name;
    struct span head;
    int64_t file_size;
    bool is_no_video;
    const char *container; /* NULL: not known */
} heads[] = {
    { "text", BYTES("This is a readme, not a video.\n"), 31, true, NULL },
    { "a few bytes", BYTES("hello"), 5, true, NULL },
    { "a few bytes of many", BYTES("\x00\x00\x00"), 5000, false, NULL },
    { "zeros", BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), 16, true, NULL },
    { "JPEG", BYTES("\xFF\xD8\xFF\xE0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01"), 9000, true, NULL },
    { "PNG of 640 x 480", BYTES(PNG), 9000, true, NULL }, /* its height reads 00 00 01 E0 */
    { "AVI",
      BYTES("RIFF\x10\x00\x00\x00"
            "AVI LIST\x00\x00"),
      9000, true, NULL },
    { "Ogg", BYTES("OggS\x00\x02\0\0\0\0\0\0\0\0\0\0"), 9000, true, NULL },
    { "MP3", BYTES("ID3\x04\0\0\0\0\0\x23TSSE\0\0"), 9000, true, NULL },
    { "ZIP", BYTES("PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0"), 9000, true, NULL },
    { "MP4",
      BYTES("\x00\x00\x00\x18"
            "ftypisom\0\0\0\0isommp42"),
      24, false, "mp4" },
    { "QuickTime of old", BYTES("\x00\x00\x10\x00mdat\0\0\0\0\0\0\0\0"), 4096, false, "mov" },
    { "3GP",
      BYTES("\x00\x00\x00\x18"
            "ftyp3gp5\0\0\0\0isommp42"),
      24, false, "three_gp" },
    { "Matroska", BYTES("\x1A\x45\xDF\xA3\x8B\x42\x82\x88matroska\xEC\x80"), 18, false, "mkv" },
    { "WebM", BYTES("\x1A\x45\xDF\xA3\x87\x42\x82\x84webm\xEC\x80\xEC\x80"), 16, false, "webm" },
    { "FLV", BYTES("FLV\x01\x05\0\0\0\x09\0\0\0\0\0\0\0"), 16, false, "flv" },
    { "ASF", BYTES("\x30\x26\xB2\x75\x8E\x66\xCF\x11\xA6\xD9\x00\xAA\x00\x62\xCE\x6C"), 9000, false, "wmv" },
    { "program stream", BYTES(PACK SEQUENCE), 9000, false, "mpeg" },
    { "program stream behind rubbish", BYTES("\xff\xff\xff" PACK), 9000, false, "mpeg" },
    { "elementary stream", BYTES(SEQUENCE "\0\0\0\0"), 9000, false, "mpeg" },
    { "a start code by chance", BYTES("\x00\x00\x01\xB3\x00\x00\x00\x00\0\0\0\0\0\0\0\0"), 9000, true, NULL },
};

static void containers(void)
{
    struct media_look look;

    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        test_case("%s", heads[i].name);
        media_start(heads[i].head, heads[i].file_size, &look);
        CHECK_I64(look.is_no_video, heads[i].is_no_video);
        CHECK_TEXT(look.facts.container, heads[i].container);
        CHECK_I64(look.facts.duration_ms, -1);
    }
    test_case(NULL);
}

static void transport_packets(void)
{
    for (int size = 188; size <= 204; size += size == 188 ? 4 : 12) {
        char head[4 * 204 + 100];
        struct media_look look;

        test_case("packets of %d bytes", size);
        memset(head, 0xff, sizeof head);
        for (int i = 0; i < 4; i++)
            head[50 + i * size] = 0x47;
        media_start((struct span){ head, sizeof head }, 100000, &look);
        CHECK_TEXT(look.facts.container, "mpeg");
        head[50 + size] = 0;
        media_start((struct span){ head, sizeof head }, 100000, &look);
        CHECK(look.is_no_video);
    }
    test_case(NULL);
}

/* ---- Matroska ---- */

#define EBML "\x1A\x45\xDF\xA3\x8B\x42\x82\x88matroska"
#define SEGMENT "\x18\x53\x80\x67\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF"                          /* of unknown size */
#define INFO "\x15\x49\xA9\x66\x8E\x2A\xD7\xB1\x83\x0F\x42\x40\x44\x89\x84\x45\x9C\x40\x00" /* 5000 ticks of 1 ms */
#define TRACKS                                                                                                         \
    "\x16\x54\xAE\x6B\xA0"                                                                                             \
    "\xAE\x88\x83\x81\x02\x86\x83"                                                                                     \
    "A_X"                                                                                                              \
    "\xAE\x94\x86\x85V_VP8\xE0\x88\xB0\x82\x02\x80\xBA\x82\x01\x68\x83\x81\x01"
#define SEEK(id, place) "\x4D\xBB\x8D\x53\xAB\x84" id "\x53\xAC\x83" place
#define SEEK_HEAD(info, tracks) "\x11\x4D\x9B\x74\xA0" SEEK("\x15\x49\xA9\x66", info) SEEK("\x16\x54\xAE\x6B", tracks)
#define CLUSTER "\x1F\x43\xB6\x75"

static struct media_look look_at(const struct buf *file, int *pieces)
{
    struct media_look look;
    const int64_t size = (int64_t)file->len;

    media_start(span_head(buf_view(file), MEDIA_HEAD_BYTES), size, &look);
    *pieces = 1;
    if (look.more_len > 0) {
        const struct span rest = span_tail(buf_view(file), (size_t)look.more_offset);

        media_go_on(span_head(rest, (size_t)look.more_len), size, &look);
        CHECK_I64(look.more_len, 0);
        ++*pieces;
    }
    return look;
}

static void add(struct buf *file, struct span bytes)
{
    buf_span(file, bytes);
}

static void fill(struct buf *file, size_t until)
{
    while (buf_ok(file) && file->len < until)
        buf_char(file, 0);
}

static void matroska(void)
{
    enum { SEGMENT_AT = 28, FAR = 0x012345 };
    static const struct {
        const char *name;
        struct span front; /* behind the head of the Segment */
        struct span back;  /* at FAR from there */
        int pieces;
        int64_t duration_ms;
        int width, height;
        const char *codec;
    } cases[] = {
        { "in front", BYTES(INFO TRACKS CLUSTER "\xFF"), BYTES(""), 1, 5000, 640, 360, "V_VP8" },
        { "the other way round", BYTES("\xEC\x81\0" TRACKS INFO), BYTES(""), 1, 5000, 640, 360, "V_VP8" },
        { "tracks only", BYTES(TRACKS CLUSTER "\xFF"), BYTES(INFO), 1, -1, 640, 360, "V_VP8" },
        { "both behind", BYTES(SEEK_HEAD("\x01\x23\x45", "\x01\x23\x58") CLUSTER "\xFF"), BYTES(INFO TRACKS), 2, 5000,
          640, 360, "V_VP8" },
        { "tracks first behind", BYTES(SEEK_HEAD("\x01\x23\x6A", "\x01\x23\x45") CLUSTER "\xFF"), BYTES(TRACKS INFO), 2,
          5000, 640, 360, "V_VP8" },
        { "info behind", BYTES(SEEK_HEAD("\x01\x23\x45", "\x00\x00\x25") TRACKS CLUSTER "\xFF"), BYTES(INFO), 2, 5000,
          640, 360, "V_VP8" },
        { "behind a large element", BYTES("\xEC\x20\xFF\xFF"), BYTES(""), 1, -1, 0, 0, "" },
        { "behind the end", BYTES(SEEK_HEAD("\xFF\xFF\xFF", "\xFF\xFF\xFE") CLUSTER "\xFF"), BYTES(""), 1, -1, 0, 0,
          "" },
        { "a loop", BYTES(SEEK_HEAD("\x00\x00\x00", "\x00\x00\x00") CLUSTER "\xFF"), BYTES(""), 2, -1, 0, 0, "" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(buf_done) struct buf file = { .max = 1 << 20 };
        struct media_look look;
        int pieces = 0;

        test_case("%s", cases[i].name);
        add(&file, BYTES(EBML SEGMENT));
        CHECK_I64(file.len, SEGMENT_AT);
        add(&file, cases[i].front);
        if (cases[i].back.len > 0)
            fill(&file, SEGMENT_AT + FAR);
        add(&file, cases[i].back);
        look = look_at(&file, &pieces);
        CHECK_I64(pieces, cases[i].pieces);
        CHECK_I64(look.facts.duration_ms, cases[i].duration_ms);
        CHECK_I64(look.facts.width, cases[i].width);
        CHECK_I64(look.facts.height, cases[i].height);
        CHECK_TEXT(look.facts.codec, cases[i].codec);
    }
    test_case(NULL);
}

/* Numbers that mean nothing are not known. */
static void odd_durations(void)
{
    static const struct {
        const char *bytes; /* a float of eight */
        int64_t want_ms;
    } cases[] = {
        { "\x40\xB3\x88\x80\x00\x00\x00\x00", 5000 }, { "\x7F\xF8\x00\x00\x00\x00\x00\x00", -1 }, /* not a number */
        { "\x7F\xF0\x00\x00\x00\x00\x00\x00", -1 },                                               /* infinite */
        { "\xC0\xB3\x88\x80\x00\x00\x00\x00", -1 },                                               /* negative */
        { "\x7E\x00\x00\x00\x00\x00\x00\x00", -1 }, /* longer than anything */
        { "\x00\x00\x00\x00\x00\x00\x00\x00", -1 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(buf_done) struct buf file = { .max = 4096 };
        int pieces = 0;

        test_case("%zu", i);
        add(&file, BYTES(EBML SEGMENT "\x15\x49\xA9\x66\x8B\x44\x89\x88"));
        buf_add(&file, cases[i].bytes, 8);
        add(&file, BYTES(TRACKS));
        CHECK_I64(look_at(&file, &pieces).facts.duration_ms, cases[i].want_ms);
    }
    test_case(NULL);
}

static const struct test tests[] = {
    { "containers", containers },
    { "transport_packets", transport_packets },
    { "matroska", matroska },
    { "odd_durations", odd_durations },
};

TEST_MAIN("media", tests)
