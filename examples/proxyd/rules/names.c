/* SPDX-License-Identifier: MIT */
/* Names of HAProxy's that are not here (yet): so that they are told from a slip of the pen. */
#include <string.h>

#include "rules/expr.h"

/* clang-format off */
static const char *const fetches[] = {
    "acl",
    "distcc_body",
    "distcc_param",
    "res.body",
    "res.body_len",
    "res.body_size",
    "ssl_bc_err_str",
    "ssl_fc_cipherlist_bin",
    "ssl_fc_cipherlist_hex",
    "ssl_fc_cipherlist_str",
    "ssl_fc_cipherlist_xxh",
    "ssl_fc_client_early_traffic_secret",
    "ssl_fc_client_handshake_traffic_secret",
    "ssl_fc_client_traffic_secret_0",
    "ssl_fc_early_exporter_secret",
    "ssl_fc_ecformats_bin",
    "ssl_fc_eclist_bin",
    "ssl_fc_err_str",
    "ssl_fc_exporter_secret",
    "ssl_fc_extlist_bin",
    "ssl_fc_protocol_hello_id",
    "ssl_fc_server_handshake_traffic_secret",
    "ssl_fc_server_traffic_secret_0",
    "ssl_s_chain_der",
    NULL,
};

static const char *const convs[] = {
    "when",
    "xxh3",
    "xxh32",
    NULL,
};
/* clang-format on */

static bool has(const char *const *names, struct text name)
{
	for (; *names; names++)
		if (strlen(*names) == name.len && !strncmp(*names, name.at, name.len))
			return true;
	return false;
}

bool fetch_is_known(struct text name)
{
	return has(fetches, name);
}

bool conv_is_known(struct text name)
{
	return has(convs, name);
}
