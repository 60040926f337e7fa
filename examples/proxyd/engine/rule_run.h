/* SPDX-License-Identifier: MIT */
/* What rules of either mode need of the engine: what they see, and which backend they say. */
#ifndef PROXYD_ENGINE_RULE_RUN_H
#define PROXYD_ENGINE_RULE_RUN_H

#include "fnv1a.h"
#include "rules/action/action.h"
#include "worker.h"

struct run_end run_end_of(const struct endpoint *e);
/* Where the client connected to, unless a PROXY header told (`to`; NULL or without a family: it did not). */
struct run_end run_destination(const struct endpoint *to, int fd);
struct endpoint run_endpoint(const struct run_end *end);

void run_prepare(struct worker *w, const struct frontend *f, const struct backend *b, struct run *r,
		 struct scratch scratch);
/* The same for a connection of either mode, before anything is asked over it. */
void run_prepare_connection(struct worker *w, const struct connection_ends *ends, struct run *r,
			    struct scratch scratch);

/* NULL: there is none. */
const struct backend *backend_named(const struct set *s, struct text name);
struct server *server_named(const struct backend *b, struct text name);
/* In set.server_names. */
static inline uint32_t server_name_hash(const struct backend *b, struct text name)
{
	return fnv1a(name.at, name.len) ^ (uint32_t)(b - b->set->backend) * 2654435761u;
}

/* rules/run.h: count, ask_socket */
bool run_ask_count(const struct run *r, enum run_count what, struct text proxy, struct text server,
	       int64_t *ret);
bool run_ask_socket(int fd, enum run_socket what, struct run_end *ret, int64_t *ret_us);

/* rules/run.h: is_own */
bool run_is_own(const struct run_end *end);

/* What the store knows of the client. */
void run_know_client(struct run *r, struct rule_store *store);

/* The backend that use_backend lines, or default_backend, say; may be NULL. */
struct backend *frontend_switch(const struct frontend *f, struct run *r);

/* The server that use-server lines say; NULL: none does. */
struct server *backend_wanted(const struct backend *b, struct run *r);

/* The server that force-persist and ignore-persist lines, and option persist, leave a client to. */
enum persistence {
	PERSISTENCE_USUAL,
	PERSISTENCE_FORCED,  /* its own, even when that is down */
	PERSISTENCE_IGNORED, /* any */
};
enum persistence backend_persistence(const struct backend *b, struct run *r);

/*
 * The server that stick lines remember; NULL: none. What shall be remembered of this request is held in the
 * store until its server is known.
 */
struct server *backend_stick(const struct backend *b, struct run *r, struct rule_store *store);
/* stick store-response */
bool backend_sticks_answers(const struct backend *b);
void backend_stick_response(const struct backend *b, struct run *r, const struct server *server);
/* Its line; NULL: it is none of this backend's. */
const struct cfg_server *backend_line(const struct backend *b, const struct server *server);
/* 1, 2 … in the order of the file, as HAProxy numbers them; 0: it is none of this backend's. */
unsigned backend_server_id(const struct backend *b, const struct server *server);
/* The same for tables; 0: they do not keep it. */
unsigned backend_stick_id(const struct backend *b, const struct server *server);

/* `sni` of its line; NULL: none that is not constant. */
const struct expr *backend_sni(const struct backend *b, const struct server *server);
/* What that says; false: no name. */
bool run_sni(const struct expr *sni, struct run *r, char name[TLS_NAME_SIZE]);

/* balance hash. False: there is no value. */
bool run_hash_key(const struct backend *b, struct run *r, uint64_t *ret);
/* persist rdp-cookie: the server whose address it tells; NULL: none. */
struct server *backend_persist(const struct backend *b, struct run *r);

/* set-mark, set-tos */
void run_mark_socket(int fd, const struct verdict *v);
/* silent-drop */
void run_hide_end(int fd);

#endif
