/* SPDX-License-Identifier: MIT */
/* What the rules and formats of a check see: its server and backend, its own variables, no client. Control thread. */
#ifndef PROXYD_ENGINE_CHECK_RUN_H
#define PROXYD_ENGINE_CHECK_RUN_H

#include "via.h"
#include "engine/objects.h"
#include "rules/run.h"

/* Whose check it is; both live longer than the check. */
struct check_of {
	const struct server *server;
	const struct backend *backend;
};

/* `vars` are those of this run of the check; `scratch` is what is written into. */
void check_run_prepare(const struct check_of *of, struct vars *vars, uint64_t now_ns, struct scratch scratch, struct run *r);
/* set-var and its like, up to the end; NULL: there are none. */
void check_run_rules(const struct rule *first, struct run *r);
/* Where a connection goes: its port; `vars` as of a run, NULL: there are none yet. 0: the check has no port either. */
uint16_t check_run_port(const struct check_of *of, const struct cfg_check_port *step, struct vars *vars, uint64_t now_ns);
/*
 * The same run connects again, as connection number `hop`: says in `io` where to, for which `to` has room until then. `how` NULL: nothing
 * was written.
 */
void check_run_connect(const struct check_of *of, const struct cfg_check_connect *how, const struct cfg_check_port *port, unsigned hop,
		       struct vars *vars, struct cfg_addr *to, struct health_probe_io *io);
/* The value of X-Haproxy-Server-State. Its length. */
size_t check_run_state(const struct check_of *of, char *buf, size_t cap);

#endif
