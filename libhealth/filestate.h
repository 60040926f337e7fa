/* SPDX-License-Identifier: MIT */
/* The file probe without its file: bytes in, a verdict out. Pure; file.c reads. */
#ifndef LIBHEALTH_FILESTATE_H
#define LIBHEALTH_FILESTATE_H

#include <libhealth/probe_exec.h>

struct filestate {
	int32_t weight;
	bool missing_ok;
	char path[];
};

void filestate_judge(const struct filestate *f, const void *data, size_t len,
		     struct health_probe_io *ret);
/* `error`: why it could not be read. */
void filestate_judge_missing(const struct filestate *f, int error, struct health_probe_io *ret);

#endif
