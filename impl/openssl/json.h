/* Reads one string member of a JSON object (RFC 8259), which is all that keyd's answers need. */
#ifndef AZIOT_JSON_H
#define AZIOT_JSON_H

#include "text.h"

enum json_member {
    JSON_MEMBER_FOUND,
    JSON_MEMBER_ABSENT, /* a well-formed object without a string of that name */
    JSON_MALFORMED,     /* not one well-formed object, the name twice, or a NUL inside the string */
};

/* Reads the whole of `json`, which must be one object, and appends its string member `name` as UTF-8 to `value`. */
enum json_member json_read_string_member(const char *json, size_t length, const char *name, struct text *value);

#endif
