/* SPDX-License-Identifier: MIT */
/* The program probe without its processes: words in, a verdict out. Pure; exec.c does the rest. */
#ifndef LIBHEALTH_PROGRAM_H
#define LIBHEALTH_PROGRAM_H

#include <libhealth/probe_exec.h>

#define PROGRAM_OUTPUT_MAX HEALTH_TEXT_MAX /* kept of the output */

struct program {
	enum health_exec_school school;
	char **argv;		 /* ends with NULL */
	char **envp;		 /* the same; NULL: the host's own */
	const uint32_t *curconn; /* written into the last word of envp at each start; NULL: none */
	char words[];		 /* what the two point to */
};

/* The words that change with each start. */
void program_refresh(struct program *p);

/* How it ended: by exit `status`, or by `signal`. `output` is the first line, ended by 0. */
void program_judge(const struct program *p, int status, int signal, const char *output,
		   struct health_probe_io *ret);

#endif
