/* SPDX-License-Identifier: MIT */
/* Expressions, conditions, formats and actions, beside what HAProxy's manual says of them. */
#include "rules_rig.h"

#include <stdio.h>

static const char request_head[] = "GET /api/v1/users?id=42&name=J%C3%B6rg+M&empty= HTTP/1.1\r\n"
				   "Host: www.Example.com:8080\r\n"
				   "X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n"
				   "x-forwarded-for: 10.0.0.3\r\n"
				   "Cookie: session=abc; theme=dark; session=second\r\n"
				   "Authorization: Basic YWxhZGRpbjpvcGVuOnNlc2FtZQ==\r\n"
				   "User-Agent: Mozilla/5.0 (X11; Linux)\r\n"
				   "X-Number: 17abc\r\n"
				   "\r\n";
static const char response_head[] = "HTTP/1.1 404 Not Found\r\n"
				    "Set-Cookie: id=7; Path=/; HttpOnly\r\n"
				    "Cache-Control: no-cache, max-age=60\r\n"
				    "Content-Length: 0\r\n"
				    "\r\n";

static int set_up(void **state)
{
	struct rig *g = rig_new();

	rig_request(g, request_head);
	rig_response(g, response_head);
	*state = g;
	return 0;
}

static int tear_down(void **state)
{
	rig_free(*state);
	return 0;
}

/* ---- Expressions ---- */

static const struct {
	const char *expr, *value; /* NULL: none */
} values[] = {
    {"src", "192.0.2.7"},
    {"src_port", "40000"},
    {"dst", "2001:db8::1"},
    {"src,ipmask(24)", "192.0.2.0"},
    {"src,ipmask(255.255.0.0)", "192.0.0.0"},
    {"dst,ipmask(24,32)", "2001:db8::"},
    {"method", "GET"},
    {"path", "/api/v1/users"},
    {"pathq", "/api/v1/users?id=42&name=J%C3%B6rg+M&empty="},
    {"query", "id=42&name=J%C3%B6rg+M&empty="},
    {"url", "/api/v1/users?id=42&name=J%C3%B6rg+M&empty="},
    {"req.ver", "1.1"},
    {"base", "www.Example.com:8080/api/v1/users"},
    {"url_param(id)", "42"},
    {"urlp(name)", "J%C3%B6rg+M"},
    {"urlp(name),url_dec(1)", "J\xc3\xb6rg M"},
    {"urlp(empty)", ""},
    {"urlp(none)", NULL},
    {"urlp_val(id),add(8)", "50"},
    {"req.hdr(host)", "www.Example.com:8080"},
    {"hdr(cache-control,1)", "no-cache"}, /* of a response where there is one */
    {"req.hdr(Host),lower", "www.example.com:8080"},
    {"req.hdr(host),host_only,upper", "WWW.EXAMPLE.COM"},
    {"req.hdr(host),port_only", "8080"},
    /* the last value, unless a place is asked for */
    {"req.hdr(x-forwarded-for)", "10.0.0.3"},
    {"req.hdr(x-forwarded-for,1)", "10.0.0.1"},
    {"req.hdr(x-forwarded-for,-2)", "10.0.0.2"},
    {"req.hdr(x-forwarded-for,4)", NULL},
    {"req.fhdr(x-forwarded-for,1)", "10.0.0.1, 10.0.0.2"},
    {"req.hdr_cnt(x-forwarded-for)", "3"},
    {"req.fhdr_cnt(x-forwarded-for)", "2"},
    {"hdr_ip(x-forwarded-for,-1)", "10.0.0.3"},
    {"hdr_val(x-number)", "17"},
    {"hdr(none)", NULL},
    {"req.cook(session)", "second"},
    {"req.cook(theme)", "dark"},
    {"req.cook_cnt(session)", "2"},
    {"req.cook(Session)", NULL},
    {"http_auth_user", "aladdin"},
    {"http_auth_pass", "open:sesame"},
    {"http_auth_type", "Basic"},
    {"http_auth_bearer", NULL},
    {"status", "404"},
    {"res.hdr(cache-control,1)", "no-cache"},
    {"res.cook(id)", "7"},
    {"res.cook(Path)", NULL},
    {"fe_name", "fe"},
    {"be_id", "3"},
    {"srv_name", NULL},
    {"str(a b)", "a b"},
    {"str(\"a,b)\"),length", "4"},
    {"str(a\\ \\d\\\\\\t)", "a \\d\\\t"},
    {"str(abc),word(1,.,9223372036854775807)", "abc"},
    {"int(-5),neg", "5"},
    {"int(7),mod(4)", "3"},
    {"int(7),div(0)", "9223372036854775807"},
    {"int(9223372036854775807),add(1)", "9223372036854775807"},
    {"int(12),and(10),or(1),xor(3)", "10"},
    {"bool(true),not", "0"},
    {"int(3),odd,iif(yes,no)", "yes"},
    {"str(a/b//c),field(3,/)", ""},
    {"str(a/b//c),field(4,/)", "c"},
    {"str(a/b//c),field(-1,/)", "c"},
    {"str(a/b//c),field(1,/,2)", "a/b"},
    {"str(a/b//c),field(2,/,0)", "b//c"},
    {"str(a/b//c),word(3,/)", "c"},
    {"str(/a/b/),word(-1,/)", "b"},
    {"str(a/b),word(3,/)", ""},
    {"str(  x ),ltrim(\" \"),rtrim(\" \")", "x"},
    {"str(hello),bytes(1,3),hex", "656C6C"},
    {"str(hello),base64", "aGVsbG8="},
    {"str(aGVsbG8=),b64dec,hex", "68656C6C6F"},
    {"str(a?b+c/d),url_enc", "a%3Fb%2Bc%2Fd"},
    {"str(ff),hex2i", "255"},
    {"str(say \\\"x\\\"),json", "say \\\"x\\\""},
    {"str(aaa),regsub(a,b)", "baa"},
    {"str(aaa),regsub(a,b,g)", "bbb"},
    {"str(Ab),regsub('a(b)','<\\1>',gi)", "<b>"},
    {"str(x=1&y=2),param(y)", "2"},
    {"str(x=1&y=2),param(z)", NULL},
    {"int(784111777),http_date", "Sun, 06 Nov 1994 08:49:37 GMT"}, /* RFC 9110, section 5.6.7 */
    {"date,utime(%Y-%m-%d)", "2001-09-09"},
    {"str(hello),crc32", "907060870"}, /* zlib's */
    {"str(5 apples),add(1)", "6"},
    {"str(apples),add(1)", "1"},
    {"str(10.1.2.3),ipmask(8)", "10.0.0.0"},
    {"str(10.1.2),ipmask(8)", NULL},
    {"bin(00000000000000000000000000000000),aes_gcm_enc(128,AAAAAAAAAAAAAAAA,AAAAAAAAAAAAAAAAAAAAAA==,txn.tag),hex", "0388DACE60B6A392F328C2B971B2FE78"},
    {"var(txn.tag)", "q25H1CzsE731OmeyEle93w=="},
    {"bin(0388dace60b6a392f328c2b971b2fe78),aes_gcm_dec(128,AAAAAAAAAAAAAAAA,AAAAAAAAAAAAAAAAAAAAAA==,txn.tag),hex", "00000000000000000000000000000000"},
    {"bin(0388dace60b6a392f328c2b971b2fe79),aes_gcm_dec(128,AAAAAAAAAAAAAAAA,AAAAAAAAAAAAAAAAAAAAAA==,txn.tag),hex", NULL},
    {"bin(00),aes_gcm_dec(256,AAAAAAAAAAAAAAAA,AAAAAAAAAAAAAAAAAAAAAA==,q25H1CzsE731OmeyEle93w==)", NULL},
    {"int(784111777123),ms_utime(%H:%M:%S.%3N)", "08:49:37.123"},
    {"int(784111777123456),us_utime(%S.%6N,1000000)", "38.123456"},
    {"int(-1),ms_utime(%Y %S %N %%N)", "1969 59 999000000 %N"},
    {"int(784111777123),http_date(0,ms)", "Sun, 06 Nov 1994 08:49:37.123 GMT"},
    {"int(10),x509_v_err_str", "X509_V_ERR_CERT_HAS_EXPIRED"},
    {"int(0),x509_v_err_str", "X509_V_OK"},
    {"int(9999),x509_v_err_str", "9999"},
    {"str(\"en-GB,es;q=0.9\"),language(es;en;en-GB)", "en-GB"},
    {"str(\"for=192.0.2.60;proto=http;by=\\\"[2001:db8::17]:80\\\", for=unknown;host=a\"),rfc7239_field(for)", "192.0.2.60"},
    {"str(\"for=192.0.2.60;proto=http;by=\\\"[2001:db8::17]:80\\\", for=unknown;host=a\"),rfc7239_field(by)", "[2001:db8::17]:80"},
    {"str(\"for=192.0.2.60;proto=http;by=\\\"[2001:db8::17]:80\\\", for=unknown;host=a\"),rfc7239_field(host)", "a"},
    {"str(\"for=192.0.2.60;proto=http;by=\\\"[2001:db8::17]:80\\\", for=unknown;host=a\"),rfc7239_field(proto)", "http"},
    {"str(\"for=192.0.2.60;proto=http;by=\\\"[2001:db8::17]:80\\\", for=unknown;host=a\"),rfc7239_is_valid", "1"},
    {"str(\"for=192.0.2.60;proto=http;by=\\\"[2001:db8::17]:80\\\", for=unknown;host=a\"),rfc7239_field(by),rfc7239_n2nn", "2001:db8::17"},
    {"str(\"for=192.0.2.60;proto=http;by=\\\"[2001:db8::17]:80\\\", for=unknown;host=a\"),rfc7239_field(by),rfc7239_n2np", "80"},
    {"str(192.0.2.60),rfc7239_n2np", NULL},
    {"str(_id:_port),rfc7239_n2nn", "_id"},
    {"str(_id:_port),rfc7239_n2np", "_port"},
    {"str(unknown),rfc7239_n2nn", "unknown"},
    {"str(a.b),rfc7239_n2nn", NULL},
    {"str(\"for=2001:db8::17\"),rfc7239_is_valid", "0"},
    {"str(\"for=1.2.3.4;for=1.2.3.5\"),rfc7239_is_valid", "0"},
    {"str(\"for=1.2.3.4,\"),rfc7239_is_valid", "0"},
    {"str(\"for=\\\"1.2.3.4\"),rfc7239_is_valid", "0"},
    {"str(\"for\"),rfc7239_is_valid", "0"},
    {"str(\"\"),rfc7239_is_valid", "0"},
    {"str(\"for=1.2.3.4 x\"),rfc7239_is_valid", "0"},
    {"str(\"for=\\\"1.2.3.4:70000\\\"\"),rfc7239_is_valid", "0"},
    {"str(\"by=[::1]\"),rfc7239_is_valid", "0"},
    {"str(\"for=1.2.3.4,for=1.2.3.5\"),rfc7239_is_valid", "1"},
    {"str(\"For=\\\"_x\\\"; Proto=https\"),rfc7239_is_valid", "1"},
    {"str(\"ext=\\\"a;b,\\\\\\\\\\\"\"),rfc7239_is_valid", "1"},
    {"var(txn.none)", NULL},
    {"var(txn.none,x)", "x"},
};

static void expressions_have_their_values(void **state)
{
	struct rig *g = *state;

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		struct rule_error e = {""};
		const char *rest;
		struct expr x;
		struct text t;
		bool found;

		if (!expr_parse(values[i].expr, &g->memory, &x, &rest, &e) || *rest)
			fail_msg("%s: %s%s", values[i].expr, e.text, rest);
		g->run.scratch.used = 0;
		found = expr_eval_text(&x, &g->run, &t);
		if (found != (values[i].value != NULL))
			fail_msg("%s has %s value", values[i].expr, found ? "a" : "no");
		if (found &&
		    (t.len != strlen(values[i].value) || memcmp(t.at, values[i].value, t.len) != 0))
			fail_msg("%s is \"%.*s\", not \"%s\"", values[i].expr, (int)t.len, t.at,
				 values[i].value);
	}
}

static const struct {
	const char *expr, *error;
} wrong_expressions[] = {
    {"", "a sample fetch is missing"},
    {"nonsense", "unknown sample fetch \"nonsense\""},
    {"src,nonsense", "unknown converter \"nonsense\""},
    {"str", "\"str\" needs 1 argument"},
    {"hdr(a,b)", "argument 2 of \"hdr\" is a number"},
    {"hdr(a,1,2)", "at most 2 arguments"},
    {"hdr(a", "have no end"},
    {"src(x)", "at most 0 arguments"},
    {"src,ipmask(33)", "\"33\" is no mask"},
    {"src,ipmask(255.0.255.0)", "have a hole"},
    {"req.hdr(a),hex2i,lower,odd,lower,b64dec,ipmask(8)", "takes a value of type IPv4"},
    {"str(a),regsub((,b)", "regular expression"},
    {"str(a),regsub([,b)", "regular expression"},
    {"str(a),regsub(a,b,x)", "flags g and i"},
    {"var(user)", "is no variable"},
    {"bin(0g)", "not hexadecimal"},
    {"bin(00),add(1)", "takes a value of type integer"},
    {"src,iif(a,b)", "takes a value of type boolean"},
    {"str(a),hmac(sha1,a!)", "neither base64 nor a variable"},
    {"str(a),hmac(sha1,YQ=)", "neither base64 nor a variable"},
    {"ipv4(1.2.3)", "no address"},
    {"str(a),aes_gcm_dec(64,AA==,AA==,AA==)", "no length of a key"},
    {"str(a),aes_gcm_enc(128,AA==,AA==,AA==)", "no variable for the tag"},
    {"str(a),protobuf(1.0)", "is no field"},
    {"str(a),protobuf(1,string)", "is no type"},
    {"str(a),fix_tag_value(x)", "is no tag"},
    {"str(a),mqtt_field_value(publish,1)", "write connect or connack"},
    {"str(a),mqtt_field_value(connack,username)", "is no field of connack"},
    {"str(a),rfc7239_field(x)", "write for, by"},
    {"int(1),http_date(0,h)", "no unit"},
};

static void wrong_expressions_are_told(void **state)
{
	struct rig *g = *state;

	for (size_t i = 0; i < sizeof(wrong_expressions) / sizeof(*wrong_expressions); i++) {
		struct rule_error e = {""};
		const char *rest;
		struct expr x;

		if (expr_parse(wrong_expressions[i].expr, &g->memory, &x, &rest, &e))
			fail_msg("%s is taken", wrong_expressions[i].expr);
		if (!strstr(e.text, wrong_expressions[i].error))
			fail_msg("%s: %s", wrong_expressions[i].expr, e.text);
	}
}

static void a_response_is_not_seen_before_it_came(void **state)
{
	struct rig *g = *state;
	struct rule_error e;
	const char *rest;
	struct sample s;
	struct expr x;

	assert_true(expr_parse("res.hdr(cache-control)", &g->memory, &x, &rest, &e));
	assert_int_equal(x.needs, EXPR_RESPONSE);
	g->run.response = NULL;
	assert_false(expr_eval(&x, &g->run, NULL, &s));
}

/* ---- Conditions ---- */

static const char *const acl_lines[] = {
    "is_api path_beg /api/",
    "is_static path_end -i .PNG .css",
    "bad_agent hdr_sub(user-agent) -i linux",
    "local src 10.0.0.0/8 192.0.2.0/24",
    "v6 dst 2001:db8::/32",
    "old path_beg /old",
    "old path_dir v1",
    "not_found status 404",
    "big urlp_val(id) gt 40",
    "range urlp_val(id) 1:10 40:50",
    "com hdr_dom(host) -i example.com",
    "numbers path_reg ^/api/v[0-9]+/",
    "has_cookie cook(theme) -m found",
    "via hdr(x-forwarded-for) 10.0.0.2",
    "long path -m len gt 5",
    "bytes str(ab) -m bin 6162",
    "dash str(-i) -- -i",
    NULL,
};

static const struct {
	const char *cond;
	bool value;
} conditions[] = {
    {"if is_api", true},
    {"unless is_api", false},
    {"if !is_api", false},
    {"if ! is_api", false},
    {"if is_static", false},
    {"if bad_agent local", true},
    {"if v6", true},
    {"if old", true}, /* the second of its lines */
    {"if not_found", true},
    {"if big range", true},
    {"if com", true},
    {"if numbers", true},
    {"if has_cookie", true},
    {"if via", true}, /* not the last of several values */
    {"if long bytes dash", true},
    {"if is_static or is_api", true},
    {"if is_static || old local", true},
    {"if is_static old or is_static", false},
    {"if is_api is_static or local", true},
    {"if { path_beg /api } !{ src 127.0.0.1 }", true},
    {"if { hdr(host) -i www.example.com:8080 }", true},
    {"if { hdr(host) www.example.com:8080 }", false},
    {"if METH_GET", true},
    {"if METH_POST or HTTP_1.0", false},
    {"if TRUE !FALSE", true},
    {"if LOCALHOST", false},
    {"if HTTP HTTP_1.1 HTTP_URL_SLASH", true},
    {"if { hdr(none) -m found }", false},
    {"if { req.hdr_cnt(x-forwarded-for) ge 3 }", true},
    {"if { path -m sub v1/us }", true},
    {"if { path -m end USERS }", false},
    {"if { path -m end -i USERS }", true},
    {"if { src,ipmask(16) 192.0.0.0 }", true},
    {"if { always_true }", true},
    {"if { hdr_beg(host) www. }", true},
    {"if { url_sub id=42 }", true},
    {"if { method POST PUT GET }", true},
    {"if { path a b c d e f g h i j /api/v1/users }", true}, /* found by hash */
    {"if { path a b c d e f g h i j k }", false},
    {"if { path -i a b c d e f g h i j /API/V1/users }", true},
};

static void read_acls(struct rig *g)
{
	for (const char *const *line = acl_lines; *line; line++) {
		struct rule_error e = {""};
		const char *word[32];
		char copy[256];
		size_t n, wrong;

		snprintf(copy, sizeof(copy), "%s", *line);
		n = rig_words(copy, word, 32);
		if (!acl_parse(&g->reader, word, n, &wrong, &e))
			fail_msg("acl %s: word %zu: %s", *line, wrong, e.text);
	}
}

/* It would have no end. */
static void an_acl_does_not_ask_for_itself(void **state)
{
	static const char *const last[] = {"old acl(other)", "old acl(!other)", "old acl(old)"};
	struct rig *g = *state;

	read_acls(g);
	for (size_t i = 0; i <= sizeof(last) / sizeof(last[0]); i++) {
		struct rule_error e = {""};
		const char *word[32];
		char copy[256];
		size_t n, wrong;

		snprintf(copy, sizeof(copy), "%s", i ? last[i - 1] : "other acl(is_api,old)");
		n = rig_words(copy, word, 32);
		assert_int_equal(acl_parse(&g->reader, word, n, &wrong, &e), !i);
		assert_true(!i || (wrong == 1 && strstr(e.text, "write another name")));
	}
}

static void conditions_hold_or_not(void **state)
{
	struct rig *g = *state;

	read_acls(g);
	for (size_t i = 0; i < sizeof(conditions) / sizeof(*conditions); i++) {
		struct rule_error e = {""};
		const char *word[32];
		char copy[256];
		struct cond c;
		size_t n, wrong;

		snprintf(copy, sizeof(copy), "%s", conditions[i].cond);
		n = rig_words(copy, word, 32);
		if (!cond_parse(&g->reader, word, n, &c, &wrong, &e))
			fail_msg("%s: word %zu: %s", conditions[i].cond, wrong, e.text);
		if (cond_eval(&c, &g->run) != conditions[i].value)
			fail_msg("\"%s\" is %s", conditions[i].cond,
				 conditions[i].value ? "false" : "true");
		assert_int_equal(g->run.scratch.used, 0);
	}
}

static const struct {
	const char *cond;
	size_t word;
	const char *error;
} wrong_conditions[] = {
    {"when x", 0, "neither if nor unless"},
    {"if", 0, "needs a condition"},
    {"if nothing", 1, "there is no ACL \"nothing\""},
    {"if TRUE or", 2, "needs a condition"},
    {"if or TRUE", 1, "needs a term before it"},
    {"if { path /x", 1, "has no \"}\""},
    {"if { }", 1, "is empty"},
    {"if { src 10.0.0.0/33 }", 3, "no mask"},
    {"if { src host.example }", 3, "no address"},
    {"if { dst_port http }", 3, "neither a number nor a range"},
    {"if { dst_port 10:1 }", 3, "wrong way round"},
    {"if { path -m nonsense x }", 4, "is no match"},
    {"if { var(txn.a) x }", 3, "of any type"},
    {"if { var(txn.a) -i }", 3, "of any type"},
    {"if { path -x y }", 3, "is no flag"},
    {"if { path -f /etc/none }", 4, "no files"},
    {"if { path_reg ( }", 3, "regular expression"},
    {"if { path_nonsense x }", 2, "unknown sample fetch"},
};

static void wrong_conditions_are_told(void **state)
{
	struct rig *g = *state;

	for (size_t i = 0; i < sizeof(wrong_conditions) / sizeof(*wrong_conditions); i++) {
		struct rule_error e = {""};
		const char *word[32];
		char copy[256];
		struct cond c;
		size_t n, wrong = 99;

		snprintf(copy, sizeof(copy), "%s", wrong_conditions[i].cond);
		n = rig_words(copy, word, 32);
		if (cond_parse(&g->reader, word, n, &c, &wrong, &e))
			fail_msg("\"%s\" is taken", wrong_conditions[i].cond);
		if (!strstr(e.text, wrong_conditions[i].error) || wrong != wrong_conditions[i].word)
			fail_msg("\"%s\": word %zu: %s", wrong_conditions[i].cond, wrong, e.text);
	}
}

/* HAProxy takes it. */
static void a_criterion_without_pattern_is_never_true(void **state)
{
	const char *word[] = {"if", "{", "path", "}"};
	struct rule_error e = {""};
	struct rig *g = *state;
	struct cond c;
	size_t wrong;

	assert_true(cond_parse(&g->reader, word, 4, &c, &wrong, &e));
	assert_non_null(strstr(e.text, "has no pattern"));
	assert_false(cond_eval(&c, &g->run));
}

/* ---- Actions ---- */

static const struct {
	const char *rules; /* behind each other, with semicolons */
	enum verdict_kind kind;
	const char *has, *has_not; /* in the message as it leaves; of a redirect: the location */
	enum rules_kind on;
} actions[] = {
    {"set-header X-Real-IP %[src]", VERDICT_GO_ON, "\r\nX-Real-IP: 192.0.2.7\r\n", NULL,
     RULES_REQUEST},
    {"set-header Host new", VERDICT_GO_ON, "\r\nHost: new\r\n", "Example", RULES_REQUEST},
    {"add-header X-Forwarded-For %ci", VERDICT_GO_ON, "X-Forwarded-For: 192.0.2.7\r\n", NULL,
     RULES_REQUEST},
    {"del-header x-forwarded-for", VERDICT_GO_ON, NULL, "orwarded", RULES_REQUEST},
    {"set-header X-A \"100%% of %[src]:%cp\"", VERDICT_GO_ON, "X-A: 100% of 192.0.2.7:40000\r\n",
     NULL, RULES_REQUEST},
    {"replace-header Host ^www\\.(.*)$ \\1", VERDICT_GO_ON, "Host: Example.com:8080\r\n", NULL,
     RULES_REQUEST},
    {"replace-value X-Forwarded-For 10\\.0\\.0\\.2 gone", VERDICT_GO_ON, "10.0.0.1, gone\r\n",
     "10.0.0.2", RULES_REQUEST},
    {"set-path /new%[path]", VERDICT_GO_ON, "GET /new/api/v1/users?id=42&", NULL, RULES_REQUEST},
    {"set-query a=b", VERDICT_GO_ON, "GET /api/v1/users?a=b HTTP", NULL, RULES_REQUEST},
    {"set-query \"\"", VERDICT_GO_ON, "GET /api/v1/users HTTP", NULL, RULES_REQUEST},
    {"set-uri /u?v", VERDICT_GO_ON, "GET /u?v HTTP", NULL, RULES_REQUEST},
    {"set-method POST", VERDICT_GO_ON, "POST /api", NULL, RULES_REQUEST},
    {"replace-path ^/api/(.*) /\\1", VERDICT_GO_ON, "GET /v1/users?id=42", NULL, RULES_REQUEST},
    {"replace-uri .* /x", VERDICT_GO_ON, "GET /x HTTP", NULL, RULES_REQUEST},
    {"set-var(txn.a) path,field(2,/);set-header X-A %[var(txn.a)]", VERDICT_GO_ON, "X-A: api\r\n",
     NULL, RULES_REQUEST},
    {"set-var-fmt(txn.a) %[src]-x;unset-var(txn.a);set-header X-A <%[var(txn.a)]>", VERDICT_GO_ON,
     "X-A: <>\r\n", NULL, RULES_REQUEST},
    {"set-header X-A 1 if { path_beg /none };set-header X-B 2 unless { path_beg /none }",
     VERDICT_GO_ON, "X-B: 2\r\n", "X-A", RULES_REQUEST},
    {"allow if TRUE;set-header X-A 1", VERDICT_ALLOW, NULL, "X-A", RULES_REQUEST},
    {"deny if { src 192.0.2.0/24 }", VERDICT_DENY, NULL, NULL, RULES_REQUEST},
    {"tarpit", VERDICT_TARPIT, NULL, NULL, RULES_REQUEST},
    {"silent-drop", VERDICT_SILENT_DROP, NULL, NULL, RULES_REQUEST},
    {"redirect scheme https code 301 if !{ ssl_fc }", VERDICT_REDIRECT,
     "https://www.Example.com:8080/api/v1/users?id=42&name=J%C3%B6rg+M&empty=", NULL,
     RULES_REQUEST},
    {"redirect prefix https://new drop-query append-slash", VERDICT_REDIRECT,
     "https://new/api/v1/users/", "?", RULES_REQUEST},
    {"redirect location /login?from=%[path,url_enc]", VERDICT_REDIRECT,
     "/login?from=%2Fapi%2Fv1%2Fusers", NULL, RULES_REQUEST},
    {"return status 200 content-type text/plain string ok hdr X-A b", VERDICT_RETURN, NULL, NULL,
     RULES_REQUEST},
    /* what would split a message fails the request */
    {"set-header X-A \"%[str('a\r\nb')]\"", VERDICT_GO_ON, "X-A: a%0D%0Ab\r\n", NULL, RULES_REQUEST},
    {"set-header X-A \"a\nb\"", VERDICT_ERROR, NULL, "X-A", RULES_REQUEST},
    {"set-path \"%[str('a b')]\"", VERDICT_ERROR, NULL, "a b", RULES_REQUEST},
    {"set-method \"%[str('A B')]\"", VERDICT_ERROR, NULL, "A B", RULES_REQUEST},
    {"redirect location \"%[str('a\nb')]\"", VERDICT_REDIRECT, "a%0Ab", NULL, RULES_REQUEST},
    {"redirect location \"a\nb\"", VERDICT_ERROR, NULL, NULL, RULES_REQUEST},
    {"set-header Server hidden;del-header Set-Cookie", VERDICT_GO_ON, "Server: hidden\r\n",
     "Set-Cookie", RULES_RESPONSE},
    {"set-status 503 reason \"Go away\"", VERDICT_GO_ON, "HTTP/1.1 503 Go away\r\n", NULL,
     RULES_RESPONSE},
    {"set-status 200", VERDICT_GO_ON, "HTTP/1.1 200 OK\r\n", NULL, RULES_AFTER_RESPONSE},
    {"replace-value Cache-Control max-age=(.*) max-age=0", VERDICT_GO_ON, "no-cache, max-age=0\r\n",
     "=60", RULES_RESPONSE},
    {"deny if { status 404 }", VERDICT_DENY, NULL, NULL, RULES_RESPONSE},
};

static void add_lines(struct rig *g, struct rules *rules, enum rules_kind kind, const char *lines)
{
	char copy[512], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", lines);
	for (char *line = strtok_r(copy, ";", &save); line; line = strtok_r(NULL, ";", &save)) {
		struct rule_error e = {""};
		const char *word[32];
		size_t n = rig_words(line, word, 32), wrong;

		if (!rules_add(rules, kind, &g->reader, word, n, 1, &wrong, &e))
			fail_msg("%s: word %zu: %s", lines, wrong, e.text);
	}
}

static void actions_act(void **state)
{
	struct rig *g = *state;

	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
		struct verdict v = {.log_level = -1};
		struct rules rules;
		char out[8192] = "";

		rig_request(g, request_head);
		rig_response(g, response_head);
		rules_init(&rules);
		add_lines(g, &rules, actions[i].on, actions[i].rules);
		g->run.scratch.used = 0;
		rules_run(&rules, &g->run, &v);
		if (v.kind != actions[i].kind)
			fail_msg("%s: verdict %d", actions[i].rules, (int)v.kind);
		if (v.kind == VERDICT_REDIRECT)
			snprintf(out, sizeof(out), "%.*s", (int)v.location.len, v.location.at);
		else
			assert_true(
			    http_write(actions[i].on == RULES_REQUEST ? &g->request : &g->response,
				       out, sizeof(out) - 1) > 0);
		if (actions[i].has && !strstr(out, actions[i].has))
			fail_msg("%s: \"%s\" is not in %s", actions[i].rules, actions[i].has, out);
		if (actions[i].has_not && strstr(out, actions[i].has_not))
			fail_msg("%s: \"%s\" is in %s", actions[i].rules, actions[i].has_not, out);
	}
}

static void verdicts_bring_what_they_need(void **state)
{
	struct rig *g = *state;
	struct verdict v = {.log_level = -1};
	struct rules rules;

	rules_init(&rules);
	add_lines(g, &rules, RULES_REQUEST,
		  "set-log-level silent;deny deny_status 429 if METH_GET");
	rules_run(&rules, &g->run, &v);
	assert_int_equal(v.kind, VERDICT_DENY);
	assert_int_equal(v.status, 429);
	assert_int_equal(v.log_level, 8);
	assert_null(v.answer);
	rules_init(&rules);
	add_lines(g, &rules, RULES_REQUEST,
		  "return status 418 content-type text/plain string teapot hdr X-A b hdr X-B c");
	rules_run(&rules, &g->run, &v);
	assert_int_equal(v.answer->status, 418);
	assert_string_equal(v.answer->content_type, "text/plain");
	assert_int_equal(v.answer->n_headers, 2);
	assert_memory_equal(v.answer->content.part->literal.at, "teapot", 6);
	rules_init(&rules);
	add_lines(g, &rules, RULES_REQUEST, "redirect prefix / code 307 set-cookie seen=1");
	rules_run(&rules, &g->run, &v);
	assert_int_equal(v.status, 307);
	assert_memory_equal(v.cookie.at, "seen=1; path=/;", v.cookie.len);
	assert_memory_equal(v.location.at, "/api/v1/users?", 14);
}

static const struct {
	const char *rule;
	size_t word;
	const char *error;
} wrong_rules[] = {
    {"nonsense", 0, "unknown action \"nonsense\""},
    {"set-status 200", 0, "unknown action"}, /* of a response */
    {"set-header", 0, "the name of a header is missing"},
    {"set-header X-A", 1, "the value of the header is missing"},
    {"set-header X:A b", 1, "no name of a header"},
    {"set-header X-A %[nonsense]", 2, "unknown sample fetch"},
    {"set-header X-A %[src", 2, "has no \"]\""},
    {"set-header X-A %nonsense", 2, "no variable of a format"},
    {"set-header X-A %blit", 2, "no variable of a format"},
    {"set-header X-A %[res.hdr(a)]", 2, "there is no response yet"},
    {"set-var(txn.a) status", 1, "there is no response yet"},
    {"set-header X-A b c", 3, "too much here"},
    {"set-header X-A b if", 3, "needs a condition"},
    {"set-header X-A b if nothing", 4, "there is no ACL"},
    {"set-var path", 0, "needs the name of a variable"},
    {"set-var(user) path", 0, "is no variable"},
    {"deny deny_status 1000", 2, "not a status"},
    {"deny deny_status 418", 2, "no page for 418"},
    {"return status 414 default-errorfiles", 3, "no page for 414"},
    {"deny nonsense", 1, "not known here"},
    {"redirect code 302", 2, "needs location, prefix or scheme"},
    {"redirect location /x code 304", 4, "no code of a redirect"},
    {"return string hello", 2, "needs a content-type"},
    {"set-log-level loud", 1, "no level"},
};

static void wrong_rules_are_told(void **state)
{
	struct rig *g = *state;

	for (size_t i = 0; i < sizeof(wrong_rules) / sizeof(*wrong_rules); i++) {
		struct rule_error e = {""};
		struct rules rules;
		const char *word[32];
		char copy[256];
		size_t n, wrong = 99;

		rules_init(&rules);
		snprintf(copy, sizeof(copy), "%s", wrong_rules[i].rule);
		n = rig_words(copy, word, 32);
		if (rules_add(&rules, RULES_REQUEST, &g->reader, word, n, 1, &wrong, &e))
			fail_msg("\"%s\" is taken", wrong_rules[i].rule);
		if (!strstr(e.text, wrong_rules[i].error) || wrong != wrong_rules[i].word)
			fail_msg("\"%s\": word %zu: %s", wrong_rules[i].rule, wrong, e.text);
	}
}

/* ---- Variables ---- */

static void variables_end_with_their_scope(void **state)
{
	struct rig *g = *state;
	struct sample s = sample_text(SAMPLE_STR, "text", 4), got;
	const struct vars_room any = {NULL, 0};
	struct rule_error e;
	int txn = var_number(text_of("txn.a", 5), &g->memory, &e);
	int req = var_number(text_of("req.a", 5), &g->memory, &e);

	assert_int_equal(var_number(text_of("txn.a", 5), &g->memory, &e), txn);
	assert_int_not_equal(txn, req);
	assert_true(vars_set(&g->vars, &any, (unsigned)txn, &s));
	assert_true(vars_set(&g->vars, &any, (unsigned)req, &s));
	vars_end(&g->vars, VAR_REQ);
	assert_false(vars_get(&g->vars, (unsigned)req, &got));
	assert_true(vars_get(&g->vars, (unsigned)txn, &got));
	assert_true(vars_set(&g->vars, &any, (unsigned)txn, &got)); /* from itself */
	assert_true(vars_get(&g->vars, (unsigned)txn, &got));
	assert_memory_equal(got.text.at, "text", 4);
	vars_end(&g->vars, VAR_TXN);
	for (unsigned i = 0; i < VAR_N_SCOPES; i++)
		assert_int_equal(g->vars.bytes[i], 0);
}

static void variables_have_a_bound(void **state)
{
	static char large[VARS_BYTES_USUAL];
	const struct vars_room usual = {NULL, 0};
	const unsigned a = var_of(0, VAR_SESS), b = var_of(1, VAR_TXN);
	struct rig *g = *state;
	struct sample s = sample_text(SAMPLE_STR, large, sizeof(large)), number = sample_int(1), got;

	assert_false(vars_set(&g->vars, &usual, a, &s));
	s.text.len = VARS_BYTES_USUAL - VAR_COST;
	assert_true(vars_set(&g->vars, &usual, a, &s));
	assert_false(vars_set(&g->vars, &usual, b, &number));
	assert_false(vars_get(&g->vars, b, &got));
	assert_true(vars_set(&g->vars, &usual, a, &number)); /* the old one's room is free */
	for (unsigned i = 1; i < VARS_BYTES_USUAL / VAR_COST; i++)
		assert_true(vars_set(&g->vars, &usual, var_of(i, VAR_TXN), &number));
	assert_false(vars_set(&g->vars, &usual, var_of(VARS_NAMES_MAX - 1, VAR_TXN), &number));
}

/* A scope's limit counts those of the scopes within. The figures are HAProxy 2.6's. */
static void limits_count_what_is_within(void **state)
{
	static const unsigned enough[VAR_N_SCOPES] = {
	    [VAR_PROC] = 252, [VAR_SESS] = 252, [VAR_TXN] = 168, [VAR_REQ] = 84, [VAR_RES] = 84,
	};
	struct rig *g = *state;
	struct sample s = sample_text(SAMPLE_STR, "abcd", 4), got;

	for (int scope = VAR_N_SCOPES; scope-- > 0;) { /* each one byte short in turn; none: at first */
		unsigned limit[VAR_N_SCOPES];
		const struct vars_room room = {limit, 0};
		unsigned set = 0;

		memcpy(limit, enough, sizeof(limit));
		limit[scope] -= limit[scope] ? 1 : 0;
		set += vars_set(&g->vars, &room, var_of(0, VAR_SESS), &s);
		set += vars_set(&g->vars, &room, var_of(1, VAR_TXN), &s);
		set += vars_set(&g->vars, &room, var_of(2, VAR_REQ), &s);
		vars_end(&g->vars, VAR_REQ);
		set += vars_set(&g->vars, &room, var_of(3, VAR_RES), &s);
		assert_int_equal(set, scope == VAR_CHECK ? 4 : scope == VAR_REQ || scope == VAR_RES ? 3 : 2);
		assert_int_equal(vars_get(&g->vars, var_of(3, VAR_RES), &got), scope == VAR_CHECK || scope == VAR_REQ);
		vars_clear(&g->vars);
	}
}

/* What all connections have together is counted where it may not be more, and what is refused, always. */
static void all_variables_together_have_a_limit(void **state)
{
	static const unsigned limit[VAR_N_SCOPES] = {[VAR_PROC] = 80 + 3 * 84};
	struct vars_total total = {0};
	struct proc_vars proc = {.lock = PTHREAD_MUTEX_INITIALIZER, .n_names = 1, .bytes = 80, .limit = limit, .total = &total};
	struct vars other = {0};
	struct rig *g = *state;
	struct sample s = sample_text(SAMPLE_STR, "abcd", 4), got;
	struct run r = {.vars = &g->vars, .proc = &proc}, r_other = {.vars = &other, .proc = &proc};

	assert_true(run_var_set(&r, var_of(1, VAR_TXN), &s));
	assert_true(run_var_set(&r_other, var_of(1, VAR_TXN), &s));
	assert_true(run_var_set(&r_other, var_of(2, VAR_CHECK), &s));
	assert_int_equal(total.bytes, 3 * 84);
	assert_false(run_var_set(&r, var_of(0, VAR_PROC), &s));
	assert_false(run_var_set(&r, var_of(3, VAR_SESS), &s));
	assert_int_equal(total.refused, 2);
	vars_clear(&other);
	assert_int_equal(total.bytes, 84);
	assert_true(run_var_set(&r, var_of(0, VAR_PROC), &s));
	assert_int_equal(proc.bytes, 84);
	assert_true(run_var_set(&r, var_of(3, VAR_SESS), &s));
	run_var_unset(&r, var_of(1, VAR_TXN));
	assert_int_equal(total.bytes, 84);
	assert_false(run_var_get(&r, var_of(1, VAR_TXN), &got));
	vars_clear(&g->vars);
	vars_clear(&proc.vars);
	assert_int_equal(total.bytes, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(expressions_have_their_values),
	    T(wrong_expressions_are_told),
	    T(a_response_is_not_seen_before_it_came),
	    T(an_acl_does_not_ask_for_itself),
	    T(conditions_hold_or_not),
	    T(wrong_conditions_are_told),
	    T(a_criterion_without_pattern_is_never_true),
	    T(actions_act),
	    T(verdicts_bring_what_they_need),
	    T(wrong_rules_are_told),
	    T(variables_end_with_their_scope),
	    T(variables_have_a_bound),
	    T(limits_count_what_is_within),
	    T(all_variables_together_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
