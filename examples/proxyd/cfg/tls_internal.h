/* SPDX-License-Identifier: MIT */
/* Between tls.c, tls_words.c, tls_settings.c and tls_list.c. */
#ifndef PROXYD_CFG_TLS_INTERNAL_H
#define PROXYD_CFG_TLS_INTERNAL_H

#include "cfg/read.h"

/* ---- tls_words.c ---- */

/*
 * Words that bind, server, crt-list lines and the defaults have in common; the value is "" for those without
 * one. False: it is none of them, or *ret_error says what is wrong.
 */
bool tls_settings_word(struct tls_settings *s, const char *word, const char *value, const char **ret_error);

/* ---- tls_settings.c; `file`: the one that the line is in ---- */

/* `path` below crt-base or ca-base. */
const char *tls_with_base(struct cfg *c, const char *base, const char *file, const char *path);
void tls_place_files(struct cfg *c, const char *file, struct tls_settings *s);

/* What a line does not say, the global section may. */
void tls_settings_inherit(struct tls_settings *s, const struct tls_settings *from);

/* Tells of words about versions that are not heard, or leave none. */
void tls_check_versions(struct reader *r, const struct tls_settings *s, bool of_server, const struct diag_place *at);

/* Takes h2, which is not spoken, from what is offered. */
void tls_without_h2(struct reader *r, const struct cfg_proxy *p, struct tls_settings *s, const struct diag_place *at);

/* No longer than a handshake's list of protocols may be. */
bool tls_is_alpn(const char *list);

/* Warns of a file that a reload will not be allowed to read. */
void tls_check_reload(struct reader *r, const char *path, const struct diag_place *at);

/* ---- tls_list.c ---- */

/* The certificates of a `bind` line, as they are read. */
struct tls_list {
	struct reader *r;
	const struct cfg_proxy *proxy;
	const struct cfg_tls *line;
	const char *list;      /* its name */
	const char *line_file; /* that the `bind` line is in */
	struct diag_place at;
	struct tls_source *source;
	unsigned n, cap;
};

bool tls_list_push(struct tls_list *l, const struct tls_source *s);

/* All lines of the crt-list l->list. What is wrong is said at `c`. */
void tls_list_read(struct tls_list *l, const struct cfg_tls_crt *c);

#endif
