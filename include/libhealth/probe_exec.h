/* SPDX-License-Identifier: MIT */
/*
 * Probes that ask no server: a program (HAProxy's `external-check`, keepalived's MISC_CHECK, F5's external
 * monitor, Nagios plugins) and a file (keepalived's track_file).
 *
 *	exec                                    file
 *	argv, environment  ──►  program         open, read, close
 *	exit status, output ◄──                 a number, or an agent's words
 *
 * The engine starts the program itself, without a shell, in a process group of its own, with /dev/null as
 * input, all signals at their defaults, and no descriptor but 0, 1 and 2. At the timeout the whole group
 * gets SIGTERM and, a second later, SIGKILL; a check that is paused or removed kills it at once. It is waited for through its pidfd (pidfd_open(2), Linux 5.3): the
 * engine installs no handler. A host must leave its children alone: with SIGCHLD ignored, or a wait for any
 * child, the result is lost, and the check ends as HEALTH_NEUTRAL, HEALTH_CODE_SOCKERR.
 *
 * These checks need no destination.
 */
#ifndef LIBHEALTH_PROBE_EXEC_H
#define LIBHEALTH_PROBE_EXEC_H

#include <libhealth/probe.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEALTH_EXEC_WORDS_MAX 128		 /* of argv, and of envp */
#define HEALTH_EXEC_BYTES_MAX 65536		 /* of all words of argv and envp */
#define HEALTH_EXEC_TERM_NS UINT64_C(1000000000) /* from SIGTERM to SIGKILL */

/* What an exit status means. A program that dies of a signal has failed. */
enum health_exec_school {
	HEALTH_EXEC_HAPROXY = 0,	    /* 0: success, all else: failure */
	HEALTH_EXEC_KEEPALIVED = 1,	    /* 0 and 2 to 255: success, 1: failure */
	HEALTH_EXEC_KEEPALIVED_DYNAMIC = 2, /* misc_dynamic: the same, 2 to 255: weight 0 to 253 */
	HEALTH_EXEC_F5 = 3,	/* success when it wrote anything; the status says nothing */
	HEALTH_EXEC_NAGIOS = 4, /* 0 OK, 1 degraded, 2 failure, all else: no word */
};

/*
 * What HAProxy tells its program, as arguments and in the environment. Texts may be NULL: "".
 * A unix server has its path as server_addr and "NOT_USED" as ports.
 */
struct health_exec_haproxy {
	size_t size;
	const char *proxy_addr, *proxy_port;   /* argv[1], argv[2]; NULL: "NOT_USED" */
	const char *server_addr, *server_port; /* argv[3], argv[4]; NULL: "NOT_USED" */
	const char *proxy_name, *server_name;
	uint32_t proxy_id, server_id;
	uint32_t server_maxconn;
	uint32_t server_ssl; /* not 0: traffic to the server is TLS */
	const char *server_proto;
	const char *path; /* PATH, of `external-check path`; NULL: "/usr/bin:/bin" */
	/* Read at each start, in the engine's thread; lives as long as the probe. NULL: 0. */
	const uint32_t *server_curconn;
};

/* What health_probe_new takes with health_probe_exec(). All is copied. */
struct health_exec_opts {
	size_t size;
	const char *const
	    *argv; /* ends with NULL; argv[0] is the program's path, with a "/" in it */
	const char *const *envp; /* the whole environment, ends with NULL; NULL: the host's own */
	enum health_exec_school school;
	uint32_t reserved; /* 0 */
	/* Not NULL: argv holds the path alone, envp is NULL; the rest is made as HAProxy does. */
	const struct health_exec_haproxy *haproxy;
};

/*
 * The ops of the program probe. health_probe_new returns -EINVAL for no path, too many words or a value
 * out of its range; -E2BIG; -ENOMEM. The codes are HEALTH_CODE_PROCOK, PROCERR (with a program that cannot
 * be started, as in HAProxy) and PROCTOUT; a result's `status` is the exit status, its text the first line
 * of the output. The ops may be copied, but only with their flags as they are. Sources: the HAProxy
 * manual, "external-check command"; keepalived.conf(5), MISC_CHECK; Nagios Plugins guidelines.
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_exec(void);

#define HEALTH_FILE_PATH_MAX 4095
#define HEALTH_FILE_BYTES_MAX 4096 /* read of it */

/* What health_probe_new takes with health_probe_file(). All is copied. */
struct health_file_opts {
	size_t size;
	const char *path; /* of a regular file; required */
	/* For a number in the file. 0: 0 is a success, all else a failure. Else the product is the
	 * advice HEALTH_WEIGHT_OFFSET, and a failure from -254 down (keepalived's tracking). */
	int32_t weight;
	uint32_t missing_ok; /* not 0: no file is a success, like a 0 in it */
};

/*
 * The ops of the file probe. The first line counts: a number, or what an agent may say (probe_agent.h:
 * "up", "drain", "maint#reason", "50%"). It is read in one piece: put a new one in place by rename(2). A file that is
 * missing fails with HEALTH_CODE_L4CON, nonsense with HEALTH_CODE_L7RSP. Reading a file of a
 * network file system may block. Sources: keepalived.conf(5), track_file.
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_file(void);

#ifdef __cplusplus
}
#endif
#endif
