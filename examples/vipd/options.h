/* SPDX-License-Identifier: MIT */
/* The command line: keepalived's, so that scripts and units need not change. */
#ifndef VIPD_OPTIONS_H
#define VIPD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes, those of keepalived. */
enum {
	EXIT_FATAL = 1,
	EXIT_CONFIG = 2,
	EXIT_PERMISSION = 4,
	EXIT_NO_CONFIG = 6,
	EXIT_SOFTWARE = 70,
	EXIT_NO_MEMORY = 204,

	/* of --config-test */
	EXIT_TEST_CANNOT_RUN = 4,
	EXIT_TEST_ERRORS = 5,
	EXIT_TEST_SCRIPTS = 6,
};

struct options {
	const char *file, *config_id;
	bool dont_fork, console, detail, no_syslog, dump_conf;
	int facility;
	int umask;			    /* of scripts; -1: that of the configuration */
	bool vrrp, check;		    /* which parts run */
	bool keep_addresses, keep_services; /* -V, -I: at the stop */
	bool dont_respawn;
	const char *name_space; /* network namespace; NULL: that of the configuration */
	const char *ipvs_name_space; /* net_namespace_ipvs; NULL: the same, "": that of init */
	const char *pid_file, *vrrp_pid_file, *check_pid_file; /* NULL: not named yet */
	uint32_t tables; /* tells apart the tables of nftables of several vipds: options_table */
	const char *control; /* socket; NULL: beside pid_file; "none" */
	const char *metrics; /* ADDRESS:PORT or path; NULL: none */
	bool upgrade; /* the running one becomes this program */
	bool test, json;
	const char *test_file; /* where --config-test writes to; NULL: stderr */
};

#define OPTIONS_NAME_MAX 256 /* bytes of a file's name */

/* How the configuration wants files to be named. */
struct options_naming {
	const char *instance, *name_space; /* NULL: none */
	bool pid_dir;
};

/*
 * Names the pid files that no option names, as keepalived does, and makes their folder. The names live
 * as long as the program. 0 or -ENOMEM.
 */
int options_name_files(struct options *o, const struct options_naming *how);

/*
 * The name of a table of nftables: that of the only vipd of a host is `name`; with an `instance`, or a pid file that -p
 * names, a number follows, so that two do not make each other's table anew.
 */
#define OPTIONS_TABLE_SIZE 32
const char *options_table(const struct options *o, const char *name, char buf[OPTIONS_TABLE_SIZE]);
/* With its number in any case, which may be 0. */
const char *options_numbered_table(const struct options *o, const char *name,
				   char buf[OPTIONS_TABLE_SIZE]);

/* Where the control socket is; "" for none. */
void options_control_path(const struct options *o, char *buf, size_t cap);

/* Returns -1 to go on, or the exit code: help, version, --signum and mistakes are dealt with. */
int options_read(int argc, char **argv, struct options *ret);

#endif
