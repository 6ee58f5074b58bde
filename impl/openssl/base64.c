#include "base64.h"

#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_append(struct text *out, const uint8_t *bytes, size_t count)
{
    for (size_t at = 0; at < count; at += 3) {
        size_t left = count - at;
        uint32_t group = (uint32_t)bytes[at] << 16;
        if (left > 1)
            group |= (uint32_t)bytes[at + 1] << 8;
        if (left > 2)
            group |= bytes[at + 2];
        char four[4] = {
            alphabet[group >> 18],
            alphabet[group >> 12 & 63],
            left > 1 ? alphabet[group >> 6 & 63] : '=',
            left > 2 ? alphabet[group & 63] : '=',
        };
        text_append(out, four, sizeof four);
    }
}

static int sextet(char character)
{
    if (character >= 'A' && character <= 'Z')
        return character - 'A';
    if (character >= 'a' && character <= 'z')
        return character - 'a' + 26;
    if (character >= '0' && character <= '9')
        return character - '0' + 52;
    if (character == '+')
        return 62;
    return character == '/' ? 63 : -1;
}

/* Decodes one group of four; returns how many bytes it holds, or 0 when it is not valid. */
static size_t decode_group(const char *four, bool last, uint8_t *out)
{
    size_t padding = 0;
    if (last && four[3] == '=')
        padding = four[2] == '=' ? 2 : 1;
    uint32_t group = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? sextet(four[i]) : 0;
        if (value < 0)
            return 0;
        group = group << 6 | (uint32_t)value;
    }
    uint32_t unused = padding == 2 ? 0xffff : padding == 1 ? 0xff : 0;
    if ((group & unused) != 0)
        return 0;
    out[0] = (uint8_t)(group >> 16);
    if (padding < 2)
        out[1] = (uint8_t)(group >> 8);
    if (padding < 1)
        out[2] = (uint8_t)group;
    return 3 - padding;
}

bool base64_decode(const char *text, size_t count, uint8_t **bytes, size_t *length)
{
    if (count % 4 != 0)
        return false;
    uint8_t *out = malloc(count / 4 * 3 + 1);
    if (out == NULL)
        return false;
    size_t written = 0;
    for (size_t at = 0; at < count; at += 4) {
        size_t got = decode_group(text + at, at + 4 == count, out + written);
        if (got == 0) {
            free(out);
            return false;
        }
        written += got;
    }
    *bytes = out;
    *length = written;
    return true;
}
