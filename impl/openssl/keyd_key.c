#include "keyd_key.h"

#include "base64.h"
#include "text.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct counted_key {
    struct keyd_key key; /* first, so that a pointer to it is a pointer to the whole */
    atomic_uint references;
};

void keyd_key_up_ref(struct keyd_key *key)
{
    atomic_fetch_add_explicit(&((struct counted_key *)key)->references, 1, memory_order_relaxed);
}

void keyd_key_free(struct keyd_key *key)
{
    if (key == NULL)
        return;
    if (atomic_fetch_sub_explicit(&((struct counted_key *)key)->references, 1, memory_order_acq_rel) > 1)
        return;
    keyd_client_free(key->client);
    string_wipe_free(key->handle);
    free(key->point.bytes);
    free(key->modulus.bytes);
    free(key->exponent.bytes);
    free(key);
}

static bool read_bytes(struct keyd_key *key, const char *name, struct keyd_bytes *bytes, struct keyd_error *error)
{
    char *value = keyd_client_get_parameter(key->client, key->handle, name, error);
    if (value == NULL)
        return false;
    bool good = base64_decode(value, strlen(value), &bytes->bytes, &bytes->length);
    if (!good)
        keyd_error_set(error, KEYD_BAD_ANSWER, "the parameter %s in the answer of keyd is not base64", name);
    free(value);
    return good;
}

static bool find_curve(struct keyd_bytes oid, enum keyd_curve *curve)
{
    /* DER, tag and length included */
    static const struct {
        uint8_t oid[10];
        size_t length;
        enum keyd_curve curve;
    } curves[] = {
        {{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}, 10, KEYD_P256},
        {{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}, 7, KEYD_P384},
        {{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23}, 7, KEYD_P521},
    };
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
        if (oid.length == curves[i].length && memcmp(oid.bytes, curves[i].oid, oid.length) == 0) {
            *curve = curves[i].curve;
            return true;
        }
    return false;
}

static bool read_curve(struct keyd_key *key, struct keyd_error *error)
{
    struct keyd_bytes oid;
    if (!read_bytes(key, "ec-curve-oid", &oid, error))
        return false;
    bool good = find_curve(oid, &key->curve);
    if (!good)
        keyd_error_set(error, KEYD_UNSUPPORTED_KEY, "unrecognized curve; P-256, P-384 and P-521 are supported");
    free(oid.bytes);
    return good;
}

static bool read_parameters(struct keyd_key *key, struct keyd_error *error)
{
    char *algorithm = keyd_client_get_parameter(key->client, key->handle, "algorithm", error);
    if (algorithm == NULL)
        return false;
    bool good = false;
    if (strcmp(algorithm, "ECDSA") == 0) {
        key->algorithm = KEYD_EC;
        good = read_curve(key, error) && read_bytes(key, "ec-point", &key->point, error);
    } else if (strcmp(algorithm, "RSA") == 0) {
        key->algorithm = KEYD_RSA;
        good = read_bytes(key, "rsa-modulus", &key->modulus, error)
               && read_bytes(key, "rsa-exponent", &key->exponent, error);
    } else {
        keyd_error_set(error, KEYD_UNSUPPORTED_KEY, "unrecognized key algorithm %.40s", algorithm);
    }
    free(algorithm);
    return good;
}

struct keyd_key *keyd_key_load(const char *identifier, struct keyd_error *error)
{
    struct counted_key *counted = calloc(1, sizeof *counted);
    if (counted == NULL) {
        keyd_error_set(error, KEYD_NO_MEMORY, "out of memory");
        return NULL;
    }
    struct keyd_key *key = &counted->key;
    atomic_init(&counted->references, 1);
    key->client = keyd_client_new(error);
    if (key->client != NULL)
        key->handle = keyd_client_find_handle(key->client, identifier, error);
    if (key->handle != NULL && read_parameters(key, error))
        return key;
    keyd_key_free(key);
    return NULL;
}
