/*
 * A PKCS#11 module that stands before another one (SoftHSM) and misbehaves on command: for tests of how keyd bears a vendor's module.
 *
 * Environment:
 *   AWKWARD_INNER    path of the module behind
 *   AWKWARD_CONTROL  file that is read at each call, one order a line; absent or empty: no fault
 *   AWKWARD_LOG      file that gets a line "C_Name 0xRV" for each call that is passed through here
 *
 * Orders:
 *   session-limit N        C_OpenSession gives CKR_SESSION_COUNT while N sessions are open
 *   small-buffer N         C_Sign, C_Encrypt, C_Decrypt give CKR_BUFFER_TOO_SMALL for a buffer of fewer bytes
 *   removed                every call on a slot or session gives CKR_DEVICE_REMOVED, and there is no slot
 *   logout-once            the next call on a session is made after C_Logout
 *   finalize-once          the next call on a session is made after C_Finalize
 *   fail C_Name RV         that function gives RV
 *   hang C_Name            that function never returns
 *   crash C_Name           that function ends the process with SIGSEGV
 *   crash-after C_Name N   the same, at the call after N calls of a function with such an order
 *   no-mechanism M         init and generate functions give CKR_MECHANISM_INVALID for the mechanism M
 *   version M.N            the module says that it speaks Cryptoki M.N
 * An order ending in "-once" is carried out once for each change of the file.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef unsigned long ck_rv;
typedef unsigned long ck_ulong;
typedef struct { unsigned char major, minor; } ck_version;
typedef struct { ck_ulong mechanism; void *parameter; ck_ulong length; } ck_mechanism;

enum { FUNCTIONS = 68 };
typedef struct { ck_version version; void *function[FUNCTIONS]; } ck_function_list;

/* Places of functions in the list of PKCS#11 2.40 (pkcs11f.h). */
enum {
  F_Finalize = 1, F_GetInfo = 2, F_GetFunctionList = 3, F_GetSlotList = 4, F_GetTokenInfo = 6, F_OpenSession = 12,
  F_CloseSession = 13, F_GetSessionInfo = 15, F_Login = 18, F_Logout = 19, F_CreateObject = 20, F_DestroyObject = 22,
  F_GetAttributeValue = 24, F_SetAttributeValue = 25, F_FindObjectsInit = 26, F_FindObjects = 27,
  F_FindObjectsFinal = 28, F_EncryptInit = 29, F_Encrypt = 30, F_DecryptInit = 33, F_Decrypt = 34, F_SignInit = 42,
  F_Sign = 43, F_GenerateKey = 58, F_GenerateKeyPair = 59
};

enum {
  CKR_OK = 0, CKR_GENERAL_ERROR = 5, CKR_DEVICE_REMOVED = 0x32, CKR_MECHANISM_INVALID = 0x70,
  CKR_SESSION_COUNT = 0xb1, CKR_BUFFER_TOO_SMALL = 0x150
};

static ck_function_list *inner;
static ck_function_list outer;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ck_ulong open_sessions;
static struct timespec obeyed; /* change of the control file whose "-once" order was carried out */

#define INNER(type, place) ((ck_rv(*) type)inner->function[place])

/* The control file as text; empty where there is none. */
static void read_orders(char *text, size_t room, struct timespec *changed) {
  text[0] = 0;
  const char *path = getenv("AWKWARD_CONTROL");
  int fd = path ? open(path, O_RDONLY) : -1;
  if (fd < 0) return;
  struct stat status;
  ssize_t got = read(fd, text, room - 1);
  if (fstat(fd, &status) == 0 && changed) *changed = status.st_mtim;
  text[got > 0 ? got : 0] = 0;
  close(fd);
}

/* Whether there is an order that begins with these words; `rest` gets what follows them on the line. */
static int ordered(const char *words, char *rest, size_t room) {
  char text[4096];
  read_orders(text, sizeof text, NULL);
  size_t length = strlen(words);
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    if (strncmp(line, words, length) != 0 || (line[length] != 0 && line[length] != ' ')) continue;
    if (rest) snprintf(rest, room, "%s", line[length] ? line + length + 1 : "");
    return 1;
  }
  return 0;
}

static unsigned long number_of(const char *words, unsigned long absent) {
  char rest[64];
  return ordered(words, rest, sizeof rest) ? strtoul(rest, NULL, 0) : absent;
}

static ck_rv logged(const char *name, ck_rv rv) {
  const char *path = getenv("AWKWARD_LOG");
  int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;
  if (fd < 0) return rv;
  char line[96];
  int length = snprintf(line, sizeof line, "%s 0x%lx\n", name, rv);
  if (write(fd, line, (size_t)length) != length) abort();
  close(fd);
  return rv;
}

/* Carries out what is ordered for any call of this function; CKR_OK where the call may go on. */
static ck_rv obey(const char *name) {
  char words[96];
  snprintf(words, sizeof words, "crash %s", name);
  if (ordered(words, NULL, 0)) raise(SIGSEGV);
  snprintf(words, sizeof words, "crash-after %s", name);
  char calls[64];
  static unsigned long counted;
  if (ordered(words, calls, sizeof calls) && counted++ == strtoul(calls, NULL, 0)) raise(SIGSEGV);
  snprintf(words, sizeof words, "hang %s", name);
  if (ordered(words, NULL, 0)) for (;;) pause();
  if (ordered("removed", NULL, 0)) return CKR_DEVICE_REMOVED;
  snprintf(words, sizeof words, "fail %s", name);
  return number_of(words, CKR_OK);
}

/* As obey, for calls on a session: loses the login or the whole module first, where that is ordered. */
static ck_rv obey_in(const char *name, ck_ulong session) {
  int logout = ordered("logout-once", NULL, 0), finalize = ordered("finalize-once", NULL, 0);
  if (logout || finalize) {
    char text[4096];
    struct timespec changed = {0};
    read_orders(text, sizeof text, &changed);
    pthread_mutex_lock(&lock);
    int fresh = changed.tv_sec != obeyed.tv_sec || changed.tv_nsec != obeyed.tv_nsec;
    obeyed = changed;
    pthread_mutex_unlock(&lock);
    if (fresh && logout) logged("logout-once", INNER((ck_ulong), F_Logout)(session));
    if (fresh && finalize) logged("finalize-once", INNER((void *), F_Finalize)(NULL));
  }
  return obey(name);
}

static int lacks(const ck_mechanism *mechanism) {
  char text[4096];
  read_orders(text, sizeof text, NULL);
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    if (strncmp(line, "no-mechanism ", 13) == 0 && strtoul(line + 13, NULL, 0) == mechanism->mechanism) return 1;
  }
  return 0;
}

static ck_version own_version(ck_version version) {
  char rest[64];
  int major, minor;
  if (ordered("version", rest, sizeof rest) && sscanf(rest, "%d.%d", &major, &minor) == 2) {
    version.major = (unsigned char)major;
    version.minor = (unsigned char)minor;
  }
  return version;
}

static ck_rv get_info(ck_version *info) {
  ck_rv rv = INNER((void *), F_GetInfo)(info);
  if (rv == CKR_OK) info[0] = own_version(info[0]); /* the first member of CK_INFO */
  return rv;
}

static ck_rv get_slot_list(unsigned char present, ck_ulong *list, ck_ulong *count) {
  ck_rv rv = obey("C_GetSlotList");
  if (rv == CKR_DEVICE_REMOVED) {
    *count = 0;
    return CKR_OK;
  }
  return rv ? rv : INNER((unsigned char, ck_ulong *, ck_ulong *), F_GetSlotList)(present, list, count);
}

static ck_rv open_session(ck_ulong slot, ck_ulong flags, void *application, void *notify, ck_ulong *session) {
  ck_rv rv = obey("C_OpenSession");
  pthread_mutex_lock(&lock);
  if (!rv && open_sessions >= number_of("session-limit", ~0UL)) rv = CKR_SESSION_COUNT;
  if (!rv) rv = INNER((ck_ulong, ck_ulong, void *, void *, ck_ulong *), F_OpenSession)(slot, flags, application, notify, session);
  if (!rv) open_sessions++;
  pthread_mutex_unlock(&lock);
  return logged("C_OpenSession", rv);
}

static ck_rv close_session(ck_ulong session) {
  pthread_mutex_lock(&lock);
  ck_rv rv = INNER((ck_ulong), F_CloseSession)(session);
  if (open_sessions > 0) open_sessions--;
  pthread_mutex_unlock(&lock);
  return logged("C_CloseSession", rv);
}

static ck_rv login(ck_ulong session, ck_ulong user, void *pin, ck_ulong length) {
  ck_rv rv = obey("C_Login");
  return logged("C_Login", rv ? rv : INNER((ck_ulong, ck_ulong, void *, ck_ulong), F_Login)(session, user, pin, length));
}

static ck_rv too_small(const ck_ulong *room, const void *out) {
  return out && *room < number_of("small-buffer", 0) ? CKR_BUFFER_TOO_SMALL : CKR_OK;
}

/* Functions with a result buffer: C_Sign, C_Encrypt, C_Decrypt. */
#define RESULT(own, place)                                                                            \
  static ck_rv own(ck_ulong session, void *in, ck_ulong length, void *out, ck_ulong *room) {          \
    ck_rv rv = obey_in("C_" #place, session);                                                         \
    if (!rv) rv = too_small(room, out);                                                               \
    if (!rv) rv = INNER((ck_ulong, void *, ck_ulong, void *, ck_ulong *), F_##place)(session, in, length, out, room); \
    return logged("C_" #place, rv);                                                                   \
  }
RESULT(own_sign, Sign)
RESULT(own_encrypt, Encrypt)
RESULT(own_decrypt, Decrypt)

/* Functions that begin an operation with a mechanism. */
#define BEGIN(own, place)                                                                             \
  static ck_rv own(ck_ulong session, ck_mechanism *mechanism, ck_ulong key) {                         \
    ck_rv rv = obey_in("C_" #place, session);                                                         \
    if (!rv && lacks(mechanism)) rv = CKR_MECHANISM_INVALID;                                          \
    return logged("C_" #place, rv ? rv : INNER((ck_ulong, ck_mechanism *, ck_ulong), F_##place)(session, mechanism, key)); \
  }
BEGIN(own_sign_init, SignInit)
BEGIN(own_encrypt_init, EncryptInit)
BEGIN(own_decrypt_init, DecryptInit)

/* Functions of a session and up to three machine words. */
#define WORDS(own, place)                                                                             \
  static ck_rv own(ck_ulong session, ck_ulong a, ck_ulong b, ck_ulong c) {                            \
    ck_rv rv = obey_in("C_" #place, session);                                                         \
    return logged("C_" #place, rv ? rv : INNER((ck_ulong, ck_ulong, ck_ulong, ck_ulong), F_##place)(session, a, b, c)); \
  }
WORDS(own_find_init, FindObjectsInit)
WORDS(own_find, FindObjects)
WORDS(own_create, CreateObject)
WORDS(own_destroy, DestroyObject)
WORDS(own_get_attributes, GetAttributeValue)
WORDS(own_set_attributes, SetAttributeValue)
WORDS(own_session_info, GetSessionInfo)

static ck_rv own_generate(ck_ulong session, ck_mechanism *mechanism, void *attributes, ck_ulong count, ck_ulong *key) {
  ck_rv rv = obey_in("C_GenerateKey", session);
  if (!rv && lacks(mechanism)) rv = CKR_MECHANISM_INVALID;
  if (!rv) rv = INNER((ck_ulong, ck_mechanism *, void *, ck_ulong, ck_ulong *), F_GenerateKey)(session, mechanism, attributes, count, key);
  return logged("C_GenerateKey", rv);
}

static ck_rv own_generate_pair(ck_ulong session, ck_mechanism *mechanism, void *public, ck_ulong publics, void *private,
                               ck_ulong privates, ck_ulong *public_key, ck_ulong *private_key) {
  ck_rv rv = obey_in("C_GenerateKeyPair", session);
  if (!rv && lacks(mechanism)) rv = CKR_MECHANISM_INVALID;
  if (!rv)
    rv = INNER((ck_ulong, ck_mechanism *, void *, ck_ulong, void *, ck_ulong, ck_ulong *, ck_ulong *), F_GenerateKeyPair)(
        session, mechanism, public, publics, private, privates, public_key, private_key);
  return logged("C_GenerateKeyPair", rv);
}

ck_rv C_GetFunctionList(ck_function_list **list) {
  if (!inner) {
    const char *path = getenv("AWKWARD_INNER");
    void *module = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    ck_rv (*get)(ck_function_list **) = module ? (ck_rv(*)(ck_function_list **))dlsym(module, "C_GetFunctionList") : NULL;
    if (!get || get(&inner) != CKR_OK) return CKR_GENERAL_ERROR;
  }
  outer = *inner;
  outer.version = own_version(inner->version);
  outer.function[F_GetInfo] = get_info;
  outer.function[F_GetFunctionList] = C_GetFunctionList;
  outer.function[F_GetSlotList] = get_slot_list;
  outer.function[F_OpenSession] = open_session;
  outer.function[F_CloseSession] = close_session;
  outer.function[F_GetSessionInfo] = own_session_info;
  outer.function[F_Login] = login;
  outer.function[F_CreateObject] = own_create;
  outer.function[F_DestroyObject] = own_destroy;
  outer.function[F_GetAttributeValue] = own_get_attributes;
  outer.function[F_SetAttributeValue] = own_set_attributes;
  outer.function[F_FindObjectsInit] = own_find_init;
  outer.function[F_FindObjects] = own_find;
  outer.function[F_EncryptInit] = own_encrypt_init;
  outer.function[F_Encrypt] = own_encrypt;
  outer.function[F_DecryptInit] = own_decrypt_init;
  outer.function[F_Decrypt] = own_decrypt;
  outer.function[F_SignInit] = own_sign_init;
  outer.function[F_Sign] = own_sign;
  outer.function[F_GenerateKey] = own_generate;
  outer.function[F_GenerateKeyPair] = own_generate_pair;
  *list = &outer;
  return CKR_OK;
}
