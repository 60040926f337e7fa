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
#include "kernel/setting.h"
#include "log.h"
#include "map_shared.h"

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

int settings_new(struct settings_before **ret)
{
	void *p = map_shared(sizeof(**ret));

	if (!p)
		return -ENOMEM;
	*ret = p;
	return 0;
}

void settings_leave(struct settings_before *b)
{
	if (b)
		munmap(b, sizeof(*b));
}

/* What it was is kept in *was, unless it is so already: before it is changed, since a crash may come at any time. */
static void change(const char *path, char to, char *was, const char *word)
{
	char now = get(path);
	int r = 0;

	if (now == to)
		return;
	*was = now;
	r = now ? setting_put(path, to) : -ENOENT;
	if (r < 0) {
		log_err("%s has no effect: %s: %s", word, path, strerror(-r));
		*was = 0;
	}
}

static void path_of_promotion(const char *link, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "/proc/sys/net/ipv4/conf/%s/promote_secondaries", link);
}

/* Of an interface that came back under its name it is another one's. NULL: there are too many. */
static struct settings_link *link_of(struct settings_before *b, const struct watched *w)
{
	struct settings_link *l = b->link;

	while (l < &b->link[b->n] && strcmp(l->name, w->name) != 0)
		l++;
	if (l == &b->link[SETTINGS_LINKS])
		return NULL;
	if (l < &b->link[b->n] && l->ifindex == w->link.ifindex)
		return l;
	*l = (struct settings_link){.ifindex = w->link.ifindex};
	memcpy(l->name, w->name, sizeof(l->name));
	b->n += l == &b->link[b->n];
	return l;
}

static void promote(struct settings_before *b, const struct watched *w)
{
	struct settings_link *l = link_of(b, w);
	char path[PATH_SIZE], lost = 0;

	path_of_promotion(w->name, path);
	change(path, '1', l ? &l->promotion : &lost, "promote_secondaries");
	if (lost)
		log_warn("%s stays as it is now when vipd ends: it was changed for %d others", path,
			 SETTINGS_LINKS);
}

void settings_settle(struct kernel *k)
{
	struct settings_before *b = k->birth->before;

	if (k->conf->globals.no_local_igmp && !k->igmp_was_asked) {
		k->igmp_was_asked = true;
		change(IGMP, '0', &b->igmp, "disable_local_igmp");
	}
	for (const struct conf_instance *i = k->conf->instances; i; i = i->next) {
		struct watched *w =
		    i->promote_secondaries ? watched_find(k, conf_home_device(i)) : NULL;

		if (!w || !w->link.ifindex || w->promoted_ifindex == w->link.ifindex)
			continue;
		w->promoted_ifindex = w->link.ifindex;
		promote(b, w);
	}
}

void settings_release(struct kernel *k)
{
	struct settings_before *b = k->birth->before;
	char path[PATH_SIZE];

	if (b->igmp)
		setting_put(IGMP, b->igmp);
	b->igmp = 0;
	for (; b->n; b->n--) {
		const struct settings_link *l = &b->link[b->n - 1];

		if (!l->promotion || if_nametoindex(l->name) != l->ifindex)
			continue; /* it was so already, or another one has its name */
		path_of_promotion(l->name, path);
		setting_put(path, l->promotion);
	}
}
