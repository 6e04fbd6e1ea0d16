-- The TCP columns computed anew in SQL from jj_packets, for all flows of our captures: by aggregates and window functions where each segment counts
-- for itself, by a loop over the segments of a flow where it depends on those before it. The rules are those of the columns' definitions.
BEGIN;
\ir setup.psql
SELECT pg_temp.load_flows();
SELECT * FROM no_plan();

-- sequence numbers: the difference of two (RFC 1982)
CREATE FUNCTION pg_temp.diff(a bigint, b bigint) RETURNS bigint IMMUTABLE LANGUAGE sql AS $$ SELECT (a - b + 6442450944) % 4294967296 - 2147483648 $$;

CREATE FUNCTION pg_temp.number(b bytea, at int, size int) RETURNS bigint IMMUTABLE LANGUAGE sql AS $$
	SELECT sum(get_byte(b, at + i)::bigint << 8 * (size - 1 - i))::bigint FROM generate_series(0, size - 1) i
$$;

-- options as kind and value, up to the first that is impossible
CREATE FUNCTION pg_temp.options(b bytea) RETURNS TABLE (n int, kind int, value bytea) IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE
	at int := 0;
	size int;
BEGIN
	n := 0;
	WHILE at < length(b) LOOP
		kind := get_byte(b, at);
		EXIT WHEN kind = 0;
		size := 1;
		value := '';
		IF kind <> 1 THEN
			EXIT WHEN at + 1 >= length(b);
			size := get_byte(b, at + 1);
			EXIT WHEN size < 2 OR at + size > length(b);
			value := substr(b, at + 3, size - 2);
		END IF;
		n := n + 1;
		RETURN NEXT;
		at := at + size;
	END LOOP;
END $$;

-- Packets of TCP flows. A later fragment counts behind its first, also if it was captured before it.
CREATE TEMP TABLE packet ON COMMIT DROP AS SELECT c.name AS file, p.* FROM capture c, jj_packets(c.path) p WHERE c.own AND c.error IS NULL AND p.protocol = 6 AND flow IS NOT NULL;
CREATE INDEX ON packet (file, flow);
ANALYZE packet;
CREATE TEMP TABLE segment ON COMMIT DROP AS
	SELECT p.*, direction = -1 AS bwd, row_number() OVER (PARTITION BY file, flow ORDER BY coalesce(f.behind, flow_packet), coalesce(frag_offset, 0) > 0, flow_packet) AS i,
		tcp_flags & 2 > 0 AS syn, tcp_flags & 1 > 0 AS fin, tcp_flags & 4 > 0 AS rst, tcp_flags & 16 > 0 AS ack, length(tcp_options) < tcp_header_len - 20 AS cut, coalesce(f.at, t_ns) AS t
	FROM packet p LEFT JOIN LATERAL (
		SELECT min(flow_packet) AS behind, min(t_ns) AS at FROM packet f WHERE p.frag_offset > 0 AND (f.file, f.flow, f.direction, f.ip_id, f.frag_offset) = (p.file, p.flow, p.direction, p.ip_id, 0)
			AND f.flow_packet > p.flow_packet AND NOT EXISTS (SELECT FROM packet e WHERE (e.file, e.flow, e.direction, e.ip_id, e.frag_offset) = (p.file, p.flow, p.direction, p.ip_id, 0)
				AND e.flow_packet < p.flow_packet)) f ON true;
CREATE TEMP TABLE option ON COMMIT DROP AS SELECT file, flow, i, o.* FROM segment, pg_temp.options(tcp_options) o;
ALTER TABLE segment ADD tsval bigint, ADD tsecr bigint;
UPDATE segment s SET tsval = pg_temp.number(value, 0, 4), tsecr = pg_temp.number(value, 4, 4) FROM (SELECT DISTINCT ON (file, flow, i) * FROM option WHERE kind = 8 AND length(value) = 8 ORDER BY file, flow, i, n) o
	WHERE (s.file, s.flow, s.i) = (o.file, o.flow, o.i);
ALTER TABLE segment ADD PRIMARY KEY (file, flow, i);
ANALYZE segment;

CREATE TEMP TABLE mine (file text, flow bigint, j jsonb) ON COMMIT DROP;

-- ---- each segment for itself

-- what a direction has, with the names of its columns
CREATE TEMP TABLE side ON COMMIT DROP AS
	SELECT file, flow, bwd, count(*) AS n, count(*) FILTER (WHERE ack) AS acks, (array_agg(tcp_seq ORDER BY i) FILTER (WHERE syn AND NOT rst))[1] AS isn,
		(array_agg(tcp_window ORDER BY i) FILTER (WHERE syn AND NOT rst))[1] AS init_win, avg(tcp_window) FILTER (WHERE NOT syn AND NOT rst) AS win_mean,
		min(tcp_window) FILTER (WHERE NOT syn AND NOT rst) AS win_min, max(tcp_window) FILTER (WHERE NOT syn AND NOT rst) AS win_max,
		count(*) FILTER (WHERE tcp_window > before) AS win_up, count(*) FILTER (WHERE tcp_window < before) AS win_down, bool_or(tsval IS NOT NULL) AS ts_present,
		(array_agg(tsval ORDER BY i) FILTER (WHERE tsval IS NOT NULL AND NOT rst))[1] AS ts_first, (array_agg(tsecr ORDER BY i) FILTER (WHERE tsval IS NOT NULL AND ack AND NOT rst))[1] AS ecr_first,
		min(i) FILTER (WHERE syn AND NOT rst) AS first_syn
	FROM (SELECT *, CASE WHEN NOT syn AND NOT rst THEN lag(tcp_window) OVER (PARTITION BY file, flow, bwd, syn OR rst ORDER BY i) END AS before FROM segment WHERE tcp_flags IS NOT NULL) s
	GROUP BY 1, 2, 3;
CREATE TEMP TABLE first_syn ON COMMIT DROP AS
	SELECT s.file, s.flow, s.bwd, g.ack, g.cut, g.tcp_window, g.ttl, (SELECT pg_temp.number(value, 0, 2) FROM option o WHERE (o.file, o.flow, o.i) = (g.file, g.flow, g.i) AND kind = 2 AND length(value) = 2 ORDER BY n LIMIT 1) AS mss,
		(SELECT get_byte(value, 0) FROM option o WHERE (o.file, o.flow, o.i) = (g.file, g.flow, g.i) AND kind = 3 AND length(value) = 1 ORDER BY n LIMIT 1) AS ws,
		EXISTS (SELECT FROM option o WHERE (o.file, o.flow, o.i) = (g.file, g.flow, g.i) AND kind = 4 AND length(value) = 0) AS sack
	FROM side s JOIN segment g ON (g.file, g.flow, g.i) = (s.file, s.flow, s.first_syn);
INSERT INTO mine SELECT file, flow, jsonb_build_object('tcp_isn_' || d, isn, 'tcp_ack_' || d || '_count', acks, 'tcp_init_win_' || d, init_win, 'tcp_win_' || d || '_mean', win_mean, 'tcp_win_' || d || '_min', win_min,
		'tcp_win_' || d || '_max', win_max, 'tcp_win_' || d || '_up_count', win_up, 'tcp_win_' || d || '_down_count', win_down, 'tcp_win_' || d || '_change_count', win_up + win_down,
		'tcp_ts_' || d || '_present', ts_present, 'tcp_ts_' || d || '_first', ts_first, 'tcp_ts_ecr_' || d || '_first', ecr_first, 'tcp_mss_' || d, mss, 'tcp_ws_' || d, ws,
		'tcp_sack_permitted_' || d, CASE WHEN NOT cut OR sack THEN sack END)
	FROM side LEFT JOIN first_syn USING (file, flow, bwd), LATERAL (SELECT CASE WHEN bwd THEN 'bwd' ELSE 'fwd' END AS d) x;

-- the shift in force: both have the option, or one is known to lack it
INSERT INTO mine SELECT file, flow, jsonb_build_object('tcp_win_scale_fwd', f, 'tcp_win_scale_bwd', b, 'tcp_scaled_win_fwd_max', fm << f, 'tcp_scaled_win_bwd_max', bm << b)
	FROM (SELECT file, flow, CASE WHEN fn > 0 THEN CASE WHEN off THEN 0 WHEN f.ws IS NOT NULL AND (b.ws IS NOT NULL OR f.ack) THEN least(14, f.ws) END END AS f,
			CASE WHEN bn > 0 THEN CASE WHEN off THEN 0 WHEN b.ws IS NOT NULL AND (f.ws IS NOT NULL OR b.ack) THEN least(14, b.ws) END END AS b, fm, bm
		FROM (SELECT file, flow, max(win_max) FILTER (WHERE NOT bwd) AS fm, max(win_max) FILTER (WHERE bwd) AS bm, coalesce(sum(n) FILTER (WHERE NOT bwd), 0) AS fn, coalesce(sum(n) FILTER (WHERE bwd), 0) AS bn FROM side GROUP BY 1, 2) s
		LEFT JOIN (SELECT * FROM first_syn WHERE NOT bwd) f USING (file, flow) LEFT JOIN (SELECT * FROM first_syn WHERE bwd) b USING (file, flow),
		LATERAL (SELECT coalesce(f.ws IS NULL AND NOT f.cut, false) OR coalesce(b.ws IS NULL AND NOT b.cut, false) AS off) o) x;

INSERT INTO mine SELECT file, flow, to_jsonb(x) - '{file,flow}'::text[] FROM (
	SELECT file, flow, count(*) FILTER (WHERE tcp_header_len > 20) AS tcp_options_pkt_count FROM segment WHERE tcp_flags IS NOT NULL GROUP BY 1, 2) x;
INSERT INTO mine SELECT file, flow, to_jsonb(x) - '{file,flow}'::text[] FROM (
	SELECT s.file, s.flow, coalesce(sum(length(value) / 8) FILTER (WHERE kind = 5), 0) AS tcp_sack_blocks_total,
		coalesce(bit_or(CASE kind WHEN 1 THEN 0 WHEN 2 THEN 1 WHEN 3 THEN 2 WHEN 4 THEN 4 WHEN 8 THEN 8 WHEN 5 THEN 16 WHEN 30 THEN 32 WHEN 34 THEN 64 WHEN 19 THEN 128 WHEN 29 THEN 256 WHEN 28 THEN 512 WHEN 253 THEN 1024
			WHEN 254 THEN 1024 ELSE 2048 END) FILTER (WHERE kind IS NOT NULL), 0) AS tcp_options_bitmap,
		count(DISTINCT s.i) FILTER (WHERE kind = 30 AND length(value) > 0) AS mptcp_option_count, coalesce(bool_or(kind = 30 AND length(value) > 0), false) AS mptcp_detected
	FROM segment s LEFT JOIN option USING (file, flow, i) WHERE tcp_flags IS NOT NULL GROUP BY 1, 2) x;
INSERT INTO mine SELECT file, flow, jsonb_build_object('mptcp_capable_' || CASE WHEN bwd THEN 'bwd' ELSE 'fwd' END,
		coalesce(bool_or(syn AND kind = 30 AND length(value) > 0 AND CASE WHEN kind = 30 AND length(value) > 0 THEN get_byte(value, 0) >> 4 END = 0), false))
	FROM segment LEFT JOIN option USING (file, flow, i) WHERE tcp_flags IS NOT NULL GROUP BY file, flow, bwd;

-- SACK blocks of a segment, all of its options
CREATE TEMP TABLE block ON COMMIT DROP AS
	SELECT file, flow, i, row_number() OVER (PARTITION BY file, flow, i ORDER BY n, b) AS b, pg_temp.number(value, b * 8, 4) AS low, pg_temp.number(value, b * 8 + 4, 4) AS high
	FROM option, generate_series(0, length(value) / 8 - 1) b WHERE kind = 5;
INSERT INTO mine SELECT s.file, s.flow, jsonb_build_object('tcp_dsack_count', count(*) FILTER (WHERE pg_temp.diff(a.high, tcp_ack) <= 0 OR (pg_temp.diff(a.low, b.low) >= 0 AND pg_temp.diff(a.high, b.high) <= 0)))
	FROM segment s LEFT JOIN block a ON (a.file, a.flow, a.i, a.b) = (s.file, s.flow, s.i, 1) LEFT JOIN block b ON (b.file, b.flow, b.i, b.b) = (s.file, s.flow, s.i, 2) WHERE tcp_flags IS NOT NULL GROUP BY 1, 2;

-- what the first SYN of the initiator and the first SYN-ACK of the responder say
INSERT INTO mine SELECT DISTINCT ON (file, flow, bwd) file, flow, jsonb_build_object('tcp_fp_' || d || '_window', tcp_window, 'tcp_fp_' || d || '_ttl', ttl, 'tcp_fp_' || d || '_mss', mss, 'tcp_fp_' || d || '_ws', ws)
	FROM segment s, LATERAL (SELECT CASE WHEN bwd THEN 'bwd' ELSE 'fwd' END AS d, (SELECT pg_temp.number(value, 0, 2) FROM pg_temp.options(tcp_options) WHERE kind = 2 AND length(value) = 2 ORDER BY n LIMIT 1) AS mss,
		(SELECT get_byte(value, 0) FROM pg_temp.options(tcp_options) WHERE kind = 3 AND length(value) = 1 ORDER BY n LIMIT 1) AS ws) x
	WHERE syn AND NOT rst AND ack = bwd ORDER BY file, flow, bwd, i;

-- ---- handshakes

CREATE TEMP TABLE shake ON COMMIT DROP AS
	SELECT f.*, (SELECT count(*) FROM segment s WHERE (s.file, s.flow) = (f.file, f.flow) AND syn AND NOT rst AND NOT ack AND s.i < first_synack) AS syns_before,
		(SELECT count(*) FROM segment s WHERE (s.file, s.flow) = (f.file, f.flow) AND syn AND NOT rst AND ack AND s.i < done) AS synacks_before
	FROM (SELECT file, flow, min(i) FILTER (WHERE syn AND NOT rst AND ack) AS first_synack, done FROM (
			SELECT *, min(i) FILTER (WHERE ack AND NOT syn AND NOT rst AND i > syn1) OVER (PARTITION BY file, flow) AS done
			FROM (SELECT *, min(i) FILTER (WHERE syn AND NOT ack AND NOT rst) OVER (PARTITION BY file, flow) AS syn1 FROM segment WHERE tcp_flags IS NOT NULL) a) b
		GROUP BY 1, 2, done) f;
INSERT INTO mine SELECT s.file, s.flow, jsonb_build_object('tcp_rtt_handshake', CASE WHEN a.bwd = y.bwd THEN (a.t - y.t) / 1e9 END,
		'tcp_rtt_handshake_client', CASE WHEN a.bwd = y.bwd AND synacks_before = 1 THEN (a.t - z.t) / 1e9 END,
		'tcp_rtt_handshake_server', CASE WHEN syns_before = 1 AND x.bwd <> q.bwd THEN (q.t - x.t) / 1e9 END,
		'tcp_ecn_negotiated', CASE WHEN x.i IS NOT NULL THEN x.tcp_flags & 192 = 192 AND q.tcp_flags & 192 = 64 END)
	FROM shake s LEFT JOIN segment a ON (a.file, a.flow, a.i) = (s.file, s.flow, s.done) LEFT JOIN segment q ON (q.file, q.flow, q.i) = (s.file, s.flow, s.first_synack)
	LEFT JOIN LATERAL (SELECT * FROM segment y WHERE (y.file, y.flow) = (s.file, s.flow) AND y.syn AND NOT y.ack AND NOT y.rst AND y.i < s.done ORDER BY i DESC LIMIT 1) y ON true
	LEFT JOIN LATERAL (SELECT * FROM segment x WHERE (x.file, x.flow) = (s.file, s.flow) AND x.syn AND NOT x.ack AND NOT x.rst AND x.i < s.first_synack ORDER BY i DESC LIMIT 1) x ON true
	LEFT JOIN LATERAL (SELECT * FROM segment z WHERE (z.file, z.flow) = (s.file, s.flow) AND z.syn AND z.ack AND NOT z.rst AND z.i < s.done ORDER BY i DESC LIMIT 1) z ON true;

-- ---- segments in their order

CREATE TYPE pg_temp.waiting AS (side int, low bigint, high bigint, t bigint, void boolean);

CREATE FUNCTION pg_temp.analyse(of_file text, of_flow bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	r segment;
	s int;								-- the sender's side, 1 or 2
	o int;								-- the other
	nxt bigint[] := '{NULL,NULL}';
	nxt_t bigint[] := '{NULL,NULL}';
	base bigint[] := '{NULL,NULL}';		-- ISN, or what it must have been
	is_isn boolean[] := '{f,f}';
	win bigint[] := '{NULL,NULL}';
	ackno bigint[] := '{NULL,NULL}';
	last_t bigint[] := '{NULL,NULL}';
	dups int[] := '{0,0}';
	keep boolean[] := '{f,f}';
	hiack bigint[] := '{NULL,NULL}';
	ts_sent bigint[] := '{NULL,NULL}';
	ts_new bigint[] := '{NULL,NULL}';
	ts_n int[] := '{0,0}';
	ts_diff bigint[] := '{0,0}';
	cover int8multirange[] := '{"{}","{}"}';	-- positions since base, which is 2^40
	frag_id bigint[] := '{NULL,NULL}';
	frag_start bigint[] := '{NULL,NULL}';
	frag_seq bigint[] := '{NULL,NULL}';
	retrans int[] := '{0,0}';
	ooo int[] := '{0,0}';
	gaps int[] := '{0,0}';
	dup_acks int[] := '{0,0}';
	zero int[] := '{0,0}';
	seen int[] := '{0,0}';
	fast int := 0;
	spurious int := 0;
	keeps int := 0;
	consuming int := 0;
	sent pg_temp.waiting[] := '{}';
	stamps pg_temp.waiting[] := '{}';
	w pg_temp.waiting;
	ack_rtt bigint[] := '{}';
	ts_rtt bigint[] := '{}';
	ts_prev bigint[] := '{NULL,NULL}';
	jitter bigint[] := '{}';
	syn_t bigint;
	irtt bigint;
	established boolean := false;
	n bigint;
	ahead bigint;
	ends bigint;
	consumes boolean;
	control boolean;
	probe boolean;
	is_keep boolean;
	is_dup boolean;
	old boolean;
	kind text;
	at int;
	pos bigint;
BEGIN
	FOR r IN SELECT * FROM segment WHERE (file, flow) = (of_file, of_flow) ORDER BY i LOOP
		s := CASE WHEN r.bwd THEN 2 ELSE 1 END;
		o := 3 - s;
		n := r.payload_len;
		IF r.tcp_flags IS NULL THEN
			-- a later fragment continues the segment before it
			CONTINUE WHEN r.frag_offset IS NULL OR r.frag_offset = 0 OR frag_id[s] IS DISTINCT FROM r.ip_id;
			ends := (frag_start[s] + r.frag_offset + n) % 4294967296;
			pos := 1099511627776 + pg_temp.diff((frag_start[s] + r.frag_offset) % 4294967296, base[s]);
			IF n > 0 THEN
				cover[s] := cover[s] + int8multirange(int8range(pos, pos + n));
			END IF;
			IF pg_temp.diff(ends, nxt[s]) > 0 THEN
				nxt[s] := ends;
				nxt_t[s] := r.t;
			END IF;
			FOR at IN REVERSE cardinality(sent) .. 1 LOOP
				w := sent[at];
				CONTINUE WHEN w.side <> s;
				IF w.low = frag_seq[s] THEN
					w.high := ends;
					w.t := r.t;
					sent[at] := w;
				END IF;
				EXIT;
			END LOOP;
			CONTINUE;
		END IF;
		seen[s] := seen[s] + 1;
		control := r.syn OR r.fin OR r.rst;
		consumes := NOT r.rst AND (n > 0 OR r.syn OR r.fin);
		ends := (r.tcp_seq + n + CASE WHEN r.syn OR r.fin THEN 1 ELSE 0 END) % 4294967296;
		IF NOT r.rst THEN
			is_isn[s] := is_isn[s] OR r.syn;
			IF base[s] IS NULL THEN
				base[s] := CASE WHEN r.syn THEN r.tcp_seq ELSE (r.tcp_seq + 4294967295) % 4294967296 END;
			ELSIF r.syn AND r.tcp_seq <> base[s] AND NOT (r.ack AND established) THEN
				RETURN NULL;			-- begins anew: not looked at here
			ELSIF r.ack AND NOT r.syn THEN
				established := true;
			END IF;
		END IF;
		ahead := coalesce(pg_temp.diff(r.tcp_seq, nxt[s]), 0);
		probe := n = 1 AND nxt[s] IS NOT NULL AND ahead = 0 AND win[o] IS NOT DISTINCT FROM 0 AND NOT r.rst;
		is_keep := NOT probe AND n <= 1 AND ahead = -1 AND NOT control;
		is_dup := NOT probe AND n = 0 AND nxt[s] IS NOT NULL AND ahead = 0 AND r.ack AND NOT control AND r.tcp_ack IS NOT DISTINCT FROM ackno[s]
			AND r.tcp_window IS NOT DISTINCT FROM win[s] AND r.tcp_window <> 0 AND NOT keep[o];
		IF is_dup THEN
			dups[s] := dups[s] + 1;
			dup_acks[s] := dup_acks[s] + 1;
		ELSIF r.ack AND r.tcp_ack IS DISTINCT FROM ackno[s] THEN
			dups[s] := 0;
		END IF;
		zero[s] := zero[s] + (NOT probe AND r.tcp_window = 0 AND NOT control)::int;
		gaps[s] := gaps[s] + (NOT probe AND ahead > 0 AND NOT r.rst)::int;
		keeps := keeps + is_keep::int;
		consuming := consuming + consumes::int;
		kind := NULL;
		IF consumes AND NOT is_keep THEN
			old := ahead < 0 AND NOT (n > 1 AND ahead = -1);
			IF n > 0 AND ackno[o] IS NOT NULL AND pg_temp.diff((r.tcp_seq + n) % 4294967296, ackno[o]) <= 0 THEN
				kind := 'spurious';
			ELSIF old AND dups[o] >= 2 AND ackno[o] = r.tcp_seq AND r.t - last_t[o] < 20e6 THEN
				kind := 'fast';
			ELSIF old AND r.t - nxt_t[s] < coalesce(irtt, 3e6) AND ends <> nxt[s] THEN
				kind := 'ooo';
			ELSIF old THEN
				kind := 'old';
			END IF;
		END IF;
		spurious := spurious + (kind = 'spurious' AND kind IS NOT NULL)::int;
		fast := fast + (kind = 'fast' AND kind IS NOT NULL)::int;
		ooo[s] := ooo[s] + (kind = 'ooo' AND kind IS NOT NULL)::int;
		retrans[s] := retrans[s] + (kind <> 'ooo' AND kind IS NOT NULL)::int;

		IF n > 0 AND NOT r.rst AND NOT is_keep THEN
			pos := 1099511627776 + pg_temp.diff((r.tcp_seq + r.syn::int) % 4294967296, base[s]);
			cover[s] := cover[s] + int8multirange(int8range(pos, pos + n));
		END IF;

		-- segments timed until their acknowledgement
		IF consumes THEN
			IF nxt[s] IS NULL OR ahead >= 0 THEN
				IF NOT probe AND (SELECT count(*) FROM unnest(sent) u WHERE u.side = s) < 64 THEN
					w := (s, r.tcp_seq, ends, r.t, false);
					sent := sent || w;
				END IF;
			ELSE
				FOR at IN 1 .. cardinality(sent) LOOP
					w := sent[at];
					IF w.side = s AND pg_temp.diff(r.tcp_seq, w.high) < 0 AND pg_temp.diff(ends, w.low) > 0 THEN
						w.void := true;
						sent[at] := w;
					END IF;
				END LOOP;
			END IF;
		END IF;
		IF r.ack THEN
			SELECT ack_rtt || coalesce(array_agg(r.t - u.t) FILTER (WHERE u.high = r.tcp_ack AND NOT u.void AND r.t > u.t), '{}') INTO ack_rtt
				FROM unnest(sent) u WHERE u.side = o;
			SELECT coalesce(array_agg(u::pg_temp.waiting ORDER BY k), '{}') INTO sent FROM unnest(sent) WITH ORDINALITY u(side, low, high, t, void, k),
				LATERAL (SELECT (u.side, u.low, u.high, u.t, u.void)::pg_temp.waiting) v(u) WHERE NOT (side = o AND pg_temp.diff(high, r.tcp_ack) <= 0);
		END IF;

		-- timestamps until their echo
		IF NOT r.rst THEN
			IF r.ack THEN
				old := hiack[s] IS NULL OR pg_temp.diff(r.tcp_ack, hiack[s]) > 0;
				IF r.tsecr IS NOT NULL THEN
					SELECT min(k) INTO at FROM unnest(stamps) WITH ORDINALITY u(side, low, high, t, void, k) WHERE side = o AND low = r.tsecr;
					IF at IS NOT NULL THEN
						w := stamps[at];
						IF old AND NOT w.void AND r.t > w.t THEN
							ts_rtt := ts_rtt || (r.t - w.t);
							IF ts_prev[o] IS NOT NULL THEN
								jitter := jitter || abs(r.t - w.t - ts_prev[o]);
							END IF;
							ts_prev[o] := r.t - w.t;
						END IF;
						SELECT coalesce(array_agg(v.u ORDER BY k), '{}') INTO stamps FROM unnest(stamps) WITH ORDINALITY u(side, low, high, t, void, k),
							LATERAL (SELECT (u.side, u.low, u.high, u.t, u.void)::pg_temp.waiting) v(u) WHERE NOT (side = o AND k <= at);
					END IF;
				END IF;
				IF old THEN
					hiack[s] := r.tcp_ack;
				END IF;
			END IF;
			IF r.tsval IS NOT NULL THEN
				IF consumes AND NOT is_keep THEN
					IF ts_sent[s] IS NULL OR pg_temp.diff(r.tsval, ts_sent[s]) > 0 THEN
						ts_sent[s] := r.tsval;
						IF (SELECT count(*) FROM unnest(stamps) u WHERE u.side = s) < 64 THEN
							w := (s, r.tsval, 0, r.t, false);
							stamps := stamps || w;
						END IF;
					ELSIF nxt[s] IS NOT NULL AND ahead < 0 THEN
						FOR at IN 1 .. cardinality(stamps) LOOP
							w := stamps[at];
							IF w.side = s AND w.low = r.tsval THEN
								w.void := true;
								stamps[at] := w;
							END IF;
						END LOOP;
					END IF;
				END IF;
				ts_n[s] := ts_n[s] + 1;
				IF ts_n[s] = 1 THEN
					ts_new[s] := r.tsval;
				ELSIF pg_temp.diff(r.tsval, ts_new[s]) > 0 THEN
					ts_diff[s] := ts_diff[s] + pg_temp.diff(r.tsval, ts_new[s]);
					ts_new[s] := r.tsval;
				END IF;
			END IF;
		END IF;

		IF NOT r.rst AND NOT probe AND (nxt[s] IS NULL OR pg_temp.diff(ends, nxt[s]) > 0) THEN
			nxt[s] := ends;
			nxt_t[s] := r.t;
		END IF;
		win[s] := r.tcp_window;
		IF r.ack THEN
			ackno[s] := r.tcp_ack;
		END IF;
		last_t[s] := r.t;
		keep[s] := is_keep;
		IF r.syn AND NOT r.rst AND NOT r.ack THEN
			syn_t := r.t;
		ELSIF NOT (r.syn AND NOT r.rst) AND r.ack AND irtt IS NULL AND r.t > syn_t THEN
			irtt := r.t - syn_t;
		END IF;
		frag_id[s] := CASE WHEN r.fragment AND NOT r.rst THEN r.ip_id END;
		frag_start[s] := (r.tcp_seq + r.syn::int - r.tcp_header_len + 4294967296) % 4294967296;
		frag_seq[s] := r.tcp_seq;
	END LOOP;
	RETURN (SELECT jsonb_object_agg(name, value) FROM (
			SELECT replace(x.name, '*', CASE d WHEN 1 THEN 'fwd' ELSE 'bwd' END) AS name, x.value FROM generate_series(1, 2) d,
				LATERAL (VALUES ('tcp_seq_*_retrans', to_jsonb(retrans[d])), ('tcp_seq_*_ooo', to_jsonb(ooo[d])), ('tcp_seq_*_gaps', to_jsonb(gaps[d])), ('tcp_ack_*_dup', to_jsonb(dup_acks[d])),
					('tcp_win_*_zero_count', to_jsonb(zero[d])), ('tcp_ts_*_last', to_jsonb(ts_new[d])), ('tcp_ts_*_diff', CASE WHEN ts_n[d] > 1 THEN to_jsonb(ts_diff[d]) END),
					('tcp_seq_*_bytes_sent', to_jsonb((SELECT coalesce(sum(upper(u) - lower(u)), 0) FROM unnest(cover[d] - CASE WHEN is_isn[d] THEN '{(,1099511627777)}'::int8multirange ELSE '{}' END) u)))) x(name, value) WHERE seen[d] > 0
			UNION ALL SELECT * FROM (VALUES ('tcp_total_retrans', to_jsonb(retrans[1] + retrans[2])), ('tcp_total_ooo', to_jsonb(ooo[1] + ooo[2])), ('tcp_total_dup_acks', to_jsonb(dup_acks[1] + dup_acks[2])),
				('tcp_retrans_ratio', to_jsonb((retrans[1] + retrans[2])::numeric / nullif(consuming, 0))), ('tcp_fast_retrans', to_jsonb(fast)), ('tcp_spurious_retrans', to_jsonb(spurious)),
				('tcp_keep_alive_count', to_jsonb(keeps)), ('tcp_zero_win_ratio', to_jsonb((zero[1] + zero[2])::numeric / (seen[1] + seen[2]))), ('tcp_rtt_ack_samples', to_jsonb(cardinality(ack_rtt))),
				('tcp_rtt_ack_min', (SELECT to_jsonb(min(u) / 1e9) FROM unnest(ack_rtt) u)), ('tcp_rtt_ack_max', (SELECT to_jsonb(max(u) / 1e9) FROM unnest(ack_rtt) u)),
				('tcp_rtt_ack_mean', (SELECT to_jsonb(avg(u) / 1e9) FROM unnest(ack_rtt) u)), ('tcp_rtt_samples', CASE WHEN ts_n[1] > 0 AND ts_n[2] > 0 THEN to_jsonb(cardinality(ts_rtt)) END),
				('tcp_rtt_min', (SELECT to_jsonb(min(u) / 1e9) FROM unnest(ts_rtt) u)), ('tcp_rtt_max', (SELECT to_jsonb(max(u) / 1e9) FROM unnest(ts_rtt) u)),
				('tcp_rtt_mean', (SELECT to_jsonb(avg(u) / 1e9) FROM unnest(ts_rtt) u)),
				('tcp_rtt_std', CASE WHEN cardinality(ts_rtt) > 1 THEN (SELECT to_jsonb(stddev_pop(u::float8) / 1e9) FROM unnest(ts_rtt) u) END),
				('tcp_rtt_jitter_avg', (SELECT to_jsonb(avg(u) / 1e9) FROM unnest(jitter) u))) y(name, value)) z);
END $$;
INSERT INTO mine SELECT file, flow, j FROM (SELECT file, flow, pg_temp.analyse(file, flow) AS j FROM segment WHERE tcp_flags IS NOT NULL GROUP BY 1, 2) x WHERE j IS NOT NULL;

-- ---- the comparison

CREATE TEMP TABLE compared ON COMMIT DROP AS
	WITH theirs AS MATERIALIZED (SELECT file, (f).first_frame AS flow, to_jsonb(f) AS j FROM flow)
	SELECT m.file, m.flow, e.k AS col, e.v AS here, t.j -> e.k AS there FROM mine m JOIN theirs t USING (file, flow), jsonb_each(m.j) e(k, v);
SELECT is_empty(format($$ SELECT col, file, flow, here, there FROM compared WHERE col IN (SELECT name FROM jj_features WHERE group_name = %L) AND NOT pg_temp.same(here, there) $$, name),
	name || ': as SQL computes it from the segments') FROM unnest(ARRAY['tcp_sequence', 'tcp_window', 'tcp_options', 'tcp_mptcp', 'tcp_rtt', 'tcp_fingerprint']) name;
SELECT is_empty('SELECT col FROM compared WHERE col NOT IN (SELECT name FROM jj_features)', 'nothing was computed that is no column');
SELECT set_eq($$ SELECT name FROM jj_features WHERE group_name IN ('tcp_sequence', 'tcp_window', 'tcp_options', 'tcp_mptcp', 'tcp_rtt', 'tcp_fingerprint') AND name NOT IN (SELECT col FROM compared) $$,
	ARRAY['mptcp_stat', 'is_mptcp', 'tcp_uptime_fwd', 'tcp_uptime_bwd', 'tcp_fp_fwd', 'tcp_fp_bwd', 'tcp_os_hint_fwd', 'tcp_os_hint_bwd'], 'all columns of these groups but fingerprints and what sums up others');
SELECT is_empty($$ SELECT col FROM compared GROUP BY 1 HAVING count(*) FILTER (WHERE here NOT IN ('null', '0', 'false')) = 0 $$, 'each has values other than nothing');
SELECT cmp_ok((SELECT count(*) FROM compared WHERE here <> 'null'), '>', 10000::bigint, 'values compared');
SELECT * FROM finish();
ROLLBACK;
