/*
 * The two entry points that OpenSSL's dynamic loader looks for.
 *
 * The loader refuses to bind two living engines with the same address of `bind_engine`, which makes every load after
 * the first in a process fail. So this file hands out a different address each time `bind_engine` is looked up (it
 * is an indirect function, resolved at each look-up), for as many loads as there are doors. Long before they run
 * out it puts the engine itself on OpenSSL's list, under the name and the path that it was loaded by; OpenSSL then
 * finds it there and does not load it again, however often it is asked for.
 */
#include "engine.h"

#include "engine_error.h"

#include <dlfcn.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>

typedef int bind_function(ENGINE *engine, const char *id, const dynamic_fns *functions);

#if defined(__GLIBC__)
#define HAS_DOORS 1
enum { LOADS_BEFORE_LISTING = 4 };
#else
#define HAS_DOORS 0
enum { LOADS_BEFORE_LISTING = 0 };
#endif

static atomic_uint loads;

/* All else in this library is hidden. */
#define ENTRY __attribute__((visibility("default")))
ENTRY unsigned long v_check(unsigned long version);
ENTRY bind_function bind_engine;

unsigned long v_check(unsigned long version)
{
    return version >= OSSL_DYNAMIC_OLDEST ? OSSL_DYNAMIC_VERSION : 0;
}

/* Puts the engine on OpenSSL's list under `id`, which must stay; an id that is there already is no error. */
static void list_engine(const char *id)
{
    ENGINE *engine = ENGINE_new();
    ERR_set_mark();
    if (engine != NULL && engine_fill(engine, id))
        ENGINE_add(engine);
    ERR_pop_to_mark();
    ENGINE_free(engine);
}

static void list_engine_by_names(void)
{
    Dl_info self;
    list_engine("aziot_keys");
    /* The name of this library lives as long as the library, which is linked never to be unloaded. */
    if (dladdr((void *)&v_check, &self) != 0 && self.dli_fname != NULL)
        list_engine(self.dli_fname);
}

static int bind(ENGINE *engine, const char *id, const dynamic_fns *functions)
{
    (void)id;
    /* This library has no libcrypto of its own; were its symbols those of another one, every call would corrupt. */
    if (functions->static_state != ENGINE_get_static_state())
        return 0;
    if (!engine_fill(engine, ENGINE_INNER_ID))
        return 0;
    if (atomic_fetch_add(&loads, 1) == LOADS_BEFORE_LISTING)
        list_engine_by_names();
    return 1;
}

#if HAS_DOORS

/* Sixteen functions that do the same at sixteen addresses; `no_icf` keeps the compiler from merging them. */
#define DOOR(number)                                                                                       \
    __attribute__((noinline, no_icf)) static int door_##number(ENGINE *engine, const char *id,             \
                                                               const dynamic_fns *functions)               \
    {                                                                                                      \
        return bind(engine, id, functions);                                                                \
    }
#define FOUR_DOORS(first) DOOR(first##0) DOOR(first##1) DOOR(first##2) DOOR(first##3)
#define FOUR_NAMES(first) door_##first##0, door_##first##1, door_##first##2, door_##first##3

FOUR_DOORS(0) FOUR_DOORS(1) FOUR_DOORS(2) FOUR_DOORS(3)

static bind_function *const doors[] = {FOUR_NAMES(0), FOUR_NAMES(1), FOUR_NAMES(2), FOUR_NAMES(3)};

/* Runs inside dlsym, when this library is relocated already: it may use its data. */
static bind_function *pick_door(void)
{
    static atomic_uint next;
    return doors[atomic_fetch_add(&next, 1) % (sizeof doors / sizeof *doors)];
}

__attribute__((ifunc("pick_door"))) int bind_engine(ENGINE *engine, const char *id, const dynamic_fns *functions);

#else

int bind_engine(ENGINE *engine, const char *id, const dynamic_fns *functions)
{
    return bind(engine, id, functions);
}

#endif
