/* SPDX-License-Identifier: MIT */
/* Sample fetches of TLS connections. */
#include "rules/expr.h"
#include "rules/tls_names.h"

static const struct tls *connection(const struct fetch *f, const struct run *r)
{
	return f->data & TLS_OF_SERVER ? r->server_tls : r->client_tls;
}

static bool is_tls(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		   struct run *r, struct fetch_step *step, struct sample *ret)
{
	*ret = sample_bool(connection(f, r) != NULL);
	return true;
}

static bool value(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		  struct fetch_step *step, struct sample *ret)
{
	const struct tls *t = connection(f, r);

	return t && r->tls_info && r->tls_info(t, f->data, arg, n_args, &r->scratch, ret);
}

static bool check_filter(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	return !n || arg->number == 0 || arg->number == 1 || rule_fail(e, "write 0, or 1 to leave GREASE out (RFC 8701)");
}

/* clang-format off */
#define NEEDS(of) ((of) == TLS_OF_SERVER ? 0 : EXPR_SHAKEN)
#define SERVER(name, type, what) {name, "", type, EXPR_SERVER, value, TLS_OF_SERVER | (what), NULL}
#define CLIENT(name, type, what) {name, "", type, EXPR_SHAKEN, value, what, NULL}
#define CERT(prefix, of) \
	{prefix "_der", "", SAMPLE_BIN, NEEDS(of), value, (of) | TLS_CERT_DER, NULL}, \
	{prefix "_i_dn", "SIS", SAMPLE_STR, NEEDS(of), value, (of) | TLS_CERT_ISSUER, NULL}, \
	{prefix "_key_alg", "", SAMPLE_STR, NEEDS(of), value, (of) | TLS_CERT_KEY_ALG, NULL}, \
	{prefix "_notafter", "", SAMPLE_STR, NEEDS(of), value, (of) | TLS_CERT_NOT_AFTER, NULL}, \
	{prefix "_notbefore", "", SAMPLE_STR, NEEDS(of), value, (of) | TLS_CERT_NOT_BEFORE, NULL}, \
	{prefix "_s_dn", "SIS", SAMPLE_STR, NEEDS(of), value, (of) | TLS_CERT_SUBJECT, NULL}, \
	{prefix "_serial", "", SAMPLE_BIN, NEEDS(of), value, (of) | TLS_CERT_SERIAL, NULL}, \
	{prefix "_sha1", "", SAMPLE_BIN, NEEDS(of), value, (of) | TLS_CERT_SHA1, NULL}, \
	{prefix "_sig_alg", "", SAMPLE_STR, NEEDS(of), value, (of) | TLS_CERT_SIG_ALG, NULL}, \
	{prefix "_version", "", SAMPLE_INT, NEEDS(of), value, (of) | TLS_CERT_VERSION, NULL}

#define SECRETS(prefix, of) \
	{prefix "_client_early_traffic_secret", "", SAMPLE_STR, NEEDS(of), value, (of) | TLS_KEY_EARLY, NULL}, \
	{prefix "_client_handshake_traffic_secret", "", SAMPLE_STR, NEEDS(of), value, (of) | TLS_KEY_CLIENT_HANDSHAKE, NULL}, \
	{prefix "_client_traffic_secret_0", "", SAMPLE_STR, NEEDS(of), value, (of) | TLS_KEY_CLIENT, NULL}, \
	{prefix "_early_exporter_secret", "", SAMPLE_STR, NEEDS(of), value, (of) | TLS_KEY_EARLY_EXPORTER, NULL}, \
	{prefix "_exporter_secret", "", SAMPLE_STR, NEEDS(of), value, (of) | TLS_KEY_EXPORTER, NULL}, \
	{prefix "_server_handshake_traffic_secret", "", SAMPLE_STR, NEEDS(of), value, (of) | TLS_KEY_SERVER_HANDSHAKE, NULL}, \
	{prefix "_server_traffic_secret_0", "", SAMPLE_STR, NEEDS(of), value, (of) | TLS_KEY_SERVER, NULL}

const struct fetch fetches_tls[] = {
	{"ssl_bc", "", SAMPLE_BOOL, EXPR_SERVER, is_tls, TLS_OF_SERVER, NULL},
	SERVER("ssl_bc_alg_keysize", SAMPLE_INT, TLS_ALG_KEYSIZE),
	SERVER("ssl_bc_alpn", SAMPLE_STR, TLS_ALPN),
	SERVER("ssl_bc_cipher", SAMPLE_STR, TLS_CIPHER),
	SECRETS("ssl_bc", TLS_OF_SERVER),
	SERVER("ssl_bc_client_random", SAMPLE_BIN, TLS_CLIENT_RANDOM),
	SERVER("ssl_bc_curve", SAMPLE_STR, TLS_CURVE),
	SERVER("ssl_bc_err", SAMPLE_INT, TLS_HANDSHAKE_ERR),
	SERVER("ssl_bc_err_str", SAMPLE_STR, TLS_HANDSHAKE_ERR_STR),
	SERVER("ssl_bc_is_resumed", SAMPLE_BOOL, TLS_IS_RESUMED),
	SERVER("ssl_bc_npn", SAMPLE_STR, TLS_NEVER),
	SERVER("ssl_bc_protocol", SAMPLE_STR, TLS_PROTOCOL),
	SERVER("ssl_bc_server_random", SAMPLE_BIN, TLS_SERVER_RANDOM),
	SERVER("ssl_bc_session_id", SAMPLE_BIN, TLS_SESSION_ID),
	SERVER("ssl_bc_session_key", SAMPLE_BIN, TLS_SESSION_KEY),
	SERVER("ssl_bc_unique_id", SAMPLE_BIN, TLS_UNIQUE_ID),
	SERVER("ssl_bc_use_keysize", SAMPLE_INT, TLS_ALG_KEYSIZE),
	CLIENT("ssl_c_ca_err", SAMPLE_INT, TLS_CA_ERR),
	CLIENT("ssl_c_ca_err_depth", SAMPLE_INT, TLS_CA_ERR_DEPTH),
	CLIENT("ssl_c_chain_der", SAMPLE_BIN, TLS_OF_PEER | TLS_CERT_CHAIN),
	CERT("ssl_c", TLS_OF_PEER),
	CLIENT("ssl_c_err", SAMPLE_INT, TLS_ERR),
	CLIENT("ssl_c_used", SAMPLE_BOOL, TLS_USED),
	CLIENT("ssl_c_verify", SAMPLE_INT, TLS_VERIFY),
	CERT("ssl_f", 0),
	{"ssl_fc", "", SAMPLE_BOOL, EXPR_SHAKEN, is_tls, 0, NULL},
	CLIENT("ssl_fc_alg_keysize", SAMPLE_INT, TLS_ALG_KEYSIZE),
	CLIENT("ssl_fc_alpn", SAMPLE_STR, TLS_ALPN),
	CLIENT("ssl_fc_cipher", SAMPLE_STR, TLS_CIPHER),
	{"ssl_fc_cipherlist_bin", "I", SAMPLE_BIN, EXPR_SHAKEN, value, TLS_CIPHERLIST_BIN, check_filter},
	{"ssl_fc_cipherlist_hex", "I", SAMPLE_STR, EXPR_SHAKEN, value, TLS_CIPHERLIST_HEX, check_filter},
	{"ssl_fc_cipherlist_str", "I", SAMPLE_STR, EXPR_SHAKEN, value, TLS_CIPHERLIST_STR, check_filter},
	CLIENT("ssl_fc_cipherlist_xxh", SAMPLE_INT, TLS_CIPHERLIST_XXH),
	SECRETS("ssl_fc", 0),
	CLIENT("ssl_fc_client_random", SAMPLE_BIN, TLS_CLIENT_RANDOM),
	CLIENT("ssl_fc_curve", SAMPLE_STR, TLS_CURVE),
	CLIENT("ssl_fc_ecformats_bin", SAMPLE_BIN, TLS_POINTLIST),
	{"ssl_fc_eclist_bin", "I", SAMPLE_BIN, EXPR_SHAKEN, value, TLS_GROUPLIST, check_filter},
	CLIENT("ssl_fc_err", SAMPLE_INT, TLS_HANDSHAKE_ERR),
	CLIENT("ssl_fc_err_str", SAMPLE_STR, TLS_HANDSHAKE_ERR_STR),
	{"ssl_fc_extlist_bin", "I", SAMPLE_BIN, EXPR_SHAKEN, value, TLS_EXTENSIONLIST, check_filter},
	CLIENT("ssl_fc_has_crt", SAMPLE_BOOL, TLS_HAS_CERT),
	CLIENT("ssl_fc_has_early", SAMPLE_BOOL, TLS_HAS_EARLY),
	CLIENT("ssl_fc_has_sni", SAMPLE_BOOL, TLS_HAS_SNI),
	CLIENT("ssl_fc_is_resumed", SAMPLE_BOOL, TLS_IS_RESUMED),
	CLIENT("ssl_fc_npn", SAMPLE_STR, TLS_NEVER),
	CLIENT("ssl_fc_protocol", SAMPLE_STR, TLS_PROTOCOL),
	CLIENT("ssl_fc_protocol_hello_id", SAMPLE_INT, TLS_HELLO_VERSION),
	CLIENT("ssl_fc_server_random", SAMPLE_BIN, TLS_SERVER_RANDOM),
	CLIENT("ssl_fc_session_id", SAMPLE_BIN, TLS_SESSION_ID),
	CLIENT("ssl_fc_session_key", SAMPLE_BIN, TLS_SESSION_KEY),
	CLIENT("ssl_fc_sni", SAMPLE_STR, TLS_SNI),
	CLIENT("ssl_fc_unique_id", SAMPLE_BIN, TLS_UNIQUE_ID),
	CLIENT("ssl_fc_use_keysize", SAMPLE_INT, TLS_ALG_KEYSIZE),
	CLIENT("ssl_s_chain_der", SAMPLE_BIN, TLS_OF_SERVER | TLS_OF_PEER | TLS_CERT_CHAIN),
	CERT("ssl_s", TLS_OF_SERVER | TLS_OF_PEER),
	{NULL, NULL, 0, 0, NULL, 0, NULL},
};
/* clang-format on */
