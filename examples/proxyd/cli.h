/* SPDX-License-Identifier: MIT */
/* The command line: HAProxy's options, and its forms of lines on the console. */
#ifndef PROXYD_CLI_H
#define PROXYD_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "diag.h"

#define CLI_PATHS_MAX 256
#define CLI_PIDS_MAX 64

struct cli {
	const char *path[CLI_PATHS_MAX];
	size_t n_paths;
	bool check, quiet, verbose, ignore_unresolved;
	bool diagnose;		  /* -dD */
	const char *localpeer;	  /* -L; NULL: the host's name */
	bool zero_warning;	  /* -dW */
	bool json, migrate;	  /* --json, --migrate: they check and print */
	unsigned memory_mb;	  /* -m; 0: no limit */
	bool daemon;	  /* -D */
	bool foreground;  /* -db, -d, -W: whatever the file says */
	bool notify;	  /* -Ws */
	unsigned maxconn; /* -n; 0: not given */
	const char *pidfile, *directory;
	const char *master; /* -S; NULL: not given */
	const char *passing; /* -x: the stats socket of the process before; NULL: not given */
	pid_t old_pid[CLI_PIDS_MAX];
	size_t n_old;
	int old_signal; /* SIGUSR1 for -sf, SIGTERM for -st */
};

/* Fills `ret`. -1: go on; else the exit status (help, version, a mistake, each told). */
int cli_parse(int argc, char **argv, struct cli *ret);

/* "[ALERT]    (pid) : config : …" on stderr for each finding; notices only with `verbose`. */
void cli_print_diag(const struct diag *d, bool warnings);

/* All findings as one JSON array of {"file", "line", "column", "level", "text"} on stdout. */
void cli_print_json(const struct diag *d);

/* One line in that form. Levels of <syslog.h>: LOG_ERR and above, LOG_WARNING, LOG_NOTICE. */
__attribute__((format(printf, 2, 3))) void cli_say(int level, const char *format, ...);
/* All that cli_say said so far, 64 KiB of it. */
const char *cli_said(void);

#endif
