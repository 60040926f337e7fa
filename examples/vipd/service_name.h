/* SPDX-License-Identifier: MIT */
/* What keepalived calls virtual and real servers: in its log, its FIFOs, its mail and its dumps, where people look for them. Pure. */
#ifndef VIPD_SERVICE_NAME_H
#define VIPD_SERVICE_NAME_H

#include "conf/conf.h"

#define SERVICE_NAME_SIZE 256

/* "tcp", "udp", "sctp"; of a firewall mark "none" */
const char *service_protocol(const struct conf_virtual *v);

/* Of a server behind a firewall mark 0: it gets the port that the client chose. */
unsigned service_port(const struct conf_virtual *v, const struct conf_real *r);

/* "[10.0.0.1]:tcp:80", "FWM 7", or "[GROUP]:0". Returns buf. */
const char *service_virtual_name(const struct conf_virtual *v, char buf[SERVICE_NAME_SIZE]);

/* "[10.0.0.1]:tcp:80"; behind a firewall mark "[10.0.0.1]:none:0". Returns buf. */
const char *service_real_name(const struct conf_virtual *v, const struct conf_real *r,
			      char buf[SERVICE_NAME_SIZE]);

#endif
