/* SPDX-License-Identifier: MIT */
/*
 * Two vipds whose files name the same table of nftables would make it anew in turn, each for its own addresses. A name is taken by a
 * socket in the abstract namespace: like the table it belongs to a network namespace, and nothing of it stays behind a process that died.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "supervisor/state.h"

/* A descriptor or -errno. */
static int take(const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;
	int len = snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "vipd/nftables/inet/%s", name);

	if (fd < 0)
		return -errno;
	if (!bind(fd, (const void *)&at,
		  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)))
		return fd;
	r = -errno;
	close(fd);
	return r;
}

static void leave_if_other(struct table_claim *c, const struct conf_nft *t)
{
	if (!c->name[0] || (t->named && !strcmp(c->name, t->name)))
		return;
	close(c->fd);
	c->name[0] = '\0';
}

static void claim(const struct options *o, struct table_claim *c, struct conf_nft *t,
		  const char *word)
{
	char instead[OPTIONS_TABLE_SIZE];
	int fd;

	if (!t->named || c->name[0])
		return;
	fd = take(t->name);
	if (fd >= 0) {
		c->fd = fd;
		snprintf(c->name, sizeof(c->name), "%s", t->name);
	} else if (fd == -EADDRINUSE) {
		t->taken = true;
		log_warn(
		    "%s %s: another vipd has the table of this name, and this one takes \"%s\". "
		    "Write another name in one of the two files",
		    word, t->name, options_numbered_table(o, t->name, instead));
	}
}

void tables_claim(struct supervisor *s, struct conf *c)
{
	/* First what is left: the two may have changed places. */
	leave_if_other(&s->table, &c->globals.nft);
	leave_if_other(&s->table_of_marks, &c->globals.nft_marks);
	claim(s->options, &s->table, &c->globals.nft, "nftables");
	claim(s->options, &s->table_of_marks, &c->globals.nft_marks, "nftables_ipvs");
}
