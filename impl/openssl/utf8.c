#include "utf8.h"

/* Length of the sequence that begins with `lead`, and the lowest code point that needs it; 0 for a byte that leads none. */
static size_t sequence_length(unsigned char lead, uint32_t *lowest)
{
    if (lead < 0x80) {
        *lowest = 0;
        return 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        *lowest = 0x80;
        return 2;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        *lowest = 0x800;
        return 3;
    }
    *lowest = 0x10000;
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

bool utf8_is_valid(const char *bytes, size_t length)
{
    size_t at = 0;
    while (at < length) {
        unsigned char lead = (unsigned char)bytes[at];
        uint32_t lowest;
        size_t count = sequence_length(lead, &lowest);
        if (count == 0 || count > length - at)
            return false;
        uint32_t code = count == 1 ? lead : lead & (0xffu >> (count + 1));
        for (size_t i = 1; i < count; i++) {
            unsigned char next = (unsigned char)bytes[at + i];
            if ((next & 0xc0) != 0x80)
                return false;
            code = code << 6 | (next & 0x3fu);
        }
        if (code < lowest || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
            return false;
        at += count;
    }
    return true;
}

void utf8_append(struct text *out, uint32_t code)
{
    if (code < 0x80) {
        text_append_byte(out, (char)code);
        return;
    }
    if (code < 0x800) {
        text_append_byte(out, (char)(0xc0 | code >> 6));
    } else {
        if (code < 0x10000) {
            text_append_byte(out, (char)(0xe0 | code >> 12));
        } else {
            text_append_byte(out, (char)(0xf0 | code >> 18));
            text_append_byte(out, (char)(0x80 | (code >> 12 & 0x3f)));
        }
        text_append_byte(out, (char)(0x80 | (code >> 6 & 0x3f)));
    }
    text_append_byte(out, (char)(0x80 | (code & 0x3f)));
}
