/* CRC-64/NVME, which zlib does not have. Start with 0 and feed the result back in. Any thread. */
#ifndef VIDBATCH_EMULATOR_CHECKSUM_H
#define VIDBATCH_EMULATOR_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint64_t checksum_crc64nvme(uint64_t crc, const void *bytes, size_t len);

#endif
