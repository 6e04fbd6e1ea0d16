-- group fingerprint on messages of our own making: what is found, with which evidence, and what near misses are not taken for
\set captures `echo "${PG_ABS_SRCDIR:-$PWD/test}/captures"`
\set link 'ln -sfn "' :captures '" jj_captures'
CREATE TEMP TABLE shell (line text);
COPY shell FROM PROGRAM :'link';
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS joyfuljay;
CREATE TEMP TABLE f AS
SELECT capture, src_port, dst_port, protocol, first_frame, app_protocol, app_confidence, app_evidence, likely_tor, tor_confidence, likely_vpn, vpn_confidence,
	vpn_type, likely_doh, doh_confidence, traffic_type, fully_encrypted
FROM jj_extract(ARRAY['jj_captures/vpn.pcap', 'jj_captures/messages_udp.pcap', 'jj_captures/messages_tcp.pcap', 'jj_captures/tls_names.pcap',
	'jj_captures/ipsec.pcap', 'jj_captures/icmp.pcap']);

SELECT coalesce(src_port::text, 'ip ' || protocol) AS flow, app_protocol AS app, app_confidence AS app_c, app_evidence AS evidence, vpn_type,
	round(vpn_confidence::numeric, 6) AS vpn_c, traffic_type AS traffic
FROM f WHERE capture = 'vpn.pcap' ORDER BY first_frame;
SELECT src_port, dst_port, app_protocol AS app, app_confidence AS app_c, app_evidence AS evidence, traffic_type AS traffic
FROM f WHERE capture = 'messages_udp.pcap' ORDER BY first_frame;
SELECT src_port, dst_port, app_protocol AS app, app_confidence AS app_c, app_evidence AS evidence, traffic_type AS traffic, fully_encrypted AS opaque
FROM f WHERE capture = 'messages_tcp.pcap' ORDER BY first_frame;
SELECT src_port, dst_port, app_protocol AS app, app_evidence AS evidence, round(tor_confidence::numeric, 6) AS tor, round(vpn_confidence::numeric, 6) AS vpn,
	round(doh_confidence::numeric, 6) AS doh, traffic_type AS traffic
FROM f WHERE capture = 'tls_names.pcap' ORDER BY first_frame;
SELECT capture, first_frame AS frame, protocol AS proto, app_protocol AS app, app_evidence AS evidence, vpn_type, traffic_type AS traffic
FROM f WHERE capture IN ('ipsec.pcap', 'icmp.pcap') ORDER BY capture COLLATE "C", first_frame;
-- what holds for every flow
SELECT count(*) FILTER (WHERE likely_tor <> (tor_confidence >= 0.5) OR likely_vpn <> (vpn_confidence >= 0.5) OR likely_doh <> (doh_confidence >= 0.5)) AS unlikely,
	count(*) FILTER (WHERE (app_protocol IS NULL) <> (app_confidence IS NULL)) AS unnamed,
	count(*) FILTER (WHERE (vpn_type IS NULL) <> (vpn_confidence = 0)) AS untyped
FROM f;
