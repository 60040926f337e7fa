/* SPDX-License-Identifier: MIT */
/*
 * Netlink messages as bytes: building and reading, pure. Both sides stand on base/cursor.h, so
 * there is no unchecked twin: a builder that runs out of room makes its writer bad, a message that
 * lies about its length makes its reader bad, and the caller asks once at the end.
 *
 * Building:
 *	size_t m = nl_msg_begin(w, type, flags);
 *	nl_genl_put(w, cmd, version);
 *	nl_attr_put_u32(w, TYPE, 5);
 *	size_t n = nl_nest_begin(w, LIST);
 *	nl_attr_put_str(w, NAME, "lo");
 *	nl_nest_end(w, n);
 *	nl_msg_end(w, m);
 *
 * Reading:
 *	while (nl_msg_next(&r, &msg))
 *		while (nl_attr_next(&msg.body, &a))
 *			if (a.type == TYPE)
 *				ok = nl_attr_u32(&a, &v);
 *	if (r.bad) ... cut short
 */
#ifndef LIBHA_NL_MSG_H
#define LIBHA_NL_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"

/* Everything in a message is padded to this many bytes. */
#define NL_ALIGN 4
#define NL_HEADER_BYTES 16 /* struct nlmsghdr */
#define NL_ATTR_BYTES 4	   /* struct nlattr */

/* The longest extended error text kept, with its NUL; longer ones are cut. */
#define NL_TEXT_SIZE 256

/* -- building ---------------------------------------------------------------------------------- */

/* Starts a message; the value returned goes to nl_msg_end(). Sequence and port are zero. */
size_t nl_msg_begin(struct writer *w, uint16_t type, uint16_t flags);

/* Ends it: writes its length and the padding. */
void nl_msg_end(struct writer *w, size_t msg);

/* The header after nlmsghdr of generic netlink and of nfnetlink. `res_id` in host order. */
void nl_genl_put(struct writer *w, uint8_t cmd, uint8_t version);
void nl_nfgen_put(struct writer *w, uint8_t family, uint16_t res_id);

/* One attribute. A payload beyond 65531 bytes makes the writer bad. */
void nl_attr_put(struct writer *w, uint16_t type, const void *data, size_t len);
void nl_attr_put_u8(struct writer *w, uint16_t type, uint8_t v);
void nl_attr_put_u16(struct writer *w, uint16_t type, uint16_t v);
void nl_attr_put_u32(struct writer *w, uint16_t type, uint32_t v);
void nl_attr_put_u64(struct writer *w, uint16_t type, uint64_t v);
void nl_attr_put_be16(struct writer *w, uint16_t type, uint16_t v);
void nl_attr_put_be32(struct writer *w, uint16_t type, uint32_t v);
void nl_attr_put_be64(struct writer *w, uint16_t type, uint64_t v);
/* With the NUL at the end. */
void nl_attr_put_str(struct writer *w, uint16_t type, const char *s);

/* A nested attribute around what is put between; NLA_F_NESTED is set. */
size_t nl_nest_begin(struct writer *w, uint16_t type);
void nl_nest_end(struct writer *w, size_t nest);

/* -- reading ----------------------------------------------------------------------------------- */

struct nl_msg {
	uint16_t type, flags;
	uint32_t seq, port;
	struct reader body; /* what follows nlmsghdr */
};

/*
 * Takes the next message. False at the end of `r`, or when the rest is no whole message: r->bad
 * then.
 */
bool nl_msg_next(struct reader *r, struct nl_msg *ret);

struct nl_genl {
	uint8_t cmd, version;
};

struct nl_nfgen {
	uint8_t family, version;
	uint16_t res_id; /* host order */
};

/* Takes the header from the start of a message's body; attributes follow. False when it is too
 * short. */
bool nl_genl_take(struct reader *body, struct nl_genl *ret);
bool nl_nfgen_take(struct reader *body, struct nl_nfgen *ret);

struct nl_attr {
	uint16_t type;	    /* without NLA_F_NESTED and NLA_F_NET_BYTEORDER */
	struct reader data; /* the payload; of a nested attribute: read it with nl_attr_next() */
};

/* Takes the next attribute. False at the end of `r`, or when the rest is no whole one: r->bad then. */
bool nl_attr_next(struct reader *r, struct nl_attr *ret);

/* The payload as a number. False, and *ret is left alone, when its length is not that of the
 * number. */
bool nl_attr_u8(const struct nl_attr *a, uint8_t *ret);
bool nl_attr_u16(const struct nl_attr *a, uint16_t *ret);
bool nl_attr_u32(const struct nl_attr *a, uint32_t *ret);
bool nl_attr_u64(const struct nl_attr *a, uint64_t *ret);
bool nl_attr_be16(const struct nl_attr *a, uint16_t *ret);
bool nl_attr_be32(const struct nl_attr *a, uint32_t *ret);
bool nl_attr_be64(const struct nl_attr *a, uint64_t *ret);

/* The payload as a string, up to its first NUL. False when it does not fit `cap` with a NUL. */
bool nl_attr_str(const struct nl_attr *a, char *ret, size_t cap);

/* The payload as `len` bytes exactly. False when it has another length. */
bool nl_attr_bytes(const struct nl_attr *a, void *ret, size_t len);

/* What NLMSG_ERROR or NLMSG_DONE say. */
struct nl_error {
	int error;		 /* 0: an acknowledgement, or a dump ended well; else -errno */
	char text[NL_TEXT_SIZE]; /* the kernel's extended text, or "" */
};

/* False when the message is too short to be one, or carries what is no -errno. */
bool nl_error_read(const struct nl_msg *msg, struct nl_error *ret);

#endif
