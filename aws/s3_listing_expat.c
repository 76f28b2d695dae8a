#include "aws/s3_listing.h"

#include "server/base/clock.h"
#include "server/base/mem.h"
#include "server/base/text.h"

#include <expat.h>
#include <string.h>

/* A handler of its own keeps Expat's work small (no namespaces, character data only where it is wanted) and copies each
 * text once, into a page whose memory is reused. */
enum { PARSE_STEP = 1 << 20, CONTENTS_DEPTH = 2, FIELD_DEPTH = 3, RESTORE_DEPTH = 4 };

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
    l->object.is_restored = l->is_restored_until && !l->is_restoring;
    if (l->object.key.len == 0 || !l->has_size || !l->has_modified) {
        stop(l, "an object without Key, Size or LastModified");
    } else if (!s3_listing_keep(l->page, &l->object)) {
        l->out_of_memory = true;
        stop(l, "no memory");
    }
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

static bool fail(const struct listing *l, const char *why, struct err *err)
{
    l->page->object_count = 0; /* nobody reads half a page */
    if (l->out_of_memory)
        return err_memory(err, HERE);
    err_set(err, ERR_UPSTREAM, true, HERE, "the listing cannot be used: %s", why);
    return err_code(err, "bad_listing");
}

bool s3_listing_by_expat(struct span xml, struct s3_page *page, struct err *err)
{
    const XML_Memory_Handling_Suite memory = { expat_alloc, expat_resize, mem_free };
    struct listing l = { .page = page };
    const char *why = NULL;
    bool has_room = s3_listing_begin(page, xml.len + 1);

    /* Always UTF-8: from another encoding text would grow, and the page's room is as large as the document. */
    l.parser = XML_ParserCreate_MM("UTF-8", &memory, NULL);
    if (!l.parser || !has_room) {
        XML_ParserFree(l.parser);
        l.out_of_memory = xml.len <= S3_LISTING_MAX_BYTES;
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
    if (!why)
        why = s3_listing_finish(page, l.is_url_encoded);
    return why ? fail(&l, why, err) : true;
}
