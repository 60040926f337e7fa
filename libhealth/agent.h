/* SPDX-License-Identifier: MIT */
/* What an agent may say, in one line; files speak the same language. Pure. */
#ifndef LIBHEALTH_AGENT_H
#define LIBHEALTH_AGENT_H

#include <libhealth/probe_agent.h>

/* Fills verdict, code, text and advice from a line, which it cuts into words. */
void agent_judge(char *line, struct health_probe_io *ret);

#endif
