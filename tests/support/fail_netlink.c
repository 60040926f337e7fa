/* SPDX-License-Identifier: MIT */
/*
 * Loaded in front of libc, fails requests to the kernel: as many as the file says that FAIL_NETLINK names, a 64-bit number that counts
 * down, with the errno that is the next one. The third says which: to remove an address, a route or a rule (NETLINK_ROUTE), or all (NETLINK_NETFILTER).
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
	_Atomic int64_t left, error, protocol;
} none, *failures = &none;

__attribute__((constructor)) static void begin(void)
{
	const char *file = getenv("FAIL_NETLINK");
	int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;
	void *p = fd < 0 ? MAP_FAILED
			 : mmap(NULL, sizeof(*failures), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (p != MAP_FAILED)
		failures = p;
}

static int option(int fd, int name)
{
	int value = -1;

	getsockopt(fd, SOL_SOCKET, name, &value, &(socklen_t){sizeof(value)});
	return value;
}

static int is_meant(int fd, const void *data, size_t len)
{
	struct nlmsghdr h;

	if (len < sizeof(h) || option(fd, SO_DOMAIN) != AF_NETLINK || option(fd, SO_PROTOCOL) != atomic_load(&failures->protocol))
		return 0;
	memcpy(&h, data, sizeof(h));
	return atomic_load(&failures->protocol) != NETLINK_ROUTE || h.nlmsg_type == RTM_DELADDR || h.nlmsg_type == RTM_DELROUTE ||
	       h.nlmsg_type == RTM_DELRULE;
}

ssize_t sendto(int fd, const void *data, size_t len, int flags, __CONST_SOCKADDR_ARG to, socklen_t to_len)
{
	if (atomic_load(&failures->left) > 0 && is_meant(fd, data, len)) {
		atomic_fetch_sub(&failures->left, 1);
		errno = (int)atomic_load(&failures->error);
		return -1;
	}
	return syscall(SYS_sendto, fd, data, len, flags, to.__sockaddr__, to_len);
}
