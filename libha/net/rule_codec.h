/* SPDX-License-Identifier: MIT */
/* rtnetlink's messages of policy rules (linux/fib_rules.h), pure. */
#ifndef LIBHA_NET_RULE_CODEC_H
#define LIBHA_NET_RULE_CODEC_H

#include <libha/route.h>

#include "nl/msg.h"

/* Can the kernel be asked for it at all? 0 or -EINVAL. */
int rule_codec_check(const struct ha_net_rule *r);

/* The body of RTM_NEWRULE and of RTM_DELRULE, which looks at all that is given. */
void rule_codec_put(struct writer *w, const struct ha_net_rule *r);

/* The body of RTM_GETRULE for a dump. */
void rule_codec_put_dump(struct writer *w, int family);

/* RTM_NEWRULE and RTM_DELRULE. 0; -ENOMSG: of another family; -EBADMSG: malformed. */
int rule_codec_read(const struct nl_msg *msg, struct ha_net_rule *ret);

/* Are they equal, but for the state of the links they name (flags)? */
bool rule_codec_same(const struct ha_net_rule *a, const struct ha_net_rule *b);

#endif
