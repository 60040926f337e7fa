/* SPDX-License-Identifier: MIT */
/*
 * The send/expect probes. Over TCP, for any protocol of bytes that a few fixed texts can test (HAProxy's
 * `tcp-check send` and `expect string`, F5's send and receive strings).
 *
 *	probe                                   server
 *	[send of step 1]                ──►
 *	                                ◄──     … expect of step 1 …
 *	[send of step 2]                ──►
 *	                                ◄──     … expect of step 2 …
 *
 * The steps come in order. An expected text may stand anywhere behind the one before it, however
 * the bytes were cut on the way; what lies between is passed over. With the last one seen, or with
 * the last send handed over when no expect follows it, the check is a success. The engine then resets the
 * connection; a host whose last send must arrive copies the ops and adds HEALTH_PROBE_FIN to flags.
 *
 * A text may also be unwanted (HEALTH_EXPECT_ABSENT), or say that the server works and wants no new users (`drain`).
 *
 * Over UDP one datagram goes out, and one that comes back is looked at (keepalived's UDP_CHECK, F5's
 * udp monitor). UDP has no answer of its own: where the protocol has none, either, silence until the
 * timeout is the success, and an ICMP "port unreachable" the failure.
 */
#ifndef LIBHEALTH_PROBE_EXPECT_H
#define LIBHEALTH_PROBE_EXPECT_H

#include <libhealth/foreign.h>
#include <libhealth/probe.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEALTH_EXPECT_STEPS_MAX 16		/* steps of a probe */
#define HEALTH_EXPECT_SEND_MAX 4096		/* bytes of a step's `send` */
#define HEALTH_EXPECT_TEXT_MAX 255		/* bytes of a step's `expect` */
#define HEALTH_EXPECT_REPLY_DEFAULT_BYTES 16384 /* read for one step when reply_max_bytes is 0 */
#define HEALTH_EXPECT_REPLY_MAX_BYTES 16777216	/* the highest reply_max_bytes */

/* Bits of health_expect_step.flags. */
/*
 * What is expected must not come (HAProxy's `expect !`, F5's reverse): then the check fails. The step is over, and good,
 * when `min_bytes` came without it, or reply_max_bytes did; the last step also when the server closes after
 * a word at least. A server that just goes silent has not passed: HEALTH_CODE_L7TOUT.
 */
#define HEALTH_EXPECT_ABSENT 1u

/* One step: sends, expects, or both. Bytes, zeros too; case counts. */
struct health_expect_step {
	const void *send; /* sent first; NULL with send_len 0: nothing */
	size_t send_len;
	const void *expect; /* then waited for; NULL with expect_len 0: nothing */
	size_t expect_len;
	/* Or this expression, for opts.regex, sought in all that came since the step began, each time
	 * more comes: "$" is the end of what has come so far. It must not match an empty text. */
	const char *expect_regex;
	uint32_t flags;	    /* HEALTH_EXPECT_…; an unknown bit is -EINVAL */
	uint32_t min_bytes; /* with HEALTH_EXPECT_ABSENT, at most reply_max_bytes; 0: none */
};

/* What health_probe_new takes with health_probe_expect(). All is copied. */
struct health_expect_opts {
	size_t size;
	const struct health_expect_step *steps; /* required; one of them at least expects */
	size_t n_steps;
	/* A step that has read so much without its text fails; 0: HEALTH_EXPECT_REPLY_DEFAULT_BYTES. A
	 * step with an expression reads at most HEALTH_PROBE_UNREAD_MAX. */
	size_t reply_max_bytes;
	const struct health_regex
	    *regex; /* required with an expect_regex; must outlive the probe */
	/* Seen before what is expected, in any step, the check ends as HEALTH_OK_DRAIN, HEALTH_CODE_L7OKC (F5's
	 * receive disable string). At most HEALTH_EXPECT_TEXT_MAX bytes; NULL with drain_len 0: none. */
	const void *drain;
	size_t drain_len;
};

/*
 * The ops of the send/expect probe, for health_probe_new with a health_expect_opts. Static; any
 * thread. health_probe_new returns -EINVAL for no options or a value out of its range above, -E2BIG
 * for a field this library does not know, -ENOMEM. A step whose text does not come fails with
 * HEALTH_CODE_L7RSP (the server closed, or said too much) or HEALTH_CODE_L7TOUT; a result's
 * `status` is the number of that step, from 1, or of the last, and its text begins with what the
 * server said since that step began. Sources: the HAProxy manual, "tcp-check"; F5 LTM monitor
 * reference, tcp.
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_expect(void);

#define HEALTH_UDP_BYTES_MAX 1400 /* bytes of `send` and of `expect` */

/* Bits of health_udp_opts.flags. */
#define HEALTH_UDP_SILENCE_OK 1u /* no answer until the timeout is a success */
#define HEALTH_UDP_ANYWHERE \
	2u /* `expect` may stand anywhere in the answer, not only at its start */

/* What health_probe_new takes with health_probe_udp(). All is copied. */
struct health_udp_opts {
	size_t size;
	const void *send; /* 1 to HEALTH_UDP_BYTES_MAX bytes; NULL: one zero byte */
	size_t send_len;
	/* The answer must begin with this; NULL: any answer will do. */
	const void *expect;
	size_t expect_len;
	/* As long as `expect`: only the bits set here are compared (keepalived's X is a 0). NULL: all of
	 * them. Not with HEALTH_UDP_ANYWHERE. */
	const void *expect_mask;
	size_t reply_min, reply_max; /* bytes of an answer; reply_max 0: no limit */
	uint64_t flags;		     /* HEALTH_UDP_… */
};

/*
 * The ops of the UDP probe, for health_probe_new with a health_udp_opts or NULL (any answer).
 * Static; any thread. health_probe_new returns -EINVAL for a value out of its range above, -E2BIG
 * for a field this library does not know, -ENOMEM. Another answer fails with HEALTH_CODE_L7RSP, a
 * port unreachable with HEALTH_CODE_L4CON, silence with HEALTH_CODE_L7TOUT or, if it is a success,
 * HEALTH_CODE_L4OK. Sources: keepalived.conf(5), UDP_CHECK; F5 LTM monitor reference, udp.
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_udp(void);

#ifdef __cplusplus
}
#endif
#endif
