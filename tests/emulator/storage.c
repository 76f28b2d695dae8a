#include "tests/emulator/storage.h"

#include "tests/emulator/s3.h"

#include <stdio.h>
#include <string.h>

/* Restores end in a future that no test reaches. */
#define EXPIRY_HTTP "Fri, 31 Dec 2100 00:00:00 GMT"
#define EXPIRY_XML "2100-12-31T00:00:00.000Z"

static const struct {
    const char *name;
    bool is_archived;
} classes[] = {
    { "STANDARD", false },   { "STANDARD_IA", false },        { "ONEZONE_IA", false }, { "INTELLIGENT_TIERING", false },
    { "GLACIER_IR", false }, { "REDUCED_REDUNDANCY", false }, { "GLACIER", true },     { "DEEP_ARCHIVE", true },
};

bool storage_of_class(struct span name, struct storage *out)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (!span_eq_text(name, classes[i].name))
            continue;
        *out = (struct storage){ .is_archived = classes[i].is_archived };
        if (i > 0)
            (void)snprintf(out->name, sizeof out->name, "%s", classes[i].name);
        return true;
    }
    return false;
}

bool storage_read_header(struct request *rq, struct storage *out)
{
    const char *name = request_header(rq, "x-amz-storage-class");

    *out = (struct storage){ .is_archived = false };
    if (!name || storage_of_class(span_of(name), out))
        return true;
    s3_error(rq, "InvalidStorageClass", NULL);
    return false;
}

bool storage_check(struct request *rq, const struct storage *storage)
{
    if (!storage->is_archived || storage->restore == STORAGE_RESTORED)
        return true;
    s3_error(rq, "InvalidObjectState", NULL);
    return false;
}

void storage_headers(struct request *rq, const struct storage *storage)
{
    if (storage->name[0])
        reply_header(&rq->reply, "x-amz-storage-class", storage->name);
    if (storage->restore == STORAGE_RESTORING)
        reply_header(&rq->reply, "x-amz-restore", "ongoing-request=\"true\"");
    if (storage->restore == STORAGE_RESTORED)
        reply_header(&rq->reply, "x-amz-restore", "ongoing-request=\"false\", expiry-date=\"" EXPIRY_HTTP "\"");
}

void storage_elements(struct buf *out, const struct storage *storage, bool with_restore)
{
    buf_fmt(out, "<StorageClass>%s</StorageClass>", storage->name[0] ? storage->name : "STANDARD");
    if (with_restore && storage->restore == STORAGE_RESTORING)
        buf_text(out, "<RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus>");
    if (with_restore && storage->restore == STORAGE_RESTORED)
        buf_text(out, "<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>"
                      "<RestoreExpiryDate>" EXPIRY_XML "</RestoreExpiryDate></RestoreStatus>");
}
