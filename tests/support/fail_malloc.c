/* SPDX-License-Identifier: MIT */
/*
 * Loaded in front of libc, fails allocations of a running program: those whose number is in [from, to). Both, and how
 * many there have been, are three 64-bit numbers in the file that FAIL_MALLOC names, for a test to read and to write.
 * What epoll needs for a descriptor and send() for its bytes, the kernel allocates: they are of them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc's own: dlsym() would allocate */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);

struct shared {
	_Atomic uint64_t count, from, to;
};

static struct shared none, *shared = &none;
static long (*libc_syscall)(long number, ...);

__attribute__((constructor)) static void begin(void)
{
	const char *file = getenv("FAIL_MALLOC");
	int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;
	void *p = fd < 0 ? MAP_FAILED
			 : mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (p != MAP_FAILED)
		shared = p;
}

static bool fails(void)
{
	uint64_t n = atomic_fetch_add(&shared->count, 1);

	if (n < atomic_load(&shared->from) || n >= atomic_load(&shared->to))
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return size && fails() ? NULL : __libc_realloc(p, size);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, n * size);
}

void *aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : __libc_memalign(align, size);
}

int posix_memalign(void **ret, size_t align, size_t size)
{
	void *p = aligned_alloc(align, size);

	if (!p)
		return ENOMEM;
	*ret = p;
	return 0;
}

int epoll_ctl(int epoll, int op, int fd, struct epoll_event *e)
{
	return op == EPOLL_CTL_ADD && fails() ? -1 : (int)syscall(SYS_epoll_ctl, epoll, op, fd, e);
}

long syscall(long number, ...)
{
	va_list list;
	long a[6];

	if (!libc_syscall)
		*(void **)&libc_syscall = dlsym(RTLD_NEXT, "syscall");
	va_start(list, number);
	for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++)
		a[i] = va_arg(list, long);
	va_end(list);
	return number == SYS_sendto && fails() ? -1 : libc_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
