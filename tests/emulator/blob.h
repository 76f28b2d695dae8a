/* Stored bytes: a file under the data directory, the files of several parts behind each other, or content computed from
 * a number. Counted: many objects may share one. */
#ifndef VIDBATCH_EMULATOR_BLOB_H
#define VIDBATCH_EMULATOR_BLOB_H

#include "server/base/attr.h"
#include "tests/emulator/media.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the files are. */
struct blobs {
    int dir_fd;
    _Atomic uint64_t next_id;
};

struct blob {
    atomic_int refs;
    int64_t size;
    int64_t synthetic; /* index of computed content, -1: a file */
    struct blobs *home;
    uint64_t file_id;    /* 0: parts that nobody has read yet */
    struct blob **parts; /* each has a file */
    size_t part_count;
    pthread_mutex_t join_lock;  /* guards file_id and the parts until they are joined */
    pthread_mutex_t media_lock; /* guards media and media_known */
    struct media media;
    bool media_known;
};

/* Makes an empty directory for files under data_dir, removing what an earlier run left there. */
void blobs_init(struct blobs *home, const char *data_dir);

/* An empty file, open for writing at *fd (the caller closes it). Gives: drop with blob_unref. */
struct blob *blob_create(struct blobs *home, int *fd);
/* Content number `index` of the computed kind. Gives: drop with blob_unref. */
struct blob *blob_synthetic(int64_t index);
/* The parts behind each other; keeps a share of each. They are joined in one file when somebody reads them. Gives: drop
 * with blob_unref. */
struct blob *blob_of_parts(struct blobs *home, struct blob *const *parts, size_t count);
struct blob *blob_ref(struct blob *blob);
/* The last share removes the file. NULL is fine. */
void blob_unref(struct blob *blob);
void blob_unref_auto(struct blob **blob);

/* A descriptor for reading, -1 for computed content; the caller closes it. */
int blob_open(struct blob *blob);
/* Reads up to n bytes at offset; fd as blob_open gave it. Returns the count, 0 at the end, -1 on failure. */
int64_t blob_read(const struct blob *blob, int fd, int64_t offset, void *out, size_t n);
/* What kind of video the bytes are; found once, then remembered. */
struct media blob_media(struct blob *blob);

#endif
