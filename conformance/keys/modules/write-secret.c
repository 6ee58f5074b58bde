/*
 * Writes a secret key (CKK_GENERIC_SECRET, for HMAC) into the first token of a module, as keyd of the reference does on an
 * import (keys-service.md 8.3). usage: write-secret MODULE PIN LABEL < bytes
 * Functions are taken from the module's list by their place in it; the structures are those of PKCS#11 2.40.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef unsigned long ulong;
typedef struct {
    ulong type;
    void *value;
    ulong length;
} attribute;

enum { INITIALIZE = 0, GET_SLOT_LIST = 4, OPEN_SESSION = 12, LOGIN = 18, CREATE_OBJECT = 20 };
enum { CLASS = 0, TOKEN = 1, PRIVATE = 2, LABEL = 3, VALUE = 0x11, KEY_TYPE = 0x100, SENSITIVE = 0x103, SIGN = 0x108, VERIFY = 0x10a };
enum { SECRET_KEY = 4, GENERIC_SECRET = 0x10, SERIAL_READ_WRITE = 6, USER = 1 };

static int fail(const char *what, ulong code) {
    fprintf(stderr, "write-secret: %s: 0x%lx\n", what, code);
    return 1;
}

int main(int count, char **words) {
    static unsigned char bytes[4096];
    if (count != 4) return fail("usage: MODULE PIN LABEL < bytes", 0);
    size_t length = fread(bytes, 1, sizeof bytes, stdin);
    void *module = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
    ulong (*get_list)(void ***) = module ? (ulong(*)(void ***))dlsym(module, "C_GetFunctionList") : NULL;
    void **list = NULL;
    if (!get_list || get_list(&list) != 0) return fail("no module", 0);
    void **function = list + 1;

    ulong slots[16], slot_count = 16, session = 0, object = 0, result;
    if ((result = ((ulong(*)(void *))function[INITIALIZE])(NULL))) return fail("C_Initialize", result);
    if ((result = ((ulong(*)(unsigned char, ulong *, ulong *))function[GET_SLOT_LIST])(1, slots, &slot_count)))
        return fail("C_GetSlotList", result);
    result = ((ulong(*)(ulong, ulong, void *, void *, ulong *))function[OPEN_SESSION])(slots[0], SERIAL_READ_WRITE, NULL, NULL, &session);
    if (result) return fail("C_OpenSession", result);
    if ((result = ((ulong(*)(ulong, ulong, char *, ulong))function[LOGIN])(session, USER, words[2], strlen(words[2]))))
        return fail("C_Login", result);

    ulong class = SECRET_KEY, type = GENERIC_SECRET;
    unsigned char yes = 1;
    attribute template[] = {
        {CLASS, &class, sizeof class}, {KEY_TYPE, &type, sizeof type}, {TOKEN, &yes, 1},   {PRIVATE, &yes, 1},    {SENSITIVE, &yes, 1},
        {SIGN, &yes, 1},               {VERIFY, &yes, 1},              {LABEL, words[3], strlen(words[3])}, {VALUE, bytes, length},
    };
    result = ((ulong(*)(ulong, attribute *, ulong, ulong *))function[CREATE_OBJECT])(session, template, 9, &object);
    return result ? fail("C_CreateObject", result) : 0;
}
