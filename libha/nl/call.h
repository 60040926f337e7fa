/* SPDX-License-Identifier: MIT */
/*
 * Asking the kernel, synchronously. Three things can be asked:
 *
 *	nl_call         many independent requests (addresses, IPVS services), each done or refused
 *	                on its own
 *	nl_transaction  one nfnetlink batch (nf_tables), done as a whole or not at all
 *	nl_query        one request that answers with messages: a dump, or a single GET
 *
 * The first two send many messages at once and let the kernel answer failures only: no message
 * carries NLM_F_ACK but one, the fence; when its answer is in, every request without an error was
 * done. One system call in and one or two out, instead of two for each request.
 *
 *	struct nl_channel c;
 *	struct nl_batch b = {0};
 *	nl_channel_open(&c, NETLINK_GENERIC, o->transport, 0);
 *	nl_genl_resolve(&c, "IPVS", &family);
 *	for each service {
 *		struct writer *w = nl_batch_begin(&b, family, 0);
 *		nl_genl_put(w, IPVS_CMD_NEW_SERVICE, 1);
 *		...
 *		nl_batch_end(&b);
 *	}
 *	r = nl_call(&c, &b, failed, userdata);
 *	        r < 0: not known what was done; r > 0: so many failed
 *	nl_batch_fini(&b);
 *	nl_channel_close(&c);
 */
#ifndef LIBHA_NL_CALL_H
#define LIBHA_NL_CALL_H

#include <stddef.h>
#include <stdint.h>

#include <libha/nl_transport.h>

#include "base/cursor.h"
#include "nl/msg.h"

/* The largest datagram taken; the kernel cuts dumps into 32 KiB at most. */
#define NL_RECEIVE_BYTES 65536

/* How long an answer may take when the caller does not say. */
#define NL_TIMEOUT_MS 5000

/* A dump that the kernel reports as interrupted is begun again so often. */
#define NL_DUMP_TRIES 8

/* nl_call sends at most so much at once; a refused chunk's errors then fit the receive queue. */
#define NL_CHUNK_MSGS 512
#define NL_CHUNK_BYTES (128u << 10)

/* Room a batch offers for one message; and the most it holds altogether. */
#define NL_BATCH_MSG_BYTES (128u << 10)
#define NL_BATCH_BYTES_MAX HA_NL_SEND_BYTES_MAX

/* -- batch: messages in one buffer -------------------------------------------------------------- */

/* All zero is an empty one. */
struct nl_batch {
	uint8_t *buf;
	size_t len, cap;
	size_t n;	 /* messages ended */
	struct writer w; /* the open message */
	int error;	 /* the first thing that went wrong while building: -ENOMEM or -EMSGSIZE */
};

/*
 * Opens a message and gives the writer of its body: headers and attributes go there. NLM_F_REQUEST
 * is added to `flags`; the sequence number and NLM_F_ACK are set when it is sent. Never NULL: when
 * memory is short the writer is bad and the batch remembers.
 */
struct writer *nl_batch_begin(struct nl_batch *b, uint16_t type, uint16_t flags);

/* Ends it: the message becomes the next in the batch, its index the number of those before. */
void nl_batch_end(struct nl_batch *b);

/* Empties it and keeps the memory. */
void nl_batch_reset(struct nl_batch *b);

/* Frees the memory; it is an empty batch again. */
void nl_batch_fini(struct nl_batch *b);

/* -- channel: a transport and what is known about its answers ------------------------------------ */

struct nl_channel {
	struct ha_nl_transport_ops ops;
	void *transport;
	bool is_given; /* by the host, not opened here */
	uint8_t *buf; /* NL_RECEIVE_BYTES */
	uint32_t next_seq;
	int timeout_ms;
	char text[NL_TEXT_SIZE]; /* the kernel's on the first failure of the last call, or "" */
};

/*
 * Opens a channel over `given`, or over an own libmnl socket of `protocol` when it is NULL. From
 * then on the channel owns the transport and closes it; when this fails, `given` is left alone.
 * timeout_ms 0: NL_TIMEOUT_MS. 0 or -errno: those of ha_nl_mnl_open(); -EINVAL when `given` lacks a
 * function.
 */
int nl_channel_open(struct nl_channel *c, int protocol, const struct ha_nl_transport *given,
		    unsigned int timeout_ms);
void nl_channel_close(struct nl_channel *c);
/* Before closing, where an opening fails after all: a transport that was given stays its giver's. */
void nl_channel_give_back(struct nl_channel *c);

/* -- asking -------------------------------------------------------------------------------------- */

/* One request failed: its index in the batch, -errno, the kernel's extended text or "". */
typedef void nl_failed_fn(void *userdata, size_t index, int error, const char *text);

/*
 * Sends the batch's requests, in chunks, and waits for the outcome. Requests are independent: one
 * that fails does not stop those after it. `failed` (may be NULL) is called for each that failed,
 * in order.
 *
 * 0: all done; n > 0: so many failed and were told, the others are done. -errno: not known what was
 * done, read the kernel's state again: -ENOBUFS (answers were lost), -ETIMEDOUT, -EBADMSG (answers
 * that make no sense), the batch's own -ENOMEM/-EMSGSIZE (nothing was sent), or what the transport
 * says.
 */
int nl_call(struct nl_channel *c, struct nl_batch *b, nl_failed_fn *failed, void *userdata);

/*
 * Sends one nfnetlink batch as one datagram. Its first message is NFNL_MSG_BATCH_BEGIN, its last
 * NFNL_MSG_BATCH_END; the last but one becomes the fence, since kernels before 6.10 do not
 * acknowledge the end. As nl_call, but if any fails nothing was done; index 0 stands for the whole.
 * -EINVAL when it holds fewer than three messages.
 */
int nl_transaction(struct nl_channel *c, struct nl_batch *b, nl_failed_fn *failed, void *userdata);

struct nl_query_ops {
	/* One message of the answer. Not 0: ends the query with that value. */
	int (*message)(void *userdata, const struct nl_msg *msg);

	/* The dump was interrupted and begins again: forget what was told. May be NULL for a GET. */
	void (*restart)(void *userdata);
};

/*
 * Sends the one message of `b` and gives each message of the answer to ops->message; it is a dump
 * when its flags hold NLM_F_DUMP. 0 when the answer was whole; the value ops->message returned;
 * -errno of the kernel (channel's text says more), -EINTR when the dump was interrupted
 * NL_DUMP_TRIES times, and those of nl_call. The batch may be sent again.
 */
int nl_query(struct nl_channel *c, struct nl_batch *b, const struct nl_query_ops *ops,
	     void *userdata);

/*
 * The message type of a generic netlink family. 0, -ENOENT when the kernel has none of that name (a
 * module that is not there), or those of nl_query. `c` is a NETLINK_GENERIC channel.
 */
int nl_genl_resolve(struct nl_channel *c, const char *name, uint16_t *ret_type);

#endif
