/* SPDX-License-Identifier: MIT */
/* Certificates, authorities and crt-lists that change at run time: all that is made of them is made anew, or nothing. */
#ifndef PROXYD_RUNTIME_TLS_CHANGE_H
#define PROXYD_RUNTIME_TLS_CHANGE_H

#include "runtime.h"
#include "tls/tls.h"

struct tls_change {
	/* Who uses this file; or the `bind` lines of which `list` is one. */
	enum tls_kind kind;
	const char *file, *list;
	/* Of such a line: changes its sources, in an array with room for one more. False: told. */
	bool (*edit)(void *arg, const struct cfg_proxy *p, const struct cfg_tls *t, struct tls_source *source, unsigned *n);
	void *arg;
	/* Or whose ticket keys are of this file: one more. */
	const char *ticket_file, *ticket_key;
};

/* What the configuration that runs has of files. */
struct tls_store *tls_change_store(const struct call *c);

/* Does something that runs use it? */
bool tls_change_is_used(const struct call *c, enum tls_kind kind, const char *file);

/* The first `bind` line with this list. NULL: there is none. */
struct cfg_tls *tls_change_find_list(const struct call *c, const char *list);

/* How many were made anew; -1: everything is as before, and why was told. */
int tls_change_run(struct call *c, const struct tls_change *change);

/* Puts the item into the store and makes anew who uses it. As tls_change_run. */
int tls_change_item(struct call *c, struct tls_item *item);

#endif
