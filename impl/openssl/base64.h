/* Base64 with the standard alphabet and padding (RFC 4648 section 4), as keyd writes and reads it. */
#ifndef AZIOT_BASE64_H
#define AZIOT_BASE64_H

#include "text.h"

#include <stdint.h>

/* Appends the base64 form of `count` bytes to `out`. */
void base64_append(struct text *out, const uint8_t *bytes, size_t count);

/*
 * Decodes `count` characters into a new heap block that the caller frees.
 * Strict: padding must be there, unused bits must be zero, nothing else may stand between or after.
 * Returns false when the text is not such base64 or memory is short; then nothing is allocated.
 */
bool base64_decode(const char *text, size_t count, uint8_t **bytes, size_t *length);

#endif
