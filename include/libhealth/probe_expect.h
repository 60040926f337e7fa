/* SPDX-License-Identifier: MIT */
/*
 * The send/expect probe, for any protocol of bytes that a few fixed texts can test (HAProxy's
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
 */
#ifndef LIBHEALTH_PROBE_EXPECT_H
#define LIBHEALTH_PROBE_EXPECT_H

#include <libhealth/probe.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEALTH_EXPECT_STEPS_MAX 16		/* steps of a probe */
#define HEALTH_EXPECT_SEND_MAX 4096		/* bytes of a step's `send` */
#define HEALTH_EXPECT_TEXT_MAX 255		/* bytes of a step's `expect` */
#define HEALTH_EXPECT_REPLY_DEFAULT_BYTES 16384 /* read for one step when reply_max_bytes is 0 */
#define HEALTH_EXPECT_REPLY_MAX_BYTES 16777216	/* the highest reply_max_bytes */

/* One step: at least one of the two. Bytes, zeros too; case counts. */
struct health_expect_step {
	const void *send; /* sent first; NULL with send_len 0: nothing */
	size_t send_len;
	const void *expect; /* then waited for; NULL with expect_len 0: nothing */
	size_t expect_len;
};

/* What health_probe_new takes with health_probe_expect(). All is copied. */
struct health_expect_opts {
	size_t size;
	const struct health_expect_step *steps; /* required; one of them at least expects */
	size_t n_steps;
	/* A step that has read so much without its text fails; 0: HEALTH_EXPECT_REPLY_DEFAULT_BYTES. */
	size_t reply_max_bytes;
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

#ifdef __cplusplus
}
#endif
#endif
