/* SPDX-License-Identifier: MIT */
/* The words behind the address of a line `bind` or `server`. */
#ifndef PROXYD_CFG_PARAMETER_H
#define PROXYD_CFG_PARAMETER_H

#include "cfg/read.h"

#define MAXCONN_MAX 10000000

/* One parameter: `i` is its own place; the handler reads `arguments` words behind it. */
struct parameter {
	const char *name;
	unsigned arguments;
	void (*fn)(struct reader *r, size_t i, void *target);
};

/*
 * Those from word `i` on. Ours, HAProxy's (skipped with a word), or unknown: then the rest
 * of the line cannot be told apart and is left.
 */
void read_parameters(struct reader *r, size_t i, const char *what, const struct parameter *ours, const struct cfg_word *known,
		     void *target);

/* The words of TLS on lines that offer it, for a handler `fn`. */
#define BIND_TLS_PARAMETERS(fn) \
	{"allow-0rtt", 0, bind_tls_refused}, {"alpn", 1, fn}, {"ca-file", 1, fn}, \
	{"ca-ignore-err", 1, fn}, {"ca-sign-file", 1, fn}, {"ca-sign-pass", 1, fn}, \
	{"ca-verify-file", 1, fn}, {"ciphers", 1, fn}, {"ciphersuites", 1, fn}, \
	{"crl-file", 1, fn}, {"crt", 1, fn}, {"crt-ignore-err", 1, fn}, {"crt-list", 1, fn}, \
	{"curves", 1, fn}, {"ecdhe", 1, fn}, {"force-sslv3", 0, fn}, {"force-tlsv10", 0, fn}, \
	{"force-tlsv11", 0, fn}, {"force-tlsv12", 0, fn}, {"force-tlsv13", 0, fn}, \
	{"generate-certificates", 0, fn}, {"no-alpn", 0, fn}, {"no-ca-names", 0, fn}, \
	{"no-sslv3", 0, fn}, {"no-tls-tickets", 0, fn}, {"no-tlsv10", 0, fn}, \
	{"no-tlsv11", 0, fn}, {"no-tlsv12", 0, fn}, {"no-tlsv13", 0, fn}, \
	{"npn", 1, bind_tls_refused}, {"prefer-client-ciphers", 0, fn}, {"ssl", 0, fn}, \
	{"ssl-max-ver", 1, fn}, {"ssl-min-ver", 1, fn}, {"strict-sni", 0, fn}, \
	{"tls-ticket-keys", 1, fn}, {"verify", 1, fn}

/* A handler for what is so anyway. */
void parameter_accepted(struct reader *r, size_t i, void *target);

#endif
