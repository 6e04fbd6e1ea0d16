-- What must hold for the columns of application protocols, whatever the capture.
BEGIN;
\ir setup.psql
SELECT pg_temp.load_flows();
SELECT * FROM no_plan();

CREATE TEMP TABLE r ON COMMIT DROP AS SELECT file, ord, (f).* FROM flow;
ANALYZE r;

-- Rows for which a condition holds although one of the columns whose names match is not NULL.
CREATE FUNCTION pg_temp.filled(condition text, names text, without text DEFAULT '') RETURNS TABLE (file text, ord bigint) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT file, ord FROM r WHERE (%s) AND num_nonnulls(%s) > 0', condition, (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
		WHERE attrelid = 'jj_flow'::regclass AND attnum > 0 AND NOT attisdropped AND attname ~ names AND attname <> without));
END $$;
CREATE FUNCTION pg_temp.short_hash(t text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT left(encode(sha256(convert_to(t, 'UTF8')), 'hex'), 12) $$;
CREATE FUNCTION pg_temp.plain(a int[]) RETURNS int[] IMMUTABLE LANGUAGE sql AS $$ SELECT array_remove(a, 2570) $$;
CREATE FUNCTION pg_temp.hex(a int[]) RETURNS text IMMUTABLE LANGUAGE sql AS $$
	SELECT coalesce(string_agg(lpad(to_hex(v), 4, '0'), ',' ORDER BY n), '') FROM unnest(a) WITH ORDINALITY u(v, n)
$$;
CREATE FUNCTION pg_temp.sorted(a int[]) RETURNS int[] IMMUTABLE LANGUAGE sql AS $$ SELECT coalesce(array_agg(v ORDER BY v), '{}') FROM unnest(a) v $$;

-- ---- nothing of a protocol that is not there, and one protocol at a time

SELECT is_empty($$ SELECT * FROM pg_temp.filled('tls_detected IS NOT TRUE', '^(tls_|ja[34])', 'tls_detected') $$, 'without TLS its columns are NULL');
SELECT is_empty($$ SELECT * FROM pg_temp.filled('quic_detected IS NOT TRUE', '^quic_', 'quic_detected') $$, 'without QUIC its columns are NULL');
SELECT is_empty($$ SELECT * FROM pg_temp.filled('ssh_detected IS NOT TRUE', '^ssh_', 'ssh_detected') $$, 'without SSH its columns are NULL');
SELECT is_empty($$ SELECT * FROM pg_temp.filled('dns_detected IS NOT TRUE', '^dns_', 'dns_detected') $$, 'without DNS its columns are NULL');
SELECT is_empty($$ SELECT file, ord FROM r WHERE protocol NOT IN (6, 17) AND (tls_detected OR dns_detected) OR protocol <> 17 AND quic_detected OR protocol <> 6 AND ssh_detected $$,
	'each over its transport');
SELECT is_empty($$ SELECT file, ord FROM r WHERE (ssh_detected IS TRUE)::int + (dns_detected IS TRUE)::int + (quic_detected IS TRUE)::int
	+ (tls_detected IS TRUE AND tls_transport <> 'quic')::int > 1 $$, 'a flow is one of SSH, DNS, QUIC and TLS');
SELECT is_empty($$ SELECT file, ord FROM r WHERE payload_bytes_total = 0 AND (tls_detected OR quic_detected OR ssh_detected OR dns_detected) $$, 'without payload nothing is found');

-- ---- tls

SELECT is_empty($$ SELECT file, ord FROM r WHERE num_nulls(tls_version, tls_version_str, tls_cipher_suite, ja3s_hash) NOT IN (0, 4) $$, 'columns of the ServerHello: all or none');
SELECT is_empty($$ SELECT file, ord FROM r WHERE num_nulls(ja3_hash, ja3_raw, ja4, ja4_raw, tls_cipher_count, tls_extension_count, tls_client_ciphers, tls_client_extensions,
	tls_session_ticket_ext, tls_psk_ext, tls_early_data_ext, tls_ech) NOT IN (0, 12) $$, 'columns of the ClientHello: all or none');
SELECT is_empty($$ SELECT * FROM pg_temp.filled('ja3_hash IS NULL', '^tls_(sni|alpn|client_|session_id)') $$, 'and none beside them');
SELECT is_empty($$ SELECT * FROM pg_temp.filled('tls_version IS NULL', '^tls_(key_|server_alpn|session_resumed)') $$,
	'without a ServerHello nothing is chosen');
SELECT is_empty($$ SELECT file, ord FROM r WHERE tls_version IS NOT NULL AND tls_hello_retry IS NULL $$, 'with one it is known whether there was a HelloRetryRequest');
SELECT is_empty($$ SELECT file, ord FROM r WHERE ja3_hash <> md5(ja3_raw) OR ja3s_hash !~ '^[0-9a-f]{32}$' $$, 'ja3_hash is the MD5 of ja3_raw');
SELECT is_empty($$ SELECT file, ord, ja3_raw FROM r WHERE cardinality(tls_client_ciphers) < 1024 AND array_length(string_to_array(ja3_raw, ','), 1) IS DISTINCT FROM 5
	OR split_part(ja3_raw, ',', 2) <> array_to_string(pg_temp.plain(tls_client_ciphers), '-') OR split_part(ja3_raw, ',', 3) <> array_to_string(pg_temp.plain(tls_client_extensions), '-')
	OR split_part(ja3_raw, ',', 4) <> coalesce(array_to_string(pg_temp.plain(tls_client_groups), '-'), '') $$, 'ja3_raw has the lists of the ClientHello');
SELECT is_empty($$ SELECT file, ord, ja4, ja4_raw FROM r WHERE split_part(ja4, '_', 1) <> split_part(ja4_raw, '_', 1)
	OR split_part(ja4, '_', 2) <> CASE WHEN split_part(ja4_raw, '_', 2) = '' THEN repeat('0', 12) ELSE pg_temp.short_hash(split_part(ja4_raw, '_', 2)) END
	OR split_part(ja4, '_', 3) <> CASE WHEN split_part(ja4_raw, '_', 3) = '' THEN repeat('0', 12)
		ELSE pg_temp.short_hash(substr(ja4_raw, length(split_part(ja4_raw, '_', 1) || split_part(ja4_raw, '_', 2)) + 3)) END $$, 'the hashes of ja4 are those of ja4_raw');
SELECT is_empty($$ SELECT file, ord, ja4_raw FROM r WHERE substr(ja4_raw, 11) <> '_' || pg_temp.hex(pg_temp.sorted(pg_temp.plain(tls_client_ciphers))) || '_'
		|| pg_temp.hex(pg_temp.sorted(array_remove(array_remove(pg_temp.plain(tls_client_extensions), 0), 16)))
		|| CASE WHEN cardinality(pg_temp.plain(tls_client_sig_algs)) > 0 THEN '_' || pg_temp.hex(pg_temp.plain(tls_client_sig_algs)) ELSE '' END $$,
	'ja4_raw has the lists of the ClientHello');
SELECT is_empty($$ SELECT file, ord, ja4 FROM r WHERE left(ja4, 1) <> CASE tls_transport WHEN 'quic' THEN 'q' WHEN 'dtls' THEN 'd' ELSE 't' END
	OR substr(ja4, 4, 1) <> CASE WHEN 0 = ANY (tls_client_extensions) THEN 'd' ELSE 'i' END OR substr(ja4, 5, 2)::int <> least(tls_cipher_count, 99)
	OR substr(ja4, 7, 2)::int <> least(tls_extension_count, 99)
	OR tls_alpn ~ '^[A-Za-z0-9]([ -~]*[A-Za-z0-9])?$' AND substr(ja4, 9, 2) <> left(tls_alpn, 1) || right(tls_alpn, 1)
	OR tls_alpn IS NULL AND substr(ja4, 9, 2) <> '00' $$, 'the first part of ja4 tells of the ClientHello');
SELECT is_empty($$ SELECT file, ord FROM r WHERE tls_cipher_count <> cardinality(pg_temp.plain(tls_client_ciphers)) AND cardinality(tls_client_ciphers) < 1024
	OR tls_extension_count <> cardinality(pg_temp.plain(tls_client_extensions)) $$, 'counts are those of the lists without GREASE');
SELECT is_empty($$ SELECT file, ord FROM r WHERE tls_session_ticket_ext <> (35 = ANY (tls_client_extensions)) OR tls_psk_ext <> (41 = ANY (tls_client_extensions))
	OR tls_early_data_ext <> (42 = ANY (tls_client_extensions)) OR tls_ech <> (tls_client_extensions && ARRAY[65037, 65486])
	OR tls_sni IS NOT NULL AND NOT 0 = ANY (tls_client_extensions) OR tls_client_alpn IS NOT NULL AND NOT 16 = ANY (tls_client_extensions)
	OR tls_client_groups IS NOT NULL AND NOT 10 = ANY (tls_client_extensions) OR tls_client_sig_algs IS NOT NULL AND NOT 13 = ANY (tls_client_extensions) $$,
	'what an extension says needs the extension');
SELECT is_empty($$ SELECT file, ord FROM r WHERE tls_alpn IS DISTINCT FROM tls_client_alpn[1] OR tls_sni <> lower(tls_sni) COLLATE "C" OR tls_sni LIKE '%.' AND tls_sni NOT LIKE '%..'
	OR tls_server_alpn IS NOT NULL AND (tls_version = 772 OR tls_server_alpn <> ALL (tls_client_alpn)) $$, 'names of protocols and servers');
SELECT is_empty($$ SELECT file, ord FROM r WHERE num_nulls(tls_cert_count, tls_cert_total_length, tls_cert_chain_length) NOT IN (0, 3) OR tls_cert_chain_length <> tls_cert_count
	OR (tls_cert_first_length IS NULL) <> (coalesce(tls_cert_count, 0) = 0) OR (tls_cert_sha256 IS NULL) <> (tls_cert_first_length IS NULL)
	OR tls_cert_first_length > tls_cert_total_length OR tls_cert_count = 1 AND tls_cert_first_length <> tls_cert_total_length OR octet_length(tls_cert_sha256) <> 32 $$, 'certificates: counts and lengths');
SELECT is_empty($$ SELECT * FROM pg_temp.filled('tls_cert_sha256 IS NULL', '^tls_cert_(issuer|subject|san|not|self|key)') $$, 'what a certificate says needs one');
SELECT is_empty($$ SELECT file, ord FROM r WHERE tls_cert_count IS NOT NULL AND (tls_version = 772 OR tls_transport = 'quic' OR tls_session_resumed) $$,
	'none is seen in TLS 1.3, in QUIC and where a session is taken up again');
SELECT is_empty($$ SELECT file, ord FROM r WHERE (tls_key_exchange_group_name IS NULL) <> (tls_key_exchange_length IS NULL) OR tls_key_exchange_group IS NOT NULL AND tls_key_exchange_group_name IS NULL
	OR tls_key_exchange_group IS NULL AND tls_key_exchange_group_name IS NOT NULL AND tls_key_exchange_group_name <> 'dhe'
	OR tls_key_exchange_length <> CASE tls_key_exchange_group_name WHEN 'x25519' THEN 256 WHEN 'secp256r1' THEN 520 WHEN 'secp384r1' THEN 776 WHEN 'x448' THEN 448 ELSE tls_key_exchange_length END $$,
	'group, its name and length');
SELECT is_empty($$ SELECT file, ord FROM r WHERE (tls_detected IS TRUE) <> (tls_transport IS NOT NULL) OR tls_transport NOT IN ('tcp', 'starttls', 'dtls', 'quic')
	OR (protocol = 6) <> (tls_transport IN ('tcp', 'starttls')) OR tls_transport = 'quic' AND NOT quic_detected $$, 'the transport');
SELECT is_empty($$ SELECT file, ord FROM r WHERE cardinality(tls_record_lengths) NOT BETWEEN 1 AND 50 OR tls_transport = 'quic' AND tls_record_lengths IS NOT NULL
	OR EXISTS (SELECT FROM unnest(tls_record_lengths) l WHERE abs(l) > 18432) OR tls_alert NOT BETWEEN 0 AND 255 OR tls_session_id_len NOT BETWEEN 0 AND 32
	OR tls_handshake_packets > total_packets OR tls_alert IS NOT NULL AND tls_transport = 'quic' $$, 'records, alerts and session ids are within bounds');
SELECT is_empty($$ SELECT file, ord, tls_version, tls_version_str FROM r WHERE tls_version_str <> CASE tls_version WHEN 768 THEN 'SSL 3.0' WHEN 769 THEN 'TLS 1.0' WHEN 770 THEN 'TLS 1.1'
		WHEN 771 THEN 'TLS 1.2' WHEN 772 THEN 'TLS 1.3' WHEN 65279 THEN 'DTLS 1.0' WHEN 65277 THEN 'DTLS 1.2' WHEN 65276 THEN 'DTLS 1.3' ELSE tls_version_str END $$, 'names of versions');

-- ---- quic

SELECT is_empty($$ SELECT file, ord FROM r WHERE quic_detected AND num_nulls(quic_initial_packets, quic_0rtt_detected, quic_retry_detected) > 0
	OR (quic_version IS NULL) <> (quic_version_str IS NULL) OR quic_dcid_len IS DISTINCT FROM octet_length(quic_dcid) OR quic_scid_len IS DISTINCT FROM octet_length(quic_scid)
	OR quic_dcid_len > 20 OR quic_scid_len > 20 OR quic_pn_length NOT BETWEEN 1 AND 4 OR quic_token_length < 0 OR quic_initial_packets < 0 $$, 'QUIC headers');
SELECT is_empty($$ SELECT file, ord FROM r WHERE quic_version_str <> CASE quic_version WHEN 1 THEN 'QUIC v1' WHEN 1798521807 THEN 'QUIC v2' ELSE quic_version_str END
	OR quic_version BETWEEN 4278190080 AND 4278190335 AND quic_version_str <> 'QUIC draft-' || quic_version - 4278190080 $$, 'names of QUIC versions');
SELECT is_empty($$ SELECT file, ord FROM r WHERE tls_transport = 'quic' AND (quic_alpn IS DISTINCT FROM tls_alpn OR quic_sni IS DISTINCT FROM tls_sni)
	OR tls_transport IS DISTINCT FROM 'quic' AND (quic_alpn IS NOT NULL OR quic_transport_params IS NOT NULL) OR jsonb_typeof(quic_transport_params) <> 'object' $$,
	'quic agrees with tls on the ClientHello');
SELECT is_empty($$ SELECT file, ord FROM r WHERE quic_pn_length IS NULL AND quic_alpn IS NOT NULL OR quic_pn_length IS NOT NULL AND quic_version_str NOT LIKE 'gQUIC%' AND quic_initial_packets < 1 $$,
	'what is read from Initials needs one');

-- ---- http2

SELECT is_empty($$ SELECT file, ord FROM r WHERE num_nulls(http2_frame_count, http2_data_frames, http2_headers_frames, http2_settings_frames, http2_push_promise_frames, http2_goaway_frames,
	http2_window_update_frames, http2_streams_estimate, http2_server_push, http2_multiplexed) NOT IN (0, 10) $$, 'frames are all counted or none');
SELECT is_empty($$ SELECT file, ord FROM r WHERE http2_frame_count IS NOT NULL AND http2_detected IS NOT TRUE OR http2_preface_seen AND NOT http2_detected
	OR http2_data_frames + http2_headers_frames + http2_settings_frames + http2_push_promise_frames + http2_goaway_frames + http2_window_update_frames > http2_frame_count
	OR http2_streams_estimate > http2_data_frames + http2_headers_frames + http2_push_promise_frames OR http2_server_push AND http2_push_promise_frames = 0
	OR http2_multiplexed AND http2_streams_estimate < 2 $$, 'counts of frames and streams');
SELECT is_empty($$ SELECT file, ord FROM r WHERE http3_detected AND NOT (quic_detected AND EXISTS (SELECT FROM unnest(tls_client_alpn) a WHERE a ~ '^h3(-|$)'))
	OR http3_detected AND http_version <> 'h3' OR http2_detected AND http_version <> 'h2' OR http_version = 'h3' AND NOT http3_detected OR http_version = 'h2' AND NOT http2_detected
	OR http_version NOT IN ('h3', 'h2', 'http/1.1', 'http/1.0', 'http/0.9') $$, 'the version of HTTP');
SELECT is_empty($$ SELECT file, ord FROM r WHERE http_status NOT BETWEEN 100 AND 999 OR length(http_method) > 32 OR http_host <> lower(http_host) COLLATE "C" OR length(http_user_agent) > 4096
	OR (http_method IS NOT NULL OR http_status IS NOT NULL) AND http_version IS NULL OR protocol <> 6 AND num_nonnulls(http_method, http_host, http_status, http_user_agent) > 0 $$,
	'requests and responses');

-- ---- ssh

SELECT is_empty($$ SELECT file, ord FROM r WHERE ssh_detected AND num_nonnulls(ssh_client_version, ssh_server_version) = 0 OR ssh_version IS NULL AND (ssh_client_version ~ '^\d{1,9}\.\d{1,9}$' OR ssh_server_version ~ '^\d{1,9}\.\d{1,9}$')
	OR (ssh_client_version IS NULL) <> (ssh_client_software IS NULL) OR (ssh_server_version IS NULL) <> (ssh_server_software IS NULL) OR ssh_version !~ '^\d+\.\d+$'
	OR length(ssh_client_software) > 4 * 246 $$, 'SSH identification');
SELECT is_empty($$ SELECT file, ord FROM r WHERE ssh_hassh IS DISTINCT FROM md5(ssh_client_kexinit[1] || ';' || ssh_client_kexinit[3] || ';' || ssh_client_kexinit[5] || ';' || ssh_client_kexinit[7])
	OR ssh_hassh_server IS DISTINCT FROM md5(ssh_server_kexinit[1] || ';' || ssh_server_kexinit[4] || ';' || ssh_server_kexinit[6] || ';' || ssh_server_kexinit[8])
	OR cardinality(ssh_client_kexinit) <> 10 OR cardinality(ssh_server_kexinit) <> 10 $$, 'HASSH is the MD5 of four lists');
SELECT is_empty($$ SELECT file, ord FROM r WHERE (ssh_negotiated IS NULL) <> (ssh_client_kexinit IS NULL OR ssh_server_kexinit IS NULL) OR cardinality(ssh_negotiated) <> 8 $$,
	'the negotiated algorithms need both lists');
SELECT is_empty($$ SELECT file, ord, i FROM r, generate_series(3, 8) i WHERE ssh_negotiated IS NOT NULL AND ssh_negotiated[i] IS DISTINCT FROM 'implicit' AND ssh_negotiated[i] IS DISTINCT FROM
	(SELECT a FROM unnest(string_to_array(ssh_client_kexinit[i], ',')) WITH ORDINALITY u(a, n) WHERE a = ANY (string_to_array(ssh_server_kexinit[i], ',')) ORDER BY n LIMIT 1) $$,
	'each is the first of the client''s that the server has');
SELECT is_empty($$ SELECT file, ord, i FROM r, generate_series(1, 2) i WHERE ssh_negotiated[i] IS NOT NULL AND (ssh_negotiated[i] <> ALL (string_to_array(ssh_client_kexinit[i], ','))
	OR ssh_negotiated[i] <> ALL (string_to_array(ssh_server_kexinit[i], ','))) $$, 'key exchange and host key are in both lists');
SELECT is_empty($$ SELECT file, ord FROM r WHERE octet_length(ssh_host_key_sha256) <> 32 OR ssh_encrypted_packets > packets_with_payload OR ssh_kex_packets < 0
	OR ssh_encrypted_packets IS NOT NULL AND ssh_kex_packets < 1 $$, 'SSH packets');

-- ---- dns

SELECT is_empty($$ SELECT file, ord FROM r WHERE dns_detected AND (num_nulls(dns_is_query, dns_is_response, dns_query_count, dns_response_count) > 0
	OR dns_is_query <> (dns_query_count > 0) OR dns_is_response <> (dns_response_count > 0) OR dns_query_count + dns_response_count < 1
	OR NOT ARRAY[src_port, dst_port] && ARRAY[53, 5353, 5355]) $$, 'DNS messages');
SELECT is_empty($$ SELECT file, ord FROM r WHERE num_nulls(dns_response_code, dns_response_code_str, dns_answer_count, dns_authority_count, dns_truncated) NOT IN (0, 5)
	OR num_nulls(dns_query_name, dns_query_type, dns_query_type_str) NOT IN (0, 3) OR dns_response_code IS NOT NULL AND dns_response_count = 0
	OR dns_response_code IS NULL AND num_nonnulls(dns_additional_count, dns_min_ttl, dns_max_ttl, dns_recursion_available, dns_response_time) > 0 $$, 'columns of a response need one');
SELECT is_empty($$ SELECT file, ord FROM r WHERE (dns_min_ttl IS NULL) <> (dns_max_ttl IS NULL) OR dns_min_ttl > dns_max_ttl OR dns_min_ttl < 0 OR dns_answer_count = 0 AND dns_min_ttl IS NOT NULL
	OR dns_response_time < 0 OR dns_response_time > duration OR dns_response_time IS NOT NULL AND (dns_query_count = 0 OR dns_response_count = 0) $$, 'times');
SELECT is_empty($$ SELECT file, ord FROM r WHERE dns_query_name IS NOT NULL AND dns_query_name IS DISTINCT FROM dns_query_names[1] OR cardinality(dns_query_names) NOT BETWEEN 1 AND 100
	OR cardinality(dns_answers) NOT BETWEEN 1 AND 100 OR cardinality(dns_svcb) NOT BETWEEN 1 AND 20 OR dns_answers IS NOT NULL AND dns_response_count = 0
	OR cardinality(dns_query_names) <> (SELECT count(DISTINCT n COLLATE "C") FROM unnest(dns_query_names) n) OR cardinality(dns_answers) <> (SELECT count(DISTINCT a) FROM unnest(dns_answers) a) $$,
	'lists of names and addresses');
SELECT is_empty($$ SELECT file, ord FROM r WHERE dns_query_type_str <> CASE dns_query_type WHEN 1 THEN 'A' WHEN 28 THEN 'AAAA' WHEN 16 THEN 'TXT' WHEN 12 THEN 'PTR' WHEN 65 THEN 'HTTPS' ELSE dns_query_type_str END
	OR dns_response_code_str <> CASE dns_response_code WHEN 0 THEN 'NOERROR' WHEN 3 THEN 'NXDOMAIN' WHEN 5 THEN 'REFUSED' ELSE dns_response_code_str END
	OR ARRAY[src_port, dst_port] && ARRAY[5355] AND num_nonnulls(dns_recursion_desired, dns_recursion_available) > 0 $$, 'names of types and codes');

-- ---- fingerprint

CREATE TEMP TABLE evidence (n serial, code text, w float8, kind text, type text) ON COMMIT DROP;
INSERT INTO evidence (code, w, kind, type) VALUES ('tor.cert', 0.95, 'tor', NULL), ('tor.sni', 0.5, 'tor', NULL), ('tor.cells', 0.4, 'tor', NULL), ('tor.port', 0.2, 'tor', NULL),
	('wg.handshake', 0.99, 'vpn', 'wireguard'), ('wg.data', 0.9, 'vpn', 'wireguard'), ('wg.init', 0.7, 'vpn', 'wireguard'), ('openvpn.reset', 0.95, 'vpn', 'openvpn'),
	('openvpn.session', 0.85, 'vpn', 'openvpn'), ('openvpn.oneway', 0.6, 'vpn', 'openvpn'), ('ike', 0.95, 'vpn', 'ipsec-ike'), ('esp', 0.9, 'vpn', 'ipsec-esp'),
	('ah', 0.9, 'vpn', 'ipsec-ah'), ('natt', 0.9, 'vpn', 'ipsec-natt'), ('l2tp', 0.9, 'vpn', 'l2tp'), ('pptp', 0.95, 'vpn', 'pptp'), ('gre.pptp', 0.8, 'vpn', 'pptp'),
	('tailscale', 0.95, 'vpn', 'tailscale'), ('tinc', 0.8, 'vpn', 'tinc'), ('softether', 0.9, 'vpn', 'softether'), ('provider.name', 0.5, 'vpn', 'provider'),
	('provider.cert', 0.5, 'vpn', 'provider'), ('doh.alpn', 0.95, 'doh', NULL), ('doh.sni', 0.9, 'doh', NULL), ('dot.port', 0.85, 'doh', NULL), ('doh.cert', 0.7, 'doh', NULL),
	('doh.addr', 0.6, 'doh', NULL);
CREATE TEMP TABLE fired ON COMMIT DROP AS SELECT file, ord, e.* FROM r, unnest(app_evidence) c JOIN evidence e ON code = c;
CREATE FUNCTION pg_temp.together(file text, ord bigint, kind text) RETURNS float8 LANGUAGE sql AS $$
	SELECT coalesce(1 - exp(sum(ln(1 - w))), 0) FROM fired WHERE fired.file = together.file AND fired.ord = together.ord AND fired.kind = together.kind
$$;
SELECT is_empty($$ SELECT file, ord, tor_confidence, vpn_confidence, doh_confidence, app_evidence FROM r WHERE abs(tor_confidence - pg_temp.together(file, ord, 'tor')) > 1e-12
	OR abs(vpn_confidence - pg_temp.together(file, ord, 'vpn')) > 1e-12 OR abs(doh_confidence - pg_temp.together(file, ord, 'doh')) > 1e-12 $$, 'confidence follows from the evidence');
SELECT is_empty($$ SELECT file, ord FROM r WHERE likely_tor IS DISTINCT FROM (tor_confidence >= 0.5) OR likely_vpn IS DISTINCT FROM (vpn_confidence >= 0.5)
	OR likely_doh IS DISTINCT FROM (doh_confidence >= 0.5) $$, 'likely is a confidence of one half or more');
SELECT is_empty($$ SELECT file, ord, vpn_type FROM r WHERE vpn_type IS DISTINCT FROM
	(SELECT type FROM fired WHERE fired.file = r.file AND fired.ord = r.ord AND kind = 'vpn' ORDER BY w DESC, n LIMIT 1) $$, 'the type of VPN is that of the heaviest evidence');
SELECT is_empty($$ SELECT file, ord FROM r WHERE cardinality(app_evidence) = 0 OR cardinality(app_evidence) <> (SELECT count(DISTINCT c) FROM unnest(app_evidence) c)
	OR app_evidence IS NULL AND num_nonnulls(app_protocol, vpn_type) > 0 OR (app_protocol IS NULL) <> (app_confidence IS NULL)
	OR app_confidence NOT IN (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.2) OR (app_confidence = 0.2) IS DISTINCT FROM (app_evidence[1] = 'port') AND app_protocol IS NOT NULL $$,
	'evidence, application protocol and its confidence');
SELECT is_empty($$ SELECT file, ord, app_protocol FROM r WHERE app_protocol IS NOT NULL AND app_protocol !~ CASE WHEN quic_detected AND app_confidence > 0.2 THEN '^quic' WHEN tls_transport = 'dtls' THEN '^dtls'
	WHEN tls_transport IN ('tcp', 'starttls') THEN '^tls' WHEN ssh_detected THEN '^ssh$' WHEN http2_frame_count IS NOT NULL THEN '^http2$' WHEN dns_detected THEN '^(m?dns|llmnr)$' ELSE '' END $$,
	'the application protocol is the one that was found');
SELECT is_empty($$ SELECT file, ord, app_protocol FROM r WHERE app_protocol ~ '\.tor$' AND NOT likely_tor OR app_protocol ~ '\.(doh|dot|doq)$' AND NOT likely_doh
	OR app_protocol ~ '\.vpn$' AND NOT likely_vpn OR likely_tor AND app_protocol <> 'tls.tor' $$, 'and its second part what is likely');
SELECT is_empty($$ SELECT file, ord, traffic_type FROM r WHERE (likely_tor IS TRUE) <> (traffic_type IS NOT DISTINCT FROM 'tor')
	OR likely_vpn AND NOT likely_tor AND traffic_type IS DISTINCT FROM 'vpn:' || vpn_type OR likely_doh AND NOT likely_tor AND NOT likely_vpn AND traffic_type NOT IN ('doh', 'dot', 'doq')
	OR traffic_type IN ('doh', 'dot', 'doq') AND NOT likely_doh OR traffic_type = 'opaque' AND fully_encrypted IS NOT TRUE
	OR (tls_detected OR quic_detected) AND traffic_type IN ('cleartext', 'opaque') OR traffic_type = 'cleartext' AND NOT app_confidence >= 0.5 $$, 'the type of traffic');
SELECT is_empty($$ SELECT file, ord FROM r WHERE protocol <> 6 AND fully_encrypted IS NOT NULL OR fully_encrypted AND entropy_initiator IS NULL $$, 'only TCP payload is called fully encrypted');

-- ---- all of this has something to tell

SELECT cmp_ok(count(*) FILTER (WHERE ja3_hash IS NOT NULL), '>=', 100::bigint, 'ClientHellos') FROM r;
SELECT cmp_ok(count(*) FILTER (WHERE tls_cert_sha256 IS NOT NULL), '>=', 40::bigint, 'certificates') FROM r;
SELECT cmp_ok(count(*) FILTER (WHERE quic_alpn IS NOT NULL), '>=', 15::bigint, 'QUIC connections') FROM r;
SELECT cmp_ok(count(*) FILTER (WHERE ssh_negotiated IS NOT NULL), '>=', 15::bigint, 'SSH connections') FROM r;
SELECT cmp_ok(count(*) FILTER (WHERE http_method IS NOT NULL), '>=', 20::bigint, 'HTTP requests') FROM r;
SELECT cmp_ok(count(*) FILTER (WHERE http2_frame_count IS NOT NULL), '>=', 10::bigint, 'HTTP/2 connections in the clear') FROM r;
SELECT cmp_ok(count(*) FILTER (WHERE dns_response_time IS NOT NULL), '>=', 40::bigint, 'DNS transactions') FROM r;
SELECT * FROM finish();
ROLLBACK;
