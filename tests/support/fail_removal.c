/* SPDX-License-Identifier: MIT */
/*
 * Loaded in front of libc, fails requests to the kernel to remove an address: as many as the file says that FAIL_REMOVAL names, a
 * 64-bit number that counts down, with the errno that is the next one.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct failures {
	_Atomic int64_t left, error;
} none, *failures = &none;

__attribute__((constructor)) static void begin(void)
{
	const char *file = getenv("FAIL_REMOVAL");
	int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;
	void *p = fd < 0 ? MAP_FAILED
			 : mmap(NULL, sizeof(*failures), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (p != MAP_FAILED)
		failures = p;
}

static int is_removal(int fd, const void *data, size_t len)
{
	int domain = 0;
	struct nlmsghdr h;

	if (len < sizeof(h) || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){sizeof(domain)}) < 0)
		return 0;
	memcpy(&h, data, sizeof(h));
	return domain == AF_NETLINK && h.nlmsg_type == RTM_DELADDR;
}

ssize_t sendto(int fd, const void *data, size_t len, int flags, __CONST_SOCKADDR_ARG to, socklen_t to_len)
{
	if (is_removal(fd, data, len) && atomic_load(&failures->left) > 0) {
		atomic_fetch_sub(&failures->left, 1);
		errno = (int)atomic_load(&failures->error);
		return -1;
	}
	return syscall(SYS_sendto, fd, data, len, flags, to.__sockaddr__, to_len);
}
