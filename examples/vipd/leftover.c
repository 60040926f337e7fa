/* SPDX-License-Identifier: MIT */
#include "leftover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define ADDRESSES_MAX (CONF_INSTANCES_MAX * 4) /* more are not remembered */
#define DEV_MAX 15

static void path_of(const char *pid_file, char *buf, size_t cap)
{
	snprintf(buf, cap, "%s.addresses", pid_file);
}

/* A file that begins anew: whatever lies there, no link is followed. NULL: errno says why. */
static FILE *begin(const char *path)
{
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

/* fclose() does not tell of what it lost before. */
static bool end(FILE *f)
{
	bool failed = ferror(f);

	return !fclose(f) && !failed;
}

/* Beside the one of before, which stays when the disk is full. */
void leftover_write(const char *pid_file, const struct conf *c)
{
	char path[4096], next[4096 + sizeof(".next")], ip[HA_IP_TEXT_SIZE];
	FILE *f;

	path_of(pid_file, path, sizeof(path));
	snprintf(next, sizeof(next), "%s.next", path);
	f = begin(next);
	for (const struct conf_instance *i = c->instances; f && i; i = i->next) {
		for (size_t a = 0; a < i->n_addresses; a++) {
			const struct conf_address *at = &i->addresses[a];

			*ip = '\0';
			ha_ip_format(&at->ip, ip, sizeof(ip));
			fprintf(f, "%s %s %u\n", conf_address_device(i, at), ip, at->prefix);
		}
	}
	if (f && end(f) && !rename(next, path))
		return;
	log_warn("cannot write %s: %s. After a crash of all of vipd, addresses that are no longer configured will stay", path, strerror(errno));
	unlink(next);
}

void leftover_remove(const char *pid_file)
{
	char path[4096];

	path_of(pid_file, path, sizeof(path));
	unlink(path);
}

struct leftover {
	struct conf conf; /* the first member, without memory: conf_free frees the whole */
	struct conf_instance instance;
	struct conf_address address[ADDRESSES_MAX];
	char dev[ADDRESSES_MAX][DEV_MAX + 1];
};

static bool take(struct leftover *l, const char *line)
{
	size_t n = l->instance.n_addresses;
	char ip[HA_IP_TEXT_SIZE + 1];
	struct conf_address *a = &l->address[n];
	unsigned prefix;

	if (n == ADDRESSES_MAX || sscanf(line, "%15s %46s %3u", l->dev[n], ip, &prefix) != 3 ||
	    ha_ip_parse(ip, &a->ip) < 0 || prefix > 8 * ha_ip_len(&a->ip))
		return false;
	a->prefix = (uint8_t)prefix;
	a->dev = l->dev[n];
	l->instance.n_addresses++;
	return true;
}

struct conf *leftover_read(const char *pid_file)
{
	struct leftover *l;
	char path[4096], line[128];
	struct stat st;
	FILE *f;
	int fd;

	path_of(pid_file, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return NULL;
	/* Only what this user wrote. */
	f = !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() ? fdopen(fd, "r")
									     : NULL;
	l = f ? calloc(1, sizeof(*l)) : NULL;
	if (l) {
		l->instance.name = "left behind";
		l->instance.addresses = l->address;
		l->conf.instances = &l->instance;
		l->conf.n_instances = 1;
		while (fgets(line, sizeof(line), f) && take(l, line))
			;
	}
	if (f)
		fclose(f);
	else
		close(fd);
	return l ? &l->conf : NULL;
}
