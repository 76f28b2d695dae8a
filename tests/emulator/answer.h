/* The words of the emulated model: they describe the real object and say that they are emulated. */
#ifndef VIDBATCH_EMULATOR_ANSWER_H
#define VIDBATCH_EMULATOR_ANSWER_H

#include "server/base/buf.h"
#include "server/base/span.h"
#include "tests/emulator/media.h"

#include <stdint.h>

/* hash: of the content, so that the same video always gets the same words. */
void answer_text(const struct media *media, int64_t size, uint64_t hash, struct span prompt, struct buf *out);
/* 288 tokens for each of at most 960 frames, one a second. */
int64_t answer_video_tokens(const struct media *media);
/* About four characters make a token. */
int64_t answer_text_tokens(size_t chars);

#endif
