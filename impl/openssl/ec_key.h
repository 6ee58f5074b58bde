/* EC keys whose signatures keyd makes. */
#ifndef AZIOT_EC_KEY_H
#define AZIOT_EC_KEY_H

#include "keyd_key.h"

#include <openssl/evp.h>

/*
 * Makes an EVP_PKEY out of the public parts of `key`: P-256, P-384 or P-521. With `private` not 0 it also signs
 * through keyd, and takes a reference of its own to `key`. Returns NULL with an error on the queue.
 */
EVP_PKEY *ec_key_new(struct keyd_key *key, int private);

#endif
