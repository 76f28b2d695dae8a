#include "aws/xml.h"

#include "server/base/buf.h"
#include "server/base/mem.h"

#include <expat.h>
#include <string.h>

enum { DEFAULT_MAX_TEXT = 64 * 1024, PARSE_STEP = 1 << 20 };

struct reading {
    const struct xml_handler *handler;
    XML_Parser parser;
    struct buf text; /* of the innermost open element, as long as it has no children */
    int depth;
    bool has_child[XML_MAX_DEPTH + 1];
    struct err *err;
    const char *refused; /* why we stopped the parser ourselves, static text */
    bool is_stopped;     /* by the handler, which has filled err */
    bool has_no_memory;
};

static void *expat_alloc(size_t size)
{
    return mem_alloc(1, size);
}

static void *expat_resize(void *block, size_t size)
{
    return mem_resize(block, 1, size);
}

static const char *local_name(const char *name)
{
    const char *colon = strrchr(name, ':');

    return colon ? colon + 1 : name;
}

static void refuse(struct reading *r, const char *why)
{
    if (!r->refused)
        r->refused = why;
    XML_StopParser(r->parser, XML_FALSE);
}

static void XMLCALL on_start(void *data, const XML_Char *name, const XML_Char **attributes)
{
    struct reading *r = data;

    (void)attributes;
    if (r->depth == XML_MAX_DEPTH) {
        refuse(r, "it is nested too deeply");
        return;
    }
    r->has_child[r->depth] = true;
    r->depth++;
    r->has_child[r->depth] = false;
    buf_reset(&r->text);
    if (r->handler->start)
        r->handler->start(r->handler->arg, local_name(name), r->depth);
}

static void XMLCALL on_text(void *data, const XML_Char *bytes, int len)
{
    struct reading *r = data;

    if (r->has_child[r->depth])
        return;
    if ((size_t)len > r->text.max - r->text.len) {
        refuse(r, "a text in it is too long");
        return;
    }
    buf_add(&r->text, bytes, (size_t)len);
    if (!buf_ok(&r->text)) {
        r->has_no_memory = true;
        refuse(r, "");
    }
}

static void XMLCALL on_end(void *data, const XML_Char *name)
{
    struct reading *r = data;
    struct span text = r->has_child[r->depth] ? (struct span){ "", 0 } : buf_view(&r->text);
    int depth = r->depth;

    /* Expat still reports the end of an empty element whose start stopped the parser. */
    if (r->refused || r->is_stopped)
        return;
    r->depth--;
    if (r->handler->end && !r->handler->end(r->handler->arg, local_name(name), depth, text, r->err)) {
        r->is_stopped = true;
        XML_StopParser(r->parser, XML_FALSE);
    }
    buf_reset(&r->text);
}

static void XMLCALL on_doctype(void *data, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int has)
{
    (void)name, (void)sysid, (void)pubid, (void)has;
    refuse(data, "it has a DOCTYPE");
}

static bool bad_xml(const struct reading *r, struct err *err)
{
    enum XML_Error why = XML_GetErrorCode(r->parser);

    if (r->is_stopped)
        return false;
    if (why == XML_ERROR_NO_MEMORY || r->has_no_memory)
        return err_memory(err, HERE);
    err_set(err, ERR_UPSTREAM, true, HERE, "the XML answer cannot be read: %s (line %lu)",
            r->refused ? r->refused : XML_ErrorString(why), (unsigned long)XML_GetCurrentLineNumber(r->parser));
    return err_code(err, "bad_xml");
}

static bool feed(struct reading *r, struct span doc, struct err *err)
{
    size_t at = 0;

    /* Expat refuses white space before the declaration; S3 sends it to keep a slow answer alive. */
    while (at < doc.len && strchr(" \t\r\n", doc.ptr[at]) && doc.ptr[at])
        at++;
    do {
        size_t len = doc.len - at < PARSE_STEP ? doc.len - at : PARSE_STEP;
        bool is_last = at + len == doc.len;

        if (XML_Parse(r->parser, len ? doc.ptr + at : "", (int)len, is_last) != XML_STATUS_OK)
            return bad_xml(r, err);
        at += len;
    } while (at < doc.len);
    return true;
}

bool xml_read(struct span doc, const struct xml_handler *h, struct err *err)
{
    const XML_Memory_Handling_Suite memory = { expat_alloc, expat_resize, mem_free };
    struct reading r = { .handler = h, .err = err };
    bool ok;

    buf_init(&r.text, h->max_text ? h->max_text : DEFAULT_MAX_TEXT);
    r.parser = XML_ParserCreate_MM(NULL, &memory, NULL);
    if (!r.parser)
        return err_memory(err, HERE);
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
    ok = feed(&r, doc, err);
    XML_ParserFree(r.parser);
    buf_done(&r.text);
    return ok;
}
