/* JSON strings (RFC 8259 section 7). */
#ifndef AZIOT_JSON_STRING_H
#define AZIOT_JSON_STRING_H

#include "text.h"

/* What is left to read. */
struct json_reader {
    const char *at;
    const char *end;
};

/* Takes `wanted` when it comes next. */
bool json_take(struct json_reader *in, char wanted);

/* Reads a string in quotes and appends it to the empty `out` as UTF-8. Returns false when it is malformed. */
bool json_read_string(struct json_reader *in, struct text *out);

/* Appends `string` in quotes with everything escaped that must be. Returns false when it is not UTF-8. */
bool json_append_string(struct text *out, const char *string);

#endif
