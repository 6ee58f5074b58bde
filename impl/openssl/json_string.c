#include "json_string.h"

#include "utf8.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

bool json_append_string(struct text *out, const char *string)
{
    size_t length = strlen(string);
    if (!utf8_is_valid(string, length))
        return false;
    text_append_byte(out, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)string[i];
        if (byte == '"' || byte == '\\') {
            text_append_byte(out, '\\');
            text_append_byte(out, (char)byte);
        } else if (byte < 0x20) {
            char escape[8];
            snprintf(escape, sizeof escape, "\\u%04x", byte);
            text_append_string(out, escape);
        } else {
            text_append_byte(out, (char)byte);
        }
    }
    text_append_byte(out, '"');
    return true;
}

bool json_take(struct json_reader *in, char wanted)
{
    if (in->at == in->end || *in->at != wanted)
        return false;
    in->at++;
    return true;
}

static bool read_hex4(struct json_reader *in, uint32_t *unit)
{
    if (in->end - in->at < 4)
        return false;
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        char digit = *in->at++;
        uint32_t value;
        if (digit >= '0' && digit <= '9')
            value = (uint32_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            value = (uint32_t)(digit - 'a' + 10);
        else if (digit >= 'A' && digit <= 'F')
            value = (uint32_t)(digit - 'A' + 10);
        else
            return false;
        *unit = *unit << 4 | value;
    }
    return true;
}

/* Reads what follows `\u`, a second escape included where the first is half of a surrogate pair. */
static bool read_unicode_escape(struct json_reader *in, struct text *out)
{
    uint32_t code;
    if (!read_hex4(in, &code))
        return false;
    if (code >= 0xd800 && code <= 0xdbff) {
        uint32_t low;
        if (!json_take(in, '\\') || !json_take(in, 'u') || !read_hex4(in, &low) || low < 0xdc00 || low > 0xdfff)
            return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code <= 0xdfff) {
        return false;
    }
    utf8_append(out, code);
    return true;
}

static bool read_escape(struct json_reader *in, struct text *out)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    if (in->at == in->end)
        return false;
    char letter = *in->at++;
    if (letter == 'u')
        return read_unicode_escape(in, out);
    const char *found = letter == '\0' ? NULL : strchr(letters, letter);
    if (found == NULL)
        return false;
    text_append_byte(out, meanings[found - letters]);
    return true;
}

bool json_read_string(struct json_reader *in, struct text *out)
{
    if (!json_take(in, '"'))
        return false;
    while (in->at < in->end) {
        char character = *in->at++;
        if (character == '"')
            return !out->failed && utf8_is_valid(out->bytes, out->length);
        if ((unsigned char)character < 0x20)
            return false;
        if (character == '\\') {
            if (!read_escape(in, out))
                return false;
        } else {
            text_append_byte(out, character);
        }
    }
    return false;
}
