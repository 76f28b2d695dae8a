/* Storage classes: which objects are archived, what a restore of them came to, and how requests learn of it. */
#ifndef VIDBATCH_EMULATOR_STORAGE_H
#define VIDBATCH_EMULATOR_STORAGE_H

#include "server/base/buf.h"
#include "server/base/span.h"

#include <stdbool.h>

struct object;
struct request;

enum { STORAGE_CLASS_SIZE = 24 };
enum storage_restore { STORAGE_NOT_RESTORED, STORAGE_RESTORING, STORAGE_RESTORED };

struct storage {
    char name[STORAGE_CLASS_SIZE]; /* "": STANDARD */
    bool is_archived;              /* must be restored before it can be read */
    enum storage_restore restore;
};

/* By S3's name of the class. False: there is none of this name. */
bool storage_of_class(struct span name, struct storage *out);
/* x-amz-storage-class of a write. False: the reply is an error. */
bool storage_read_header(struct request *rq, struct storage *out);
/* May the bytes be read, or copied? False: the reply is InvalidObjectState. */
bool storage_check(struct request *rq, const struct storage *storage);
/* x-amz-storage-class and x-amz-restore of GET and HEAD. */
void storage_headers(struct request *rq, const struct storage *storage);
/* <StorageClass> and, where it is asked for, <RestoreStatus> of a listing. */
void storage_elements(struct buf *out, const struct storage *storage, bool with_restore);

#endif
