/* Judges our JSON reader by Jansson on the same bytes; shared by the unit test and the fuzz target.
 *
 * The two must agree on what is accepted, where it ends and what the strings and numbers are. They differ on purpose in
 * four rules, and each is stated as what it is, not excused after the fact:
 *   replaced   we turn \u0000 and unpaired surrogate escapes into U+FFFD, Jansson refuses them. Jansson is therefore
 * given the text in which each such escape is written \uFFFD, and must then agree entirely. skipped    the inside of a
 * skipped string is not judged, nor whether a skipped number fits a machine type. Skipping must agree with Jansson
 * about the text in which every string's inside is x, except for too great numbers. nul        a NUL byte stands
 * nowhere in JSON, but Jansson's one-byte push-back loses the one that follows a number or a word. Jansson is given
 * 0x01 in its place, which stands nowhere either. long       we take no number of more than JSON_NUMBER_MAX characters.
 */
#ifndef VIDBATCH_TESTS_SUPPORT_JSON_COMPARE_H
#define VIDBATCH_TESTS_SUPPORT_JSON_COMPARE_H

#include "server/base/json_lexer.h"
#include "server/base/json_reader.h"
#include "server/base/text.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* splitmix64: the same numbers from the same seed, everywhere. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static inline size_t random_below(uint64_t *state, size_t n)
{
    return (size_t)(random_next(state) % n);
}

/* Gives a text in pieces of random sizes. Each lives in a block of exactly its size, freed at the next call: reading
 * past a window or keeping a pointer into an old one is seen by AddressSanitizer. */
struct feed {
    struct span rest;
    size_t most; /* bytes in a piece, 0: all at once */
    uint64_t random;
    char *block;
};

static inline struct feed feed_of(struct span text, uint64_t seed)
{
    static const size_t most[] = { 1, 2, 7, 64, 0 };

    return (struct feed){ text, most[seed % 5], seed, NULL };
}

static inline bool feed_more(void *arg, struct span *piece, struct err *err)
{
    struct feed *f = arg;
    size_t n = f->most > 0 ? 1 + random_below(&f->random, f->most) : f->rest.len;

    (void)err;
    free(f->block);
    f->block = NULL;
    *piece = span_head(f->rest, n);
    if (piece->len > 0) {
        f->block = malloc(piece->len);
        if (!f->block)
            abort();
        memcpy(f->block, piece->ptr, piece->len);
        piece->ptr = f->block;
    }
    f->rest = span_tail(f->rest, n);
    return true;
}

static inline void feed_done(struct feed *f)
{
    free(f->block);
}

static inline json_t *build_value(struct json_reader *r, bool numbers, struct err *err);

static inline json_t *build_object(struct json_reader *r, bool numbers, struct err *err)
{
    json_t *object = json_object();
    struct buf name = { .max = 1 << 20 };
    bool done = false;
    bool ok = json_enter_object(r, err);

    while (ok && (ok = json_next_name(r, &name, &done, err)) && !done) {
        json_t *value = build_value(r, numbers, err);
        ok = value && json_object_setn_new_nocheck(object, buf_cstr(&name), name.len, value) == 0;
    }
    buf_done(&name);
    if (ok)
        return object;
    json_decref(object);
    return NULL;
}

static inline json_t *build_array(struct json_reader *r, bool numbers, struct err *err)
{
    json_t *array = json_array();
    bool done = false;
    bool ok = json_enter_array(r, err);

    while (ok && (ok = json_next_item(r, &done, err)) && !done) {
        json_t *value = build_value(r, numbers, err);
        ok = value && json_array_append_new(array, value) == 0;
    }
    if (ok)
        return array;
    json_decref(array);
    return NULL;
}

static inline json_t *build_string(struct json_reader *r, struct err *err)
{
    struct buf text = { .max = 1 << 20 };
    json_t *string = NULL;

    if (json_take_string(r, &text, err))
        string = json_stringn(buf_cstr(&text), text.len); /* judges the UTF-8 again */
    buf_done(&text);
    return string;
}

/* What our reader takes, as Jansson's tree, numbers cut to integers (or left out). NULL: refused, err filled. */
static inline json_t *build_value(struct json_reader *r, bool numbers, struct err *err)
{
    enum json_kind kind = JSON_KIND_NULL;
    int64_t n = 0;
    bool b = false;

    if (!json_peek(r, &kind, err))
        return NULL;
    if (kind == JSON_KIND_OBJECT)
        return build_object(r, numbers, err);
    if (kind == JSON_KIND_ARRAY)
        return build_array(r, numbers, err);
    if (kind == JSON_KIND_STRING)
        return build_string(r, err);
    if (kind == JSON_KIND_NUMBER && numbers)
        return json_take_i64(r, &n, err) ? json_integer(n) : NULL;
    if (kind == JSON_KIND_TRUE || kind == JSON_KIND_FALSE)
        return json_take_bool(r, &b, err) ? json_boolean(b) : NULL;
    return json_skip_value(r, err) ? json_null() : NULL;
}

static inline bool same_number(const json_t *want, const json_t *got)
{
    double x = json_number_value(want);
    double off = 0;

    if (json_is_null(got)) /* numbers were left out */
        return true;
    if (json_is_integer(want))
        return json_is_integer(got) && json_integer_value(got) == json_integer_value(want);
    /* We cut the decimal digits, Jansson has rounded them to a double before: 1.99999999999999999999995 is 2.0 there.
     */
    off = fabs((double)json_integer_value(got) - x);
    return off < 1.0 || (off == 1.0 && x == trunc(x)) || off <= fabs(x) * 1e-15;
}

static inline bool same_tree(json_t *want, json_t *got)
{
    const char *key = NULL;
    size_t key_len = 0;
    size_t i = 0;
    json_t *value = NULL;

    if (json_is_number(want))
        return same_number(want, got);
    if (json_typeof(want) != json_typeof(got))
        return false;
    if (json_is_string(want))
        return json_string_length(want) == json_string_length(got) &&
               memcmp(json_string_value(want), json_string_value(got), json_string_length(want)) == 0;
    if (json_is_array(want)) {
        if (json_array_size(want) != json_array_size(got))
            return false;
        json_array_foreach(want, i, value) if (!same_tree(value, json_array_get(got, i))) return false;
    }
    if (json_is_object(want)) {
        if (json_object_size(want) != json_object_size(got))
            return false;
        json_object_keylen_foreach(want, key, key_len, value)
        {
            json_t *other = json_object_getn(got, key, key_len);
            if (!other || !same_tree(value, other))
                return false;
        }
    }
    return true;
}

struct compare_run {
    bool accepted;
    bool too_long;
    int64_t value_end;
    struct err err;
};

static inline struct compare_run run_over(struct span text, uint64_t seed, bool strict)
{
    struct feed feed = feed_of(text, seed);
    struct compare_run run = { .accepted = false };
    struct json_reader r;
    bool eof = false;

    json_reader_init(&r, (struct span){ NULL, 0 }, 0, feed_more, &feed);
    if (strict ? json_check_value(&r, &run.err) : json_skip_value(&r, &run.err)) {
        run.value_end = json_reader_offset(&r);
        run.accepted = json_next_line(&r, &eof, &run.err) && eof;
    }
    run.too_long = strcmp(run.err.code, "json_too_long") == 0;
    feed_done(&feed);
    return run;
}

/* The value of \uXXXX at text, or -1. */
static inline int escape_at(const char *text, size_t len)
{
    char hex[5] = "";

    if (len < 6 || text[0] != '\\' || text[1] != 'u')
        return -1;
    memcpy(hex, text + 2, 4);
    return strspn(hex, "0123456789abcdefABCDEF") == 4 ? (int)strtol(hex, NULL, 16) : -1;
}

/* Rule "nul". */
static inline void replace_nuls(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\0')
            text[i] = '\x01';
}

/* Rule "replaced". In place; no length changes. */
static inline void replace_escapes(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int code = escape_at(text + i, len - i);
        int low = code >= 0xD800 && code <= 0xDBFF ? escape_at(text + i + 6, len - i - 6) : -1;

        if (text[i] != '\\')
            continue;
        if (low >= 0xDC00 && low <= 0xDFFF)
            i += 11;
        else if (code == 0 || (code >= 0xD800 && code <= 0xDFFF))
            memcpy(text + i, "\\uFFFD", 6);
        else
            i++; /* the byte after a backslash begins no escape */
    }
}

/* Rule "skipped". In place; no length changes. */
static inline void blank_strings(char *text, size_t len)
{
    bool inside = false;

    for (size_t i = 0; i < len; i++) {
        if (!inside || text[i] == '"') {
            inside = text[i] == '"' && !inside;
        } else if (text[i] == '\\' && i + 1 < len && (text[i + 1] == '"' || text[i + 1] == '\\')) {
            text[i++] = 'x';
            text[i] = 'x';
        } else if ((unsigned char)text[i] >= 0x20) {
            text[i] = 'x';
        }
    }
}

/* NULL where the trees agree. */
static inline const char *compare_taken(struct span text, uint64_t seed, json_t *want)
{
    const char *difference = NULL;

    for (int numbers = 1; numbers >= 0; numbers--) {
        struct feed feed = feed_of(text, seed);
        struct err err = { .kind = ERR_NONE };
        struct json_reader r;
        json_t *got = NULL;

        json_reader_init(&r, (struct span){ NULL, 0 }, 0, feed_more, &feed);
        got = build_value(&r, numbers == 1, &err);
        feed_done(&feed);
        /* A real beyond int64 cannot be taken: then all but the numbers is compared. */
        if (!got && numbers == 1 && strstr(err.what, "beyond 64 bits"))
            continue;
        if (!got)
            difference = "accepted by Jansson, but not taken";
        else if (!same_tree(want, got))
            difference = "taken, but not the same";
        json_decref(got);
        break;
    }
    return difference;
}

static inline const char *compare_skip(char *copy, struct span text, uint64_t seed)
{
    struct compare_run skip = run_over(text, seed, false);
    json_error_t said;
    json_t *tree = NULL;
    bool accepted = false;

    replace_nuls(copy, text.len);
    blank_strings(copy, text.len);
    tree = json_loadb(copy, text.len, JSON_DECODE_ANY, &said);
    accepted = tree || json_error_code(&said) == json_error_numeric_overflow;
    json_decref(tree);
    if (skip.accepted && !accepted)
        return "skipped, but refused by Jansson with blank strings";
    if (!skip.accepted && tree)
        return "not skipped, but accepted by Jansson with blank strings";
    return NULL;
}

/* NULL where our reader, fed in pieces that `seed` chooses, agrees with Jansson; otherwise what differs. */
static inline const char *compare_with_jansson(struct span text, uint64_t seed)
{
    struct compare_run check = run_over(text, seed, true);
    struct compare_run skip = run_over(text, seed / 5, false);
    char *copy = malloc(text.len + 1);
    const char *difference = NULL;
    json_error_t said;
    json_t *tree = NULL;

    if (!copy)
        abort();
    memcpy(copy, text.len > 0 ? text.ptr : "", text.len);
    replace_nuls(copy, text.len);
    replace_escapes(copy, text.len);
    tree = json_loadb(copy, text.len, JSON_DECODE_ANY, &said);
    if (check.accepted && !tree)
        difference = "accepted, but refused by Jansson";
    else if (!check.accepted && tree && !check.too_long)
        difference = "refused, but accepted by Jansson";
    else if (tree && !skip.accepted)
        difference = "accepted by Jansson, but not skipped";
    else if (check.accepted && check.value_end != skip.value_end)
        difference = "skipped to another place";
    else if (check.accepted)
        difference = compare_taken(text, seed / 7, tree);
    json_decref(tree);
    if (check.accepted && !difference) {
        tree = json_loadb(copy, text.len, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &said);
        if (said.position != check.value_end)
            difference = "Jansson's value ends elsewhere";
        json_decref(tree);
    }
    if (!difference) {
        memcpy(copy, text.len > 0 ? text.ptr : "", text.len);
        difference = compare_skip(copy, text, seed / 3);
    }
    free(copy);
    return difference;
}

#endif
