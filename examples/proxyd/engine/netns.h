/* SPDX-License-Identifier: MIT */
#ifndef PROXYD_ENGINE_NETNS_H
#define PROXYD_ENGINE_NETNS_H

struct cfg_netns;

/* socket(2) in that network namespace; NULL: in this one. Entering one takes CAP_SYS_ADMIN. The descriptor, or -errno. */
int netns_socket(const struct cfg_netns *there, int domain, int type, int protocol);

#endif
