/* SPDX-License-Identifier: MIT */
#include "privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *privilege_first_user(const char *const *users)
{
	for (; *users; users++)
		if (getpwnam(*users))
			return *users;
	return NULL;
}

/* glibc has no wrapper, and libcap is not worth a dependency for one call. */
static int set_capabilities(uint64_t caps)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
	    {.effective = (uint32_t)caps, .permitted = (uint32_t)caps},
	    {.effective = (uint32_t)(caps >> 32), .permitted = (uint32_t)(caps >> 32)},
	};

	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static int become(const struct passwd *pw)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		return -errno;
	return 0;
}

int privilege_drop(const char *user, uint64_t keep)
{
	const struct passwd *pw = NULL;
	int r;

	if (user && !geteuid()) {
		pw = getpwnam(user);
		if (!pw)
			return -ENOENT;
	}
	/* EPERM here: no CAP_SETPCAP, so there is nothing in the set that we could gain. */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!(keep & PRIVILEGE_BIT(cap)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 &&
		    errno != EPERM)
			return -errno;
	if (pw) {
		r = become(pw);
		if (r < 0)
			return r;
	}
	r = set_capabilities(keep);
	if (r < 0)
		return r;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}
