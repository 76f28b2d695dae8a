#include "aws/s3_call.h"

#include "server/base/clock.h"
#include "server/base/mem.h"
#include "server/base/text.h"

#include <expat.h>
#include <stdio.h>
#include <string.h>

/* Listing is the hot path of a scan, and Expat nearly all of its cost: this handler of its own keeps Expat's work small
 * (no namespaces, character data only where it is wanted) and copies each text once, into a page whose memory is
 * reused. */
enum {
    LISTING_MAX_BYTES = 8 * 1024 * 1024,
    PARSE_STEP = 1 << 20,
    CONTENTS_DEPTH = 2,
    FIELD_DEPTH = 3,
    RESTORE_DEPTH = 4
};

enum field {
    FIELD_NONE,
    FIELD_TRUNCATED,
    FIELD_TOKEN,
    FIELD_ENCODING,
    FIELD_KEY,
    FIELD_ETAG,
    FIELD_SIZE,
    FIELD_MODIFIED,
    FIELD_CLASS,
    FIELD_RESTORING,
    FIELD_RESTORED_UNTIL
};

struct listing {
    XML_Parser parser;
    struct s3_page *page;
    struct s3_object object; /* the one being read */
    enum field field;        /* whose text is being collected */
    size_t field_start;      /* where it begins in page->text */
    int depth;
    bool in_contents, in_restore;
    bool has_root;
    bool is_url_encoded;
    bool has_size, has_modified;
    bool is_restoring, is_restored_until; /* a copy is being made; one is there, until a date */
    const char *refused;                  /* why we stopped; static text */
    bool out_of_memory;
};

static void *expat_alloc(size_t size)
{
    return mem_alloc(1, size);
}

static void *expat_resize(void *block, size_t size)
{
    return mem_resize(block, 1, size);
}

static void stop(struct listing *l, const char *why)
{
    if (!l->refused)
        l->refused = why;
    (void)XML_StopParser(l->parser, XML_FALSE);
}

static const char *local_name(const char *name)
{
    const char *colon = strchr(name, ':');

    return colon ? colon + 1 : name;
}

static enum field object_field(const char *name)
{
    switch (name[0]) {
    case 'K':
        return strcmp(name, "Key") == 0 ? FIELD_KEY : FIELD_NONE;
    case 'E':
        return strcmp(name, "ETag") == 0 ? FIELD_ETAG : FIELD_NONE;
    case 'L':
        return strcmp(name, "LastModified") == 0 ? FIELD_MODIFIED : FIELD_NONE;
    case 'S':
        if (strcmp(name, "Size") == 0)
            return FIELD_SIZE;
        return strcmp(name, "StorageClass") == 0 ? FIELD_CLASS : FIELD_NONE;
    default:
        return FIELD_NONE;
    }
}

static enum field restore_field(const char *name)
{
    if (strcmp(name, "IsRestoreInProgress") == 0)
        return FIELD_RESTORING;
    return strcmp(name, "RestoreExpiryDate") == 0 ? FIELD_RESTORED_UNTIL : FIELD_NONE;
}

static enum field page_field(const char *name)
{
    if (strcmp(name, "IsTruncated") == 0)
        return FIELD_TRUNCATED;
    if (strcmp(name, "NextContinuationToken") == 0)
        return FIELD_TOKEN;
    return strcmp(name, "EncodingType") == 0 ? FIELD_ENCODING : FIELD_NONE;
}

/* The room was reserved before parsing: decoded text is never longer than its XML, so nothing moves and spans hold. */
static void XMLCALL on_text(void *data, const XML_Char *bytes, int len)
{
    struct listing *l = data;

    buf_add(&l->page->text, bytes, (size_t)len);
}

static void XMLCALL on_start(void *data, const XML_Char *qualified, const XML_Char **attributes)
{
    struct listing *l = data;
    const char *name = local_name(qualified);

    (void)attributes;
    l->depth++;
    if (l->field != FIELD_NONE) {
        stop(l, "a field of the listing has child elements");
    } else if (l->depth == FIELD_DEPTH && l->in_contents) {
        l->field = object_field(name);
        l->in_restore = strcmp(name, "RestoreStatus") == 0;
    } else if (l->depth == RESTORE_DEPTH && l->in_contents && l->in_restore) {
        l->field = restore_field(name);
    } else if (l->depth == CONTENTS_DEPTH) {
        if (strcmp(name, "Contents") == 0) {
            l->in_contents = true;
            l->object = (struct s3_object){ .storage_class = SPAN_LIT("STANDARD") };
            l->has_size = l->has_modified = l->is_restoring = l->is_restored_until = false;
            return;
        }
        l->field = page_field(name);
    } else if (l->depth == 1) {
        l->has_root = true;
        if (strcmp(name, "ListBucketResult") != 0)
            stop(l, strcmp(name, "Error") == 0 ? "S3 sent an error as an answer" : "the root is not ListBucketResult");
    }
    if (l->field != FIELD_NONE) {
        l->field_start = l->page->text.len;
        XML_SetCharacterDataHandler(l->parser, on_text);
    }
}

static void keep_object(struct listing *l)
{
    struct s3_page *page = l->page;

    if (l->object.key.len == 0 || !l->has_size || !l->has_modified) {
        stop(l, "an object without Key, Size or LastModified");
        return;
    }
    if (page->object_count == page->capacity) {
        size_t capacity = page->capacity ? page->capacity * 2 : 256;
        struct s3_object *more = mem_resize(page->objects, capacity, sizeof(*more));

        if (!more) {
            l->out_of_memory = true;
            stop(l, "no memory");
            return;
        }
        page->objects = more;
        page->capacity = capacity;
    }
    l->object.is_restored = l->is_restored_until && !l->is_restoring;
    page->objects[page->object_count++] = l->object;
}

static void take_field(struct listing *l, struct span text)
{
    switch (l->field) {
    case FIELD_KEY:
        l->object.key = text;
        return;
    case FIELD_ETAG:
        l->object.etag = text;
        return;
    case FIELD_CLASS:
        if (text.len > 0)
            l->object.storage_class = text;
        return;
    case FIELD_SIZE:
        l->has_size = text_parse_i64(text, &l->object.size_bytes) && l->object.size_bytes >= 0;
        break;
    case FIELD_MODIFIED:
        l->has_modified = clock_parse_rfc3339(text, &l->object.last_modified_ms);
        break;
    case FIELD_RESTORING:
        l->is_restoring = span_eq_text(span_trim(text), "true");
        break;
    case FIELD_RESTORED_UNTIL:
        l->is_restored_until = span_trim(text).len > 0;
        break;
    case FIELD_TRUNCATED:
        l->page->is_truncated = span_eq_text(span_trim(text), "true");
        break;
    case FIELD_TOKEN:
        buf_reset(&l->page->next_token);
        buf_span(&l->page->next_token, text);
        break;
    case FIELD_ENCODING:
        l->is_url_encoded = span_eq_text(span_trim(text), "url");
        break;
    case FIELD_NONE:
        break;
    }
    buf_cut(&l->page->text, l->field_start); /* read: its text need not stay */
}

static void XMLCALL on_end(void *data, const XML_Char *qualified)
{
    struct listing *l = data;

    (void)qualified;
    /* Expat still reports the end of an empty element whose start stopped the parser. */
    if (l->refused)
        return;
    if (l->field != FIELD_NONE) {
        XML_SetCharacterDataHandler(l->parser, NULL);
        take_field(l, span_tail(buf_view(&l->page->text), l->field_start));
        l->field = FIELD_NONE;
    } else if (l->depth == CONTENTS_DEPTH && l->in_contents) {
        l->in_contents = false;
        keep_object(l);
    }
    l->depth--;
}

static void XMLCALL on_doctype(void *data, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int has)
{
    (void)name, (void)sysid, (void)pubid, (void)has;
    stop(data, "it has a DOCTYPE");
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* '+' and %XX, in place: the key's bytes lie in page->text, which is ours, and decoding only shortens. */
static bool decode_key(struct span *key)
{
    char *to = (char *)key->ptr;
    const char *from = key->ptr, *end = key->ptr + key->len;

    if (!memchr(from, '%', key->len) && !memchr(from, '+', key->len))
        return true;
    while (from < end) {
        char c = *from++;

        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = end - from < 2 ? -1 : hex_digit(from[0]);
            int low = end - from < 2 ? -1 : hex_digit(from[1]);

            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            from += 2;
        }
        *to++ = c;
    }
    key->len = (size_t)(to - key->ptr);
    return true;
}

static const char *finish_keys(struct listing *l)
{
    for (size_t i = 0; i < l->page->object_count; i++) {
        struct span *key = &l->page->objects[i].key;

        if (l->is_url_encoded && !decode_key(key))
            return "a key with a broken percent-encoding";
        if (key->len == 0 || key->len > S3_KEY_MAX_BYTES)
            return "a key that is empty or longer than 1024 bytes";
    }
    if (l->page->is_truncated && l->page->next_token.len == 0)
        return "it is truncated, but has no continuation token";
    return NULL;
}

static bool feed(XML_Parser parser, struct span xml)
{
    size_t at = 0;

    /* Expat refuses white space before the declaration; S3 sends it to keep a slow answer alive. */
    while (at < xml.len && (xml.ptr[at] == ' ' || xml.ptr[at] == '\n' || xml.ptr[at] == '\r' || xml.ptr[at] == '\t'))
        at++;
    do {
        size_t len = xml.len - at < PARSE_STEP ? xml.len - at : PARSE_STEP;

        if (XML_Parse(parser, len ? xml.ptr + at : "", (int)len, at + len == xml.len) != XML_STATUS_OK)
            return false;
        at += len;
    } while (at < xml.len);
    return true;
}

static void reset_page(struct s3_page *page, size_t room)
{
    if (page->text.max == 0) {
        buf_init(&page->text, LISTING_MAX_BYTES + 1);
        buf_init(&page->next_token, 64 * 1024);
        buf_init(&page->last_key, S3_KEY_MAX_BYTES);
    }
    buf_reset(&page->text);
    buf_reset(&page->next_token);
    page->object_count = 0;
    page->is_truncated = false;
    (void)buf_room(&page->text, room);
}

static bool fail(const struct listing *l, const char *why, struct err *err)
{
    l->page->object_count = 0; /* nobody reads half a page */
    if (l->out_of_memory)
        return err_memory(err, HERE);
    err_set(err, ERR_UPSTREAM, true, HERE, "the listing cannot be used: %s", why);
    return err_code(err, "bad_listing");
}

bool s3_parse_listing(struct span xml, struct s3_page *page, struct err *err)
{
    const XML_Memory_Handling_Suite memory = { expat_alloc, expat_resize, mem_free };
    struct listing l = { .page = page };
    const char *why = NULL;

    reset_page(page, xml.len + 1);
    /* Always UTF-8: from another encoding text would grow, and the page's room is as large as the document. */
    l.parser = XML_ParserCreate_MM("UTF-8", &memory, NULL);
    if (!l.parser || !buf_ok(&page->text)) {
        XML_ParserFree(l.parser);
        l.out_of_memory = xml.len <= LISTING_MAX_BYTES;
        return fail(&l, "it is larger than 8 MiB", err);
    }
    XML_SetUserData(l.parser, &l);
    XML_SetElementHandler(l.parser, on_start, on_end);
    XML_SetStartDoctypeDeclHandler(l.parser, on_doctype);
    if (!feed(l.parser, xml)) {
        why = l.refused ? l.refused : XML_ErrorString(XML_GetErrorCode(l.parser));
        l.out_of_memory |= XML_GetErrorCode(l.parser) == XML_ERROR_NO_MEMORY;
    }
    XML_ParserFree(l.parser);
    if (!why && (!buf_ok(&page->next_token) || !buf_ok(&page->text)))
        why = "a continuation token of more than 64 KiB";
    if (!why)
        why = finish_keys(&l);
    return why ? fail(&l, why, err) : true;
}

void s3_page_done(struct s3_page *page)
{
    mem_free(page->objects);
    buf_done(&page->text);
    buf_done(&page->next_token);
    buf_done(&page->last_key);
    *page = (struct s3_page){ 0 };
}

static void list_params(struct s3_call *call, const struct s3_list_request *rq)
{
    char max_keys[16];

    (void)snprintf(max_keys, sizeof(max_keys), "%d", rq->max_keys ? rq->max_keys : 1000);
    if (rq->token.len > 0)
        s3_call_param(call, "continuation-token", rq->token);
    s3_call_param(call, "encoding-type", SPAN_LIT("url"));
    s3_call_param(call, "list-type", SPAN_LIT("2"));
    s3_call_param(call, "max-keys", span_of(max_keys));
    s3_call_param(call, "prefix", rq->prefix);
    if (rq->start_after.len > 0 && rq->token.len == 0)
        s3_call_param(call, "start-after", rq->start_after);
}

static bool refuse_page(struct s3_page *page, const char *code, const char *why, struct err *err)
{
    page->object_count = 0;
    err_set(err, ERR_UPSTREAM, false, HERE, "%s", why);
    return err_code(err, code);
}

static int compare_keys(struct span a, struct span b)
{
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Would following this page's token lead back? token: what the page was asked for with. */
static bool moves_on(struct s3_page *page, struct span token, struct err *err)
{
    struct buf *last = &page->last_key;

    if (page->is_truncated && token.len > 0 && span_eq(token, buf_view(&page->next_token)))
        return refuse_page(page, "bad_listing", "S3 sent the same continuation token twice", err);
    if (token.len == 0)
        buf_reset(last);
    if (page->object_count == 0)
        return true;
    if (last->len > 0 && compare_keys(page->objects[0].key, buf_view(last)) <= 0)
        return refuse_page(page, "listing_goes_back", "S3's listing goes back to keys that it has passed", err);
    buf_reset(last);
    buf_span(last, page->objects[page->object_count - 1].key);
    return buf_check(last, "the last key of a listing", err);
}

bool s3_list_page(struct aws_client *client, const struct s3_list_request *rq, struct s3_page *page, struct err *err)
{
    AUTO(s3_call_done) struct s3_call call = { 0 };
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    AUTO(buf_done) struct buf token = { 0 }; /* a copy: rq->token may lie in the page that is filled now */
    const struct s3_ref ref = { rq->bucket, { "", 0 }, rq->owner };
    const struct s3_ref named = { rq->bucket, rq->prefix, rq->owner };

    buf_init(&token, 64 * 1024);
    buf_span(&token, rq->token);
    if (!s3_call_init(&call, "S3.ListObjectsV2", "GET", &ref, err) || !buf_check(&token, "a continuation token", err))
        return false;
    s3_call_header(&call, "x-amz-optional-object-attributes", SPAN_LIT("RestoreStatus"));
    call.rq.error_in_200 = true;
    call.rq.max_response_bytes = LISTING_MAX_BYTES;
    list_params(&call, rq);
    call.ref = named; /* for the words of a failure */
    if (!s3_call_send(&call, client, &rs, err))
        return false;
    if (!s3_parse_listing(buf_view(&rs.body), page, err) || !moves_on(page, buf_view(&token), err))
        return s3_name_error(&named, err);
    return true;
}
