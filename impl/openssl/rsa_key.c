#include "rsa_key.h"

#include "engine_error.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

enum {
    MIN_MODULUS_BITS = 512,
    MAX_MODULUS_BITS = OPENSSL_RSA_MAX_MODULUS_BITS,
    MAX_EXPONENT_BYTES = 8, /* OpenSSL refuses longer ones of large keys */
};

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static RSA_METHOD *method; /* lives as long as the process, as keys that use it may */
static int key_index = -1;

static void free_key(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long number, void *pointer)
{
    (void)parent, (void)data, (void)index, (void)number, (void)pointer;
    keyd_key_free(ptr);
}

/* The copy of an RSA needs a reference of its own. What is handed in is the address of the pointer. */
static int copy_key(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **from_key, int index, long number,
                    void *pointer)
{
    (void)to, (void)from, (void)index, (void)number, (void)pointer;
    if (*from_key != NULL)
        keyd_key_up_ref(*from_key);
    return 1;
}

/* keyd's name for the padding, or NULL when keyd has none or the input does not fit it. */
static const char *find_algorithm(int padding, int length, int size)
{
    if (padding == RSA_PKCS1_PADDING && length >= 0 && length <= size - RSA_PKCS1_PADDING_SIZE)
        return "RSA-PKCS1";
    /* PSS comes here too: OpenSSL has then made the whole block, of the size of the key. */
    if (padding == RSA_NO_PADDING && length == size)
        return "RSA-NO-PADDING";
    return NULL;
}

static int encrypt_private(int length, const unsigned char *from, unsigned char *to, RSA *rsa, int padding)
{
    struct keyd_error error = {0};
    struct keyd_key *key = RSA_get_ex_data(rsa, key_index);
    int size = RSA_size(rsa);
    const char *algorithm = find_algorithm(padding, length, size);
    if (key == NULL || algorithm == NULL) {
        ENGINE_ERROR(ENGINE_REASON_UNSUPPORTED_OPERATION,
                     "RSA padding %d with %d bytes for a key of %d bytes: keyd signs PKCS#1 v1.5 and PSS only", padding,
                     length, size);
        return -1;
    }
    struct keyd_bytes signature =
        keyd_client_encrypt_rsa(key->client, key->handle, algorithm, from, (size_t)length, &error);
    if (signature.bytes == NULL) {
        ENGINE_KEYD_ERROR(&error);
        return -1;
    }
    int good = signature.length == (size_t)size;
    if (good)
        memcpy(to, signature.bytes, signature.length);
    else
        ENGINE_ERROR(ENGINE_REASON_BAD_SIGNATURE, "keyd's signature has %zu bytes, and the key %d", signature.length,
                     size);
    free(signature.bytes);
    return good ? size : -1;
}

static int decrypt_private(int length, const unsigned char *from, unsigned char *to, RSA *rsa, int padding)
{
    (void)length, (void)from, (void)to, (void)rsa, (void)padding;
    ENGINE_ERROR(ENGINE_REASON_UNSUPPORTED_OPERATION, "RSA decryption with a key in keyd is not supported");
    return -1;
}

static void set_up(void)
{
    RSA_METHOD *made = RSA_meth_dup(RSA_PKCS1_OpenSSL());
    key_index = RSA_get_ex_new_index(0, NULL, NULL, copy_key, free_key);
    if (made == NULL || key_index < 0 || RSA_meth_set1_name(made, "RSA in keyd") != 1
        || RSA_meth_set_flags(made, 0) != 1 || RSA_meth_set_priv_enc(made, encrypt_private) != 1
        || RSA_meth_set_priv_dec(made, decrypt_private) != 1) {
        RSA_meth_free(made);
        return;
    }
    method = made;
}

/* Numbers that OpenSSL can compute with safely: odd, of a sane size, the exponent at least 3. */
static int are_sane(const BIGNUM *modulus, const BIGNUM *exponent)
{
    int bits = BN_num_bits(modulus);
    return bits >= MIN_MODULUS_BITS && bits <= MAX_MODULUS_BITS && BN_is_odd(modulus) && BN_is_odd(exponent)
           && !BN_is_one(exponent) && BN_num_bytes(exponent) <= MAX_EXPONENT_BYTES;
}

static RSA *make_public(const struct keyd_key *key)
{
    RSA *rsa = RSA_new();
    BIGNUM *modulus = BN_bin2bn(key->modulus.bytes, (int)key->modulus.length, NULL);
    BIGNUM *exponent = BN_bin2bn(key->exponent.bytes, (int)key->exponent.length, NULL);
    if (rsa != NULL && modulus != NULL && exponent != NULL && are_sane(modulus, exponent)
        && RSA_set0_key(rsa, modulus, exponent, NULL) == 1)
        return rsa;
    ENGINE_ERROR(KEYD_UNSUPPORTED_KEY, "the rsa-modulus and rsa-exponent of keyd are not a usable RSA key");
    BN_free(modulus);
    BN_free(exponent);
    RSA_free(rsa);
    return NULL;
}

static int make_private(RSA *rsa, struct keyd_key *key)
{
    if (!CRYPTO_THREAD_run_once(&once, set_up) || method == NULL)
        return 0;
    if (RSA_set_method(rsa, method) != 1 || RSA_set_ex_data(rsa, key_index, key) != 1)
        return 0;
    keyd_key_up_ref(key);
    return 1;
}

EVP_PKEY *rsa_key_new(struct keyd_key *key, int private)
{
    RSA *rsa = make_public(key);
    if (rsa == NULL)
        return NULL;
    EVP_PKEY *pkey = EVP_PKEY_new();
    if (pkey != NULL && (!private || make_private(rsa, key)) && EVP_PKEY_assign_RSA(pkey, rsa) == 1)
        return pkey;
    ENGINE_ERROR(ENGINE_REASON_OPENSSL, "an RSA key could not be made");
    EVP_PKEY_free(pkey);
    RSA_free(rsa);
    return NULL;
}
