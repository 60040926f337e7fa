/* SPDX-License-Identifier: MIT */
/*
 * The probes of message brokers: MQTT 3.1.1 and AMQP 0-9-1.
 *
 *	probe                                   MQTT broker
 *	CONNECT client id [user …]      ──►
 *	                                ◄──     CONNACK 0
 *	DISCONNECT                      ──►
 *
 *	probe                                   AMQP broker
 *	"AMQP" 0 0 9 1                  ──►
 *	                                ◄──     Connection.Start                without a user: success
 *	Connection.StartOk PLAIN        ──►
 *	                                ◄──     Connection.Tune
 *	Connection.TuneOk, Open vhost   ──►
 *	                                ◄──     Connection.OpenOk
 *	Connection.Close                ──►
 *
 * Nothing is subscribed, declared or published.
 */
#ifndef LIBHEALTH_PROBE_BROKER_H
#define LIBHEALTH_PROBE_BROKER_H

#include <libhealth/probe.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEALTH_BROKER_WORD_MAX 255    /* bytes of each of the options */
#define HEALTH_BROKER_FRAME_MAX 16000 /* bytes of a frame of the server; with more: L7RSP */

/* What health_probe_new takes with the two below. All is copied; UTF-8. */
struct health_broker_opts {
	size_t size;
	const char *user;     /* NULL: none */
	const char *password; /* only with a user; NULL: none. Wiped when freed */
	/* MQTT: a broker that knows its clients by name; NULL: another name in each check, for a second
	 * client of a name throws the first one out. AMQP: must be NULL. */
	const char *client_id;
	const char *vhost; /* AMQP, only with a user; NULL: "/". MQTT: must be NULL */
};

/*
 * The ops, for health_probe_new with a health_broker_opts or NULL. Static; any thread.
 * health_probe_new returns -EINVAL for a value out of its range above, -E2BIG for a field this library
 * does not know, -ENOMEM. A refusal (CONNACK's code, Connection.Close, another AMQP version) fails with
 * HEALTH_CODE_L7STS, what is no answer with HEALTH_CODE_L7RSP; a result's `status` is MQTT's return code
 * or AMQP's reply code. A broker that answers a wrong password by closing, as AMQP allows, is told as
 * closed. Sources: MQTT 3.1.1 §3.1, §3.2; AMQP 0-9-1 §2.2.4, §4.2; its class "connection".
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_mqtt(void);
LIBHEALTH_API const struct health_probe_ops *health_probe_amqp(void);

#ifdef __cplusplus
}
#endif
#endif
