#include "tests/emulator/blob.h"

#include "server/base/mem.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/synthetic.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FAN_OUT = 64 };

static void file_name(uint64_t id, char out[32])
{
    snprintf(out, 32, "%02x/%014" PRIx64, (unsigned)(id % FAN_OUT), id);
}

static void empty_folder(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (!dir)
        emu_die("data directory");
    for (struct dirent *e = readdir(dir); e; e = readdir(dir))
        if (e->d_name[0] != '.')
            (void)unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
}

void blobs_init(struct blobs *home, const char *data_dir)
{
    int parent = -1;

    if (mkdir(data_dir, 0777) != 0 && errno != EEXIST)
        emu_die(data_dir);
    parent = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        emu_die(data_dir);
    if (mkdirat(parent, "blobs", 0777) != 0 && errno != EEXIST)
        emu_die("data directory");
    home->dir_fd = openat(parent, "blobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (home->dir_fd < 0)
        emu_die("data directory");
    close(parent);
    for (unsigned i = 0; i < FAN_OUT; i++) {
        char name[8];
        snprintf(name, sizeof name, "%02x", i);
        if (mkdirat(home->dir_fd, name, 0777) != 0 && errno != EEXIST)
            emu_die("data directory");
        empty_folder(home->dir_fd, name);
    }
    atomic_store(&home->next_id, 1);
}

static struct blob *blob_new(void)
{
    struct blob *blob = emu_alloc(1, sizeof *blob);

    atomic_init(&blob->refs, 1);
    blob->synthetic = -1;
    pthread_mutex_init(&blob->media_lock, NULL);
    pthread_mutex_init(&blob->join_lock, NULL);
    return blob;
}

static void make_file(struct blob *blob, int *fd)
{
    char name[32];

    blob->file_id = atomic_fetch_add(&blob->home->next_id, 1);
    file_name(blob->file_id, name);
    *fd = openat(blob->home->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (*fd < 0)
        emu_die("new blob");
}

struct blob *blob_create(struct blobs *home, int *fd)
{
    struct blob *blob = blob_new();

    blob->home = home;
    make_file(blob, fd);
    return blob;
}

struct blob *blob_of_parts(struct blobs *home, struct blob *const *parts, size_t count)
{
    struct blob *blob = blob_new();

    blob->home = home;
    blob->parts = emu_alloc(count, sizeof(struct blob *));
    blob->part_count = count;
    for (size_t i = 0; i < count; i++) {
        blob->parts[i] = blob_ref(parts[i]);
        blob->size += parts[i]->size;
    }
    return blob;
}

struct blob *blob_synthetic(int64_t index)
{
    struct blob *blob = blob_new();

    blob->synthetic = index;
    blob->size = synthetic_size(index);
    return blob;
}

struct blob *blob_ref(struct blob *blob)
{
    if (blob)
        atomic_fetch_add(&blob->refs, 1);
    return blob;
}

static void drop_parts(struct blob *blob)
{
    for (size_t i = 0; i < blob->part_count; i++)
        blob_unref(blob->parts[i]);
    mem_free(blob->parts);
    blob->parts = NULL;
    blob->part_count = 0;
}

void blob_unref(struct blob *blob)
{
    char name[32];

    if (!blob || atomic_fetch_sub(&blob->refs, 1) != 1)
        return;
    drop_parts(blob);
    if (blob->file_id != 0) {
        file_name(blob->file_id, name);
        (void)unlinkat(blob->home->dir_fd, name, 0);
    }
    pthread_mutex_destroy(&blob->join_lock);
    pthread_mutex_destroy(&blob->media_lock);
    mem_free(blob);
}

void blob_unref_auto(struct blob **blob)
{
    blob_unref(*blob);
    *blob = NULL;
}

static void append(int fd, struct blob *from)
{
    int in = blob_open(from);

    for (int64_t left = from->size; left > 0;) {
        ssize_t n = copy_file_range(in, NULL, fd, NULL, (size_t)left, 0);
        if (n <= 0)
            emu_die("joining parts");
        left -= n;
    }
    close(in);
}

static void join(struct blob *blob)
{
    int fd = -1;

    make_file(blob, &fd);
    for (size_t i = 0; i < blob->part_count; i++)
        append(fd, blob->parts[i]);
    close(fd);
    drop_parts(blob);
}

int blob_open(struct blob *blob)
{
    char name[32];
    int fd = -1;

    if (blob->synthetic >= 0)
        return -1;
    pthread_mutex_lock(&blob->join_lock);
    if (blob->part_count > 0)
        join(blob);
    pthread_mutex_unlock(&blob->join_lock);
    file_name(blob->file_id, name);
    fd = openat(blob->home->dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        emu_die("stored blob");
    return fd;
}

int64_t blob_read(const struct blob *blob, int fd, int64_t offset, void *out, size_t n)
{
    if (offset >= blob->size)
        return 0;
    if ((int64_t)n > blob->size - offset)
        n = (size_t)(blob->size - offset);
    if (blob->synthetic >= 0) {
        synthetic_read(blob->synthetic, offset, out, n);
        return (int64_t)n;
    }
    return pread(fd, out, n, offset);
}

struct media blob_media(struct blob *blob)
{
    struct media got = { 0 };

    pthread_mutex_lock(&blob->media_lock);
    if (!blob->media_known) {
        int fd = blob_open(blob);
        blob->media = media_probe(blob, fd);
        blob->media_known = true;
        if (fd >= 0)
            close(fd);
    }
    got = blob->media;
    pthread_mutex_unlock(&blob->media_lock);
    return got;
}
