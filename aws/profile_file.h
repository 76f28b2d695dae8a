/* The shared config and credentials files of AWS's tools (INI with one level of nesting), and one profile seen through
 * both. Any thread; no globals. */
#ifndef VIDBATCH_AWS_PROFILE_FILE_H
#define VIDBATCH_AWS_PROFILE_FILE_H

#include "server/base/attr.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>

enum profile_file_kind {
    PROFILE_CONFIG, /* sections [default], [profile NAME], [sso-session NAME], [services NAME]; others are skipped */
    PROFILE_CREDENTIALS /* sections [NAME], all of them profiles */
};

enum profile_section { PROFILE_SECTION, PROFILE_SSO_SESSION, PROFILE_SERVICES };

struct profile_entry {
    enum profile_section section;
    struct span profile; /* name of the section, of whichever sort */
    struct span key;     /* compared without regard to case; empty: the section itself */
    struct span subkey;  /* of a nested line ("s3 =" and below it "  addressing_style = path"), else empty */
    struct span value;   /* with the line breaks of continuation lines in it, if it has any */
};

struct profile_file {
    char *text; /* what the spans borrow from */
    struct profile_entry *entries;
    size_t count;
    size_t capacity;
};
void profile_file_done(struct profile_file *file);

/* Reads a file's text, at most 1 MiB; copies it. ERR_INPUT, code "bad_profile_file", with `name` and the line. */
MUST_CHECK bool profile_file_parse(struct span text, enum profile_file_kind kind, const char *name,
                                   struct profile_file *out, struct err *err);
/* The last value given for the key (subkey NULL: not nested) in the section of that sort and name; NULL when there is
 * none. Borrowed from the file. */
const struct profile_entry *profile_file_find(const struct profile_file *file, enum profile_section section,
                                              struct span name, const char *key, const char *subkey);
bool profile_file_has(const struct profile_file *file, enum profile_section section, struct span name);

/* One profile as both files together describe it. */
struct profile {
    struct profile_file config;
    struct profile_file credentials;
    char *name;
    bool is_found;
};
void profile_done(struct profile *p);
/* Files that do not exist count as empty; a path that is NULL or "" too. name NULL or "": "default". */
MUST_CHECK bool profile_load(const char *config_path, const char *credentials_path, const char *name,
                             struct profile *out, struct err *err);
/* The value, the credentials file first; the empty span when there is none. Borrowed from the profile. */
struct span profile_get(const struct profile *p, const char *key, const char *subkey);
/* The same of another section of the same two files: a source_profile, an [sso-session NAME], a [services NAME]. */
struct span profile_get_in(const struct profile *p, enum profile_section section, struct span name, const char *key,
                           const char *subkey);
bool profile_has(const struct profile *p, enum profile_section section, struct span name);

#endif
