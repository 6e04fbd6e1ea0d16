/*
 * What the parsers of the other groups found, for group fingerprint.
 */
#include "extractors/dns.h"
#include "extractors/fingerprint.h"
#include "extractors/http.h"
#include "extractors/quic.h"
#include "extractors/ssh.h"
#include "extractors/tls.h"
#include "extractors/tls_cert.h"

#include <string.h>

static void
gather_tls(jj_fp_facts *x, const jj_app *app)
{
	jj_tls_view v;
	jj_cert_list list;

	jj_tls_read(app, &v);
	if (v.transport == JJ_TLS_NONE)
		return;
	x->tls = v.transport == JJ_TLS_TCP || v.transport == JJ_TLS_STARTTLS;
	x->starttls = v.transport == JJ_TLS_STARTTLS;
	x->dtls = v.transport == JJ_TLS_DTLS;
	x->client = v.ch;
	x->server = v.sh;
	if (v.ch != NULL && !jj_hello_sni(v.ch, &x->sni, &x->sni_size))
		x->sni = NULL;
	x->cell_records = v.cell_records;
	x->cells_fit = v.cells_fit;
	if (v.certs != NULL && jj_cert_list_parse(&list, v.certs, v.certs_size))
	{
		x->certificates = list.count;
		x->certificate = list.leaf;
		x->certificate_size = list.leaf_size;
	}
}

static void
gather_quic(jj_fp_facts *x, const jj_app *app)
{
	const jj_quic *q = jj_app_parser(app, JJ_P_QUIC);

	if (!jj_quic_detected(q))
		return;
	x->quic = true;
	x->opened = q->side[0].number_len != 0 || q->side[1].number_len != 0;
	if (x->client == NULL)
		x->sni = jj_quic_google_sni(q, jj_quic_client(q), &x->sni_size);
}

static void
gather_http(jj_fp_facts *x, const jj_app *app)
{
	static const char softether[] = "/vpnsvc/";
	jj_http_view v;

	jj_http_read(jj_app_parser(app, JJ_P_HTTP), &v);
	x->http2 = v.h2;
	x->http_request = v.request != NULL;
	x->http_response = v.response != NULL;
	if (v.request == NULL)
		return;
	x->host = jj_http1_host(v.request, &x->host_size);
	x->softether = v.request->method_bytes == 4 && memcmp(v.request->method, "POST", 4) == 0
		&& v.request->target_bytes >= sizeof(softether) - 1 && memcmp(v.request->target, softether, sizeof(softether) - 1) == 0;
}

void
jj_fp_gather(jj_fp_facts *facts, const jj_flow *f, const jj_app *app)
{
	unsigned	lines;

	if (!jj_app_opened(app))
		return;
	lines = jj_ssh_lines(f, app);
	gather_tls(facts, app);
	gather_quic(facts, app);
	facts->ssh = lines > 0;
	facts->ssh_both = lines == 2;
	facts->ssh_newkeys = jj_ssh_encrypted(f, app);
	gather_http(facts, app);
	facts->dns = jj_dns_detected(app);
}
