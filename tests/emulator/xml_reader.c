#include "tests/emulator/xml_reader.h"

#include "server/base/buf.h"

#include <expat.h>
#include <string.h>

struct reading {
    XML_Parser parser;
    struct buf text; /* of the innermost element so far */
    xml_element_fn *element;
    void *arg;
};

static void on_start(void *data, const XML_Char *name, const XML_Char **attributes)
{
    struct reading *r = data;

    (void)name;
    (void)attributes;
    buf_reset(&r->text);
}

static void on_end(void *data, const XML_Char *name)
{
    struct reading *r = data;
    const char *colon = strrchr(name, ':');

    r->element(r->arg, colon ? colon + 1 : name, buf_view(&r->text));
    buf_reset(&r->text);
}

static void on_text(void *data, const XML_Char *text, int len)
{
    struct reading *r = data;

    buf_add(&r->text, text, (size_t)len);
}

static void on_doctype(void *data, const XML_Char *name, const XML_Char *system, const XML_Char *public, int internal)
{
    struct reading *r = data;

    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    XML_StopParser(r->parser, XML_FALSE);
}

bool xml_read(struct span document, xml_element_fn *element, void *arg)
{
    struct reading r = { .parser = XML_ParserCreate(NULL), .element = element, .arg = arg };
    bool ok = false;

    if (!r.parser)
        return false;
    buf_init(&r.text, 0);
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
    ok = XML_Parse(r.parser, document.ptr, (int)document.len, 1) == XML_STATUS_OK && buf_ok(&r.text);
    XML_ParserFree(r.parser);
    buf_done(&r.text);
    return ok;
}
