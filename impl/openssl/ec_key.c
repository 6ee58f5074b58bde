#include "ec_key.h"

#include "engine_error.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <stdlib.h>
#include <string.h>

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static EC_KEY_METHOD *method; /* lives as long as the process, as keys that use it may */
static int key_index = -1;

static void free_key(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long number, void *pointer)
{
    (void)parent, (void)data, (void)index, (void)number, (void)pointer;
    keyd_key_free(ptr);
}

/* The copy of an EC_KEY needs a reference of its own. What is handed in is the address of the pointer. */
static int copy_key(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **from_key, int index, long number,
                    void *pointer)
{
    (void)to, (void)from, (void)index, (void)number, (void)pointer;
    if (*from_key != NULL)
        keyd_key_up_ref(*from_key);
    return 1;
}

/* DER that OpenSSL would have written itself, nothing before or after, and both numbers in range. */
static ECDSA_SIG *read_signature(struct keyd_bytes der, const EC_KEY *ec_key)
{
    const BIGNUM *order = EC_GROUP_get0_order(EC_KEY_get0_group(ec_key));
    const unsigned char *at = der.bytes;
    unsigned char *again = NULL;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)der.length);
    if (signature == NULL)
        return NULL;
    const BIGNUM *r = ECDSA_SIG_get0_r(signature);
    const BIGNUM *s = ECDSA_SIG_get0_s(signature);
    int length = i2d_ECDSA_SIG(signature, &again);
    int good = length >= 0 && (size_t)length == der.length && memcmp(again, der.bytes, der.length) == 0
               && !BN_is_zero(r) && !BN_is_negative(r) && BN_cmp(r, order) < 0
               && !BN_is_zero(s) && !BN_is_negative(s) && BN_cmp(s, order) < 0;
    OPENSSL_free(again);
    if (good)
        return signature;
    ECDSA_SIG_free(signature);
    return NULL;
}

static ECDSA_SIG *sign_digest(const unsigned char *digest, int length, const BIGNUM *kinv, const BIGNUM *r,
                              EC_KEY *ec_key)
{
    (void)kinv, (void)r;
    struct keyd_error error = {0};
    struct keyd_key *key = EC_KEY_get_ex_data(ec_key, key_index);
    const EC_GROUP *group = EC_KEY_get0_group(ec_key);
    if (key == NULL || group == NULL || length < 0) {
        ENGINE_ERROR(ENGINE_REASON_UNSUPPORTED_OPERATION, "the EC key has no private key in keyd");
        return NULL;
    }
    /* ECDSA uses the leftmost bits of a longer digest; some tokens behind keyd do not cut it themselves. */
    int order_bits = EC_GROUP_order_bits(group);
    if (length > (order_bits + 7) / 8)
        length = (order_bits + 7) / 8;
    struct keyd_bytes der = keyd_client_sign_ecdsa(key->client, key->handle, digest, (size_t)length, &error);
    if (der.bytes == NULL) {
        ENGINE_KEYD_ERROR(&error);
        return NULL;
    }
    ECDSA_SIG *signature = read_signature(der, ec_key);
    if (signature == NULL)
        ENGINE_ERROR(ENGINE_REASON_BAD_SIGNATURE, "keyd's signature of %zu bytes is not an exact DER ECDSA signature",
                     der.length);
    free(der.bytes);
    return signature;
}

static void set_up(void)
{
    int (*sign)(int type, const unsigned char *digest, int length, unsigned char *signature,
                unsigned int *signature_length, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *ec_key) = NULL;
    EC_KEY_METHOD *made = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
    key_index = EC_KEY_get_ex_new_index(0, NULL, NULL, copy_key, free_key);
    if (made == NULL || key_index < 0) {
        EC_KEY_METHOD_free(made);
        return;
    }
    EC_KEY_METHOD_get_sign(made, &sign, NULL, NULL);
    /* OpenSSL's own sign wraps what sign_digest gives; without a set-up nobody can ask for a nonce beforehand. */
    EC_KEY_METHOD_set_sign(made, sign, NULL, sign_digest);
    method = made;
}

static EC_KEY *make_public(const struct keyd_key *key)
{
    static const int curves[] = {
        [KEYD_P256] = NID_X9_62_prime256v1, [KEYD_P384] = NID_secp384r1, [KEYD_P521] = NID_secp521r1};
    EC_KEY *ec_key = EC_KEY_new_by_curve_name(curves[key->curve]);
    EC_POINT *point = ec_key == NULL ? NULL : EC_POINT_new(EC_KEY_get0_group(ec_key));
    int good = point != NULL
               && EC_POINT_oct2point(EC_KEY_get0_group(ec_key), point, key->point.bytes, key->point.length, NULL) == 1
               && EC_KEY_set_public_key(ec_key, point) == 1 && EC_KEY_check_key(ec_key) == 1;
    EC_POINT_free(point);
    if (good)
        return ec_key;
    ENGINE_ERROR(KEYD_UNSUPPORTED_KEY, "the ec-point of keyd is not a point of the key's curve");
    EC_KEY_free(ec_key);
    return NULL;
}

static int make_private(EC_KEY *ec_key, struct keyd_key *key)
{
    if (!CRYPTO_THREAD_run_once(&once, set_up) || method == NULL)
        return 0;
    if (EC_KEY_set_method(ec_key, method) != 1 || EC_KEY_set_ex_data(ec_key, key_index, key) != 1)
        return 0;
    keyd_key_up_ref(key);
    return 1;
}

EVP_PKEY *ec_key_new(struct keyd_key *key, int private)
{
    EC_KEY *ec_key = make_public(key);
    if (ec_key == NULL)
        return NULL;
    EVP_PKEY *pkey = EVP_PKEY_new();
    if (pkey != NULL && (!private || make_private(ec_key, key)) && EVP_PKEY_assign_EC_KEY(pkey, ec_key) == 1)
        return pkey;
    ENGINE_ERROR(ENGINE_REASON_OPENSSL, "an EC key could not be made");
    EVP_PKEY_free(pkey);
    EC_KEY_free(ec_key);
    return NULL;
}
