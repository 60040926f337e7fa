/* SPDX-License-Identifier: MIT */
/*
 * The PROXY protocol: the first bytes of a connection tell the server who the client is. Pure.
 * Source: HAProxy's doc/proxy-protocol.txt, sections 2.1 (version 1) and 2.2 (version 2).
 */
#ifndef PROXYD_ENGINE_PROXY_PROTOCOL_H
#define PROXYD_ENGINE_PROXY_PROTOCOL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define PROXY_HEADER_MAX 108 /* the longest line of version 1; version 2 without extras has 52 */

/*
 * Writes the header of `version` 1 or 2 for a TCP connection; IPv4 beside IPv6 is told as IPv6, addresses of
 * other families as unknown. Returns its length.
 */
size_t proxy_header(char buf[PROXY_HEADER_MAX], unsigned version, const struct sockaddr *from,
		    const struct sockaddr *to);

/* What a header of version 2 tells of the client's TLS (section 2.2.6); "": is not told. */
struct proxy_tls {
	bool in_use;
	bool has_cert, shown_now; /* in this session; in this very handshake */
	uint32_t verify;	  /* X509_V_…, when has_cert */
	char version[16];	  /* "TLSv1.3" */
	char cn[65];		  /* of its certificate */
	char cipher[64];
	char key[16], signature[64]; /* of our certificate: "RSA2048", "RSA-SHA256" */
};

#define PROXY_VALUE_MAX 255	/* bytes; longer ones are not told */
#define PROXY_UNIQUE_ID_MAX 128 /* of that value (section 2.2.5) */
#define PROXY_EXTRA_MAX 1100	/* bytes of all */

/* What else it tells (section 2.2); NULL: it does not. */
struct proxy_extra {
	bool crc32c;
	const char *alpn, *authority, *unique_id;
	size_t alpn_len, authority_len, unique_id_len;
	const struct proxy_tls *tls;
};

/* Appends that to a header of version 2 of `len` bytes. Its length then. */
size_t proxy_header_extra(char buf[PROXY_HEADER_MAX + PROXY_EXTRA_MAX], size_t len, const struct proxy_extra *extra);

#define PROXY_READ_MAX 4096 /* a header of version 2 with more extras than that is refused */

/* Who a header says is at the ends of the connection; family AF_UNSPEC: it does not say. */
struct proxy_ends {
	struct sockaddr_storage from, to;
	/* version 2: parts of `data`; NULL: not told (section 2.2.7) */
	const char *authority, *unique_id;
	size_t authority_len, unique_id_len;
};

/* One of them: the address as it stands in a packet, AF_INET or AF_INET6, and the port in network order. */
void proxy_set_end(struct sockaddr_storage *ret, int family, const void *addr, in_port_t port);

/*
 * Reads the header of either version at the beginning of `data`. Returns its length, 0 when more
 * bytes are needed to tell, or -EPROTO: this is no such header.
 */
ssize_t proxy_parse(const void *data, size_t len, struct proxy_ends *ret);

#endif
