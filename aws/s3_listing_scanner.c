#include "aws/s3_listing.h"

#include "server/base/clock.h"
#include "server/base/text.h"

#include <string.h>

struct scanner {
    const char *at, *end;
    struct s3_page *page;
    struct s3_object object; /* the one being read */
    bool has_size, has_modified;
    bool is_url_encoded;
};

/* <Name>text</Name> */
struct element {
    struct span name;
    struct span text; /* raw */
    bool has_entity;
};

/* What may stand in a text as it is. A carriage return would be normalised, '>' may end a "]]>", the rest is for Expat.
 */
static const bool is_plain[256] = {
    ['\t'] = 1, ['\n'] = 1, [' '] = 1, ['!'] = 1, ['"'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['\''] = 1, ['('] = 1,
    [')'] = 1,  ['*'] = 1,  ['+'] = 1, [','] = 1, ['-'] = 1, ['.'] = 1, ['/'] = 1, ['0'] = 1, ['1'] = 1,  ['2'] = 1,
    ['3'] = 1,  ['4'] = 1,  ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1, [':'] = 1, [';'] = 1,  ['='] = 1,
    ['?'] = 1,  ['@'] = 1,  ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1,  ['H'] = 1,
    ['I'] = 1,  ['J'] = 1,  ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1,  ['R'] = 1,
    ['S'] = 1,  ['T'] = 1,  ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1, ['['] = 1,  ['\\'] = 1,
    [']'] = 1,  ['^'] = 1,  ['_'] = 1, ['`'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1,  ['f'] = 1,
    ['g'] = 1,  ['h'] = 1,  ['i'] = 1, ['j'] = 1, ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1,  ['p'] = 1,
    ['q'] = 1,  ['r'] = 1,  ['s'] = 1, ['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1,  ['z'] = 1,
    ['{'] = 1,  ['|'] = 1,  ['}'] = 1, ['~'] = 1,
};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool take(struct scanner *s, struct span what)
{
    if ((size_t)(s->end - s->at) < what.len || memcmp(s->at, what.ptr, what.len) != 0)
        return false;
    s->at += what.len;
    return true;
}

static void skip_blanks(struct scanner *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
        s->at++;
}

/* The character of a named entity at the front of rest; 0: none of the five. */
static char entity(struct span rest, size_t *len)
{
    static const struct {
        struct span name;
        char c;
    } known[] = { { SPAN_LIT("&quot;"), '"' },
                  { SPAN_LIT("&amp;"), '&' },
                  { SPAN_LIT("&lt;"), '<' },
                  { SPAN_LIT("&gt;"), '>' },
                  { SPAN_LIT("&apos;"), '\'' } };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (span_starts(rest, known[i].name)) {
            *len = known[i].name.len;
            return known[i].c;
        }
    return 0;
}

/* Up to the next '<'. */
static bool take_text(struct scanner *s, struct element *e)
{
    const char *start = s->at;
    size_t len = 0;

    for (;;) {
        while (s->at < s->end && is_plain[(unsigned char)*s->at])
            s->at++;
        if (s->at == s->end)
            return false;
        if (*s->at == '<')
            break;
        if (*s->at != '&' || !entity((struct span){ s->at, (size_t)(s->end - s->at) }, &len))
            return false;
        e->has_entity = true;
        s->at += len;
    }
    e->text = (struct span){ start, (size_t)(s->at - start) };
    return true;
}

static bool take_element(struct scanner *s, struct element *e)
{
    const char *name = s->at + 1;

    *e = (struct element){ .name = { name, 0 }, .text = { name, 0 } };
    if (s->at == s->end || *s->at != '<')
        return false;
    for (s->at++; s->at < s->end && is_alnum(*s->at);)
        s->at++;
    e->name.len = (size_t)(s->at - name);
    if (e->name.len == 0 || (name[0] >= '0' && name[0] <= '9'))
        return false;
    if (take(s, SPAN_LIT("/>")))
        return true;
    return take(s, SPAN_LIT(">")) && take_text(s, e) && take(s, SPAN_LIT("</")) && take(s, e->name) &&
           take(s, SPAN_LIT(">"));
}

static void add_decoded(struct buf *out, const struct element *e)
{
    struct span rest = e->text;

    while (rest.len > 0) {
        size_t plain = span_find(rest, '&');
        size_t len = 0;

        buf_span(out, span_head(rest, plain));
        rest = span_tail(rest, plain);
        if (rest.len > 0) {
            buf_char(out, entity(rest, &len));
            rest = span_tail(rest, len);
        }
    }
}

/* The text, decoded, where the page keeps it. */
static struct span keep_text(struct scanner *s, const struct element *e)
{
    struct buf *text = &s->page->text;
    size_t start = text->len;

    if (e->has_entity)
        add_decoded(text, e);
    else
        buf_span(text, e->text);
    return (struct span){ text->data + start, text->len - start };
}

static bool object_field(struct scanner *s, const struct element *e)
{
    if (span_eq_text(e->name, "Key")) {
        s->object.key = keep_text(s, e);
    } else if (span_eq_text(e->name, "ETag")) {
        s->object.etag = keep_text(s, e);
    } else if (span_eq_text(e->name, "StorageClass")) {
        if (e->has_entity)
            return false;
        if (e->text.len > 0 && !span_eq_text(e->text, "STANDARD"))
            s->object.storage_class = keep_text(s, e);
        else if (e->text.len > 0)
            s->object.storage_class = SPAN_LIT("STANDARD");
    } else if (span_eq_text(e->name, "Size")) {
        s->has_size = text_parse_i64(e->text, &s->object.size_bytes) && s->object.size_bytes >= 0;
        return !e->has_entity;
    } else if (span_eq_text(e->name, "LastModified")) {
        s->has_modified = clock_parse_rfc3339(e->text, &s->object.last_modified_ms);
        return !e->has_entity;
    }
    return true;
}

/* Behind <Contents>. */
static bool take_object(struct scanner *s)
{
    s->object = (struct s3_object){ .storage_class = SPAN_LIT("STANDARD") };
    s->has_size = s->has_modified = false;
    for (;;) {
        struct element e;

        skip_blanks(s);
        if (take(s, SPAN_LIT("</Contents>")))
            break;
        if (!take_element(s, &e) || !object_field(s, &e))
            return false;
    }
    return s->object.key.len > 0 && s->has_size && s->has_modified && s3_listing_keep(s->page, &s->object);
}

static bool page_field(struct scanner *s)
{
    struct element e;

    if (!take_element(s, &e))
        return false;
    if (span_eq_text(e.name, "NextContinuationToken")) {
        buf_reset(&s->page->next_token);
        add_decoded(&s->page->next_token, &e);
    } else if (span_eq_text(e.name, "IsTruncated")) {
        s->page->is_truncated = span_eq_text(span_trim(e.text), "true");
        return !e.has_entity;
    } else if (span_eq_text(e.name, "EncodingType")) {
        s->is_url_encoded = span_eq_text(span_trim(e.text), "url");
        return !e.has_entity;
    }
    return true;
}

static bool take_head(struct scanner *s)
{
    skip_blanks(s);
    (void)take(s, SPAN_LIT("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"));
    skip_blanks(s);
    return take(s, SPAN_LIT("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">")) ||
           take(s, SPAN_LIT("<ListBucketResult>"));
}

bool s3_listing_by_scanner(struct span xml, struct s3_page *page)
{
    struct scanner s = { .at = xml.ptr, .end = xml.len > 0 ? xml.ptr + xml.len : xml.ptr, .page = page };

    if (xml.len == 0 || !s3_listing_begin(page, xml.len + 1) || !take_head(&s))
        return false;
    for (;;) {
        skip_blanks(&s);
        if (take(&s, SPAN_LIT("</ListBucketResult>")))
            break;
        if (take(&s, SPAN_LIT("<Contents>")) ? !take_object(&s) : !page_field(&s))
            return false;
    }
    skip_blanks(&s);
    return s.at == s.end && !s3_listing_finish(page, s.is_url_encoded);
}
