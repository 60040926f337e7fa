/* SPDX-License-Identifier: MIT */
/*
 * Settings of the kernel's network that the file asks for: as they were when vipd ends, or the next configuration
 * no longer asks. A successor sets them again, so that a reload leaves them alone for a moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/kernel.h"
#include "log.h"

#define PATH_SIZE 128
#define IGMP "/proc/sys/net/ipv4/igmp_link_local_mcast_reports"

/* The first character of a setting, which is 0 or 1. 0: it cannot be read. */
static char get(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = 0;

	if (fd >= 0 && read(fd, &c, 1) != 1)
		c = 0;
	if (fd >= 0)
		close(fd);
	return c;
}

int setting_put(const char *path, char value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, &value, 1) != 1)
		r = -errno;
	close(fd);
	return r;
}

/* What it was is kept in *was, unless it is so already. */
static void change(const char *path, char to, char *was, const char *word)
{
	char now = get(path);
	int r = 0;

	if (now == to)
		return;
	r = now ? setting_put(path, to) : -ENOENT;
	if (r < 0)
		log_err("%s has no effect: %s: %s", word, path, strerror(-r));
	else
		*was = now;
}

static void path_of_promotion(const struct watched *w, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "/proc/sys/net/ipv4/conf/%s/promote_secondaries", w->name);
}

void settings_settle(struct kernel *k)
{
	char path[PATH_SIZE];

	if (k->conf->globals.no_local_igmp && !k->igmp_was_asked) {
		k->igmp_was_asked = true;
		change(IGMP, '0', &k->igmp_was, "disable_local_igmp");
	}
	for (const struct conf_instance *i = k->conf->instances; i; i = i->next) {
		struct watched *w =
		    i->promote_secondaries ? watched_find(k, conf_home_device(i)) : NULL;

		if (!w || !w->link.ifindex || w->promoted_ifindex == w->link.ifindex)
			continue;
		w->promoted_ifindex = w->link.ifindex;
		path_of_promotion(w, path);
		change(path, '1', &w->promotion_was, "promote_secondaries");
	}
}

void settings_release(struct kernel *k)
{
	char path[PATH_SIZE];

	if (k->igmp_was)
		setting_put(IGMP, k->igmp_was);
	k->igmp_was = 0;
	for (size_t i = 0; i < k->n_watched; i++) {
		struct watched *w = &k->watched[i];

		if (!w->promotion_was || w->promoted_ifindex != w->link.ifindex)
			continue;
		path_of_promotion(w, path);
		setting_put(path, w->promotion_was);
		w->promotion_was = 0;
	}
}
