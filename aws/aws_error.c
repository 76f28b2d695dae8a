#include "aws/aws_error.h"

#include "aws/xml.h"
#include "server/base/text.h"

#include <jansson.h>
#include <string.h>

/* Copies what fits, cut at a character boundary; control characters become blanks (these texts end up in logs). */
static void put(char *field, size_t size, struct span value)
{
    struct span fits;

    if (!text_is_utf8(value))
        return;
    fits = text_utf8_head(span_trim(value), size - 1);
    memset(field, 0, size);
    for (size_t i = 0; i < fits.len; i++)
        field[i] = (unsigned char)fits.ptr[i] < ' ' || fits.ptr[i] == 127 ? ' ' : fits.ptr[i];
}

/* ---- XML ---- */

static bool on_end(void *arg, const char *name, int depth, struct span text, struct err *err)
{
    struct aws_error *out = arg;

    (void)depth, (void)err;
    if (!text.len)
        return true;
    if (!strcmp(name, "Code"))
        put(out->code, sizeof(out->code), text);
    else if (!strcmp(name, "Message"))
        put(out->message, sizeof(out->message), text);
    else if (!strcmp(name, "RequestId"))
        put(out->request_id, sizeof(out->request_id), text);
    else if (!strcmp(name, "Region"))
        put(out->region, sizeof(out->region), text);
    else if (!strcmp(name, "BucketName") || !strcmp(name, "Bucket"))
        put(out->bucket, sizeof(out->bucket), text);
    return true;
}

void aws_error_from_xml(struct span body, struct aws_error *out)
{
    const struct xml_handler handler = { .end = on_end, .arg = out };
    struct err ignored = { 0 };

    *out = (struct aws_error){ 0 };
    if (!span_trim(body).len)
        return;
    /* A cut document still gives what came before the cut; a page of HTML or plain text gives nothing but itself. */
    if (!xml_read(body, &handler, &ignored) && !out->code[0] && !out->message[0])
        put(out->message, sizeof(out->message), body);
}

/* ---- JSON ---- */

static struct span json_text_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (!json_is_string(value))
        return (struct span){ 0 };
    return (struct span){ json_string_value(value), json_string_length(value) };
}

/* "aws.protocols#ThrottlingException:http://..." -> "ThrottlingException" */
static struct span bare_code(struct span code)
{
    size_t hash;

    code = span_trim(span_head(code, span_find(code, ':')));
    while ((hash = span_find(code, '#')) < code.len)
        code = span_tail(code, hash + 1);
    return code;
}

static void take_json(const json_t *root, struct aws_error *out)
{
    static const char *const code_names[] = { "code", "Code", "__type" };
    static const char *const message_names[] = { "message", "Message" };

    for (size_t i = 0; i < 3 && !out->code[0]; i++)
        put(out->code, sizeof(out->code), bare_code(json_text_of(root, code_names[i])));
    for (size_t i = 0; i < 2 && !out->message[0]; i++)
        put(out->message, sizeof(out->message), json_text_of(root, message_names[i]));
}

void aws_error_from_json(struct span type_header, struct span body, struct aws_error *out)
{
    json_t *root;

    *out = (struct aws_error){ 0 };
    put(out->code, sizeof(out->code), bare_code(type_header));
    root = body.len ? json_loadb(body.ptr, body.len, 0, NULL) : NULL;
    if (json_is_object(root))
        take_json(root, out);
    else if (!span_starts(span_trim(body), SPAN_LIT("<")))
        put(out->message, sizeof(out->message), body);
    json_decref(root);
}

/* ---- errors in a 200 ---- */

/* Past white space, the XML declaration and comments; at the '<' of the root, if there is one. */
static struct span skip_prolog(struct span doc)
{
    for (;;) {
        const char *close = NULL;

        doc = span_trim(doc);
        if (span_starts(doc, SPAN_LIT("<?")))
            close = memmem(doc.ptr, doc.len, "?>", 2);
        else if (span_starts(doc, SPAN_LIT("<!--")))
            close = memmem(doc.ptr, doc.len, "-->", 3);
        else
            return doc;
        if (!close)
            return (struct span){ 0 };
        doc = span_tail(doc, (size_t)(close - doc.ptr) + 2);
        if (doc.len && doc.ptr[0] == '>')
            doc = span_tail(doc, 1);
    }
}

static struct span local_part(struct span name)
{
    size_t colon = span_find(name, ':');

    return colon < name.len ? span_tail(name, colon + 1) : name;
}

bool aws_error_hides_in(struct span body)
{
    struct span doc = skip_prolog(body);
    struct span name = span_tail(doc, 1);
    size_t len = 0;

    if (!doc.len || doc.ptr[0] != '<')
        return true;
    while (len < name.len && !strchr(" \t\r\n/>", name.ptr[len]))
        len++;
    name = span_head(name, len);
    if (!name.len || span_eq_text(local_part(name), "Error"))
        return true;
    if (span_ends(doc, SPAN_LIT("/>")) && span_find(doc, '>') == doc.len - 1)
        return false;
    if (doc.len < name.len + 4 || doc.ptr[doc.len - 1] != '>')
        return true;
    doc = span_trim(span_head(doc, doc.len - 1));
    return !span_ends(doc, name) || !span_ends(span_head(doc, doc.len - name.len), SPAN_LIT("</"));
}
