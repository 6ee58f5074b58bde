/* RSA keys whose signatures keyd makes. */
#ifndef AZIOT_RSA_KEY_H
#define AZIOT_RSA_KEY_H

#include "keyd_key.h"

#include <openssl/evp.h>

/*
 * Makes an EVP_PKEY out of the public parts of `key`. With `private` not 0 it also signs through keyd (PKCS#1 v1.5
 * and PSS, never decrypts), and takes a reference of its own to `key`. Returns NULL with an error on the queue.
 */
EVP_PKEY *rsa_key_new(struct keyd_key *key, int private);

#endif
