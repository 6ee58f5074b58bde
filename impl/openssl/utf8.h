/* UTF-8 (RFC 3629). */
#ifndef AZIOT_UTF8_H
#define AZIOT_UTF8_H

#include "text.h"

#include <stdint.h>

/* True when the bytes are UTF-8: no overlong form, no surrogate, nothing above U+10FFFF. */
bool utf8_is_valid(const char *bytes, size_t length);

/* Appends one code point (not a surrogate, at most U+10FFFF). */
void utf8_append(struct text *out, uint32_t code);

#endif
