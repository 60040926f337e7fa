/* SPDX-License-Identifier: MIT */
/* `namespace` on lines of bind and server: a network namespace that has a name (ip netns add). */
#include "cfg/read.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/run/netns/"

static void close_both(void *object)
{
	struct cfg_netns *n = object;

	if (n->fd >= 0)
		close(n->fd);
	if (n->home_fd >= 0)
		close(n->home_fd);
}

/* The file holds the namespace: what has it open may enter it although its name is gone. False: told. */
static bool open_both(struct reader *r, size_t i, struct cfg_netns *n)
{
	char path[sizeof(FOLDER) + NAME_MAX];
	struct stat st = {0};

	snprintf(path, sizeof(path), FOLDER "%s", n->name);
	n->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (n->fd < 0 || fstat(n->fd, &st) < 0) {
		say(r, DIAG_ERROR, i, "cannot open the network namespace %s: %s (ip netns add %s makes one)", path, strerror(errno), n->name);
		return false;
	}
	n->home_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (n->home_fd < 0)
		say(r, DIAG_ERROR, i, "cannot open /proc/thread-self/ns/net, which leads back from a namespace: %s", strerror(errno));
	n->id = st.st_ino;
	return n->home_fd >= 0;
}

/* That of word `i`, opened once for all lines of a configuration. NULL: told. */
static const struct cfg_netns *read_netns(struct reader *r, size_t i)
{
	const char *name = word_at(r, i);
	struct cfg_netns *n;

	for (n = r->cfg->netns; n; n = n->next)
		if (!strcmp(n->name, name))
			return n;
	if (!*name || strlen(name) > NAME_MAX || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..")) {
		say(r, DIAG_ERROR, i, "\"%s\" is no name of a network namespace: write one that \"ip netns\" lists", name);
		return NULL;
	}
	n = keep(r, sizeof(*n));
	if (!n)
		return NULL;
	*n = (struct cfg_netns){.name = keep_word(r, i), .fd = -1, .home_fd = -1};
	if (!n->name || !cfg_at_end(r->cfg, close_both, n)) {
		r->no_memory = true;
		return NULL;
	}
	if (!open_both(r, i, n))
		return NULL;
	n->next = r->cfg->netns;
	r->cfg->netns = n;
	r->cfg->global.netns = true;
	return n;
}

void bind_netns(struct reader *r, size_t i, void *target)
{
	((struct cfg_bind *)target)->netns = read_netns(r, i + 1);
}

void server_netns(struct reader *r, size_t i, void *target)
{
	if (!strcmp(word_at(r, i + 1), "*"))
		say(r, DIAG_ERROR, i + 1, "the namespace that a PROXY header tells is not read by this version: write the name of one");
	else
		((struct cfg_server *)target)->netns = read_netns(r, i + 1);
}
