// What glibc's C++ library asks of glibc and musl does not have. Bun for musl wants a C++ library, and
// Debian has none for musl: its own, for glibc, runs on musl with this beside it. Nothing of it
// reaches the addon, whose C++ library is inside. No exception can be thrown: _dl_find_object finds
// nothing.
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

struct tm;
struct dl_find_object;
typedef struct __locale_struct* locale_t;

long getrandom(void* buffer, size_t bytes, unsigned flags);
unsigned long getauxval(unsigned long type);
size_t strftime_l(char* text, size_t most, const char* format, const struct tm* time, locale_t locale);

char __libc_single_threaded = 0;
struct {
  unsigned vendor, type, subtype, features[1];
} __cpu_model;

int __cpu_indicator_init(void) { return 0; }
int _dl_find_object(void* address, struct dl_find_object* result) { return -1; }
unsigned long __getauxval(unsigned long type) { return getauxval(type); }

struct ending {
  void (*destroy)(void*);
  void* object;
  struct ending* next;
};

static pthread_key_t endings;

// The last first; one may add others.
static void end_thread(void* list) {
  pthread_setspecific(endings, NULL);
  for (struct ending* ending = list; ending != NULL;) {
    struct ending* next = ending->next;
    ending->destroy(ending->object);
    free(ending);
    ending = next;
  }
}

__attribute__((constructor)) static void make_key(void) {
  if (pthread_key_create(&endings, end_thread) != 0) abort();
}

int __cxa_thread_atexit_impl(void (*destroy)(void*), void* object, void* library) {
  struct ending* ending = malloc(sizeof *ending);
  if (ending == NULL) return -1;
  *ending = (struct ending){destroy, object, pthread_getspecific(endings)};
  int code = pthread_setspecific(endings, ending);
  if (code != 0) free(ending);
  return code;
}

unsigned arc4random(void) {
  unsigned value = 0;
  if (getrandom(&value, sizeof value, 0) != sizeof value) abort();
  return value;
}

size_t __strftime_l(char* text, size_t most, const char* format, const struct tm* time, locale_t locale) {
  return strftime_l(text, most, format, time, locale);
}
