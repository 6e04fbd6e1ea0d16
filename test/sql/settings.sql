-- settings: defaults of the options
-- a link in the data directory leads to the captures, so that no message names a folder of this machine
\set captures `echo "${PG_ABS_SRCDIR:-$PWD/test}/captures"`
\set link 'ln -sfn "' :captures '" jj_captures'
CREATE TEMP TABLE shell (line text);
COPY shell FROM PROGRAM :'link';
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS joyfuljay;
RESET client_min_messages;

SELECT name, value, default_value, range, unit FROM jj_settings;
SELECT count(*) FROM jj_settings WHERE meaning IS NULL OR setting <> 'joyfuljay.' || name OR value <> default_value;
SELECT name, vartype, context FROM pg_settings WHERE name LIKE 'joyfuljay.%' ORDER BY 1;

-- a setting is the default of its option, which overrides it
SELECT count(*) FROM jj_extract('jj_captures/idle.pcap');
SET joyfuljay.flow_timeout = '1s';
SELECT count(*) FROM jj_extract('jj_captures/idle.pcap');
SELECT count(*) FROM jj_extract('jj_captures/idle.pcap', options => '{"flow_timeout": 60}');
SELECT name, value, default_value FROM jj_settings WHERE value <> default_value;
SET joyfuljay.flow_timeout = 'infinity';
SELECT count(*) FROM jj_extract('jj_captures/idle.pcap');
RESET joyfuljay.flow_timeout;
SET joyfuljay.flow_end = 'timeout';
SET joyfuljay.active_timeout = 5;
SET joyfuljay.max_concurrent_flows = 2;
SET joyfuljay.flow_eviction_strategy = 'oldest';
SET joyfuljay.tunnels = 'outer';
SET joyfuljay.vlan_in_key = off;
SET joyfuljay.defragment = off;
SET joyfuljay.burst_threshold_ms = '1s';
SET joyfuljay.max_sequence_length = 3;
SET joyfuljay.max_samples_per_flow = 100;
SET joyfuljay.entropy_sample_bytes = 1000;
SET joyfuljay.stream_bytes = 0;
SET joyfuljay.sampling_rate = 0.5;
SET joyfuljay.sampling_seed = '12345678901234567890';
SET joyfuljay.continue = on;
SET joyfuljay.features = 'flow_meta, size, JJ-CORE';
SELECT name, value FROM jj_settings WHERE value <> default_value;
SELECT count(*) > 0 AS some, max(cardinality(pkt_len_sequence)) AS sequence, count(mac_dst) AS mac, bool_or(end_reason = 'evicted') AS evicted FROM jj_extract('jj_captures/many_udp.pcap');
RESET ALL;
SELECT count(*) FROM jj_settings WHERE value <> default_value;

-- refused
SET joyfuljay.flow_timeout = '-1s';
SET joyfuljay.flow_timeout = 'soon';
SET joyfuljay.active_timeout = '1e300';
SET joyfuljay.flow_end = 'fin';
SET joyfuljay.max_concurrent_flows = -1;
SET joyfuljay.flow_eviction_strategy = 'random';
SET joyfuljay.tunnels = 'both';
SET joyfuljay.vlan_in_key = 'maybe';
-- the server's own words, which differ between versions
\set VERBOSITY sqlstate
SET joyfuljay.burst_threshold_ms = 0;
SET joyfuljay.burst_threshold_ms = '2h';
\set VERBOSITY default
SET joyfuljay.max_sequence_length = 65536;
SET joyfuljay.max_samples_per_flow = 1;
SET joyfuljay.entropy_sample_bytes = 0;
SET joyfuljay.stream_bytes = 16777217;
SET joyfuljay.sampling_rate = 1.5;
SET joyfuljay.sampling_rate = 0;
SET joyfuljay.sampling_seed = 'x';
SET joyfuljay.sampling_seed = '99999999999999999999';
SET joyfuljay.features = 'timing, timings';
SET joyfuljay.features = '';

-- for a role, a function, a transaction
CREATE FUNCTION pg_temp.quick() RETURNS bigint LANGUAGE sql SET joyfuljay.flow_timeout = '1s' AS $$ SELECT count(*) FROM jj_extract('jj_captures/idle.pcap') $$;
SELECT pg_temp.quick();
BEGIN;
SET LOCAL joyfuljay.flow_timeout = '1s';
ROLLBACK;
SELECT count(*) FROM jj_extract('jj_captures/idle.pcap');

COPY shell FROM PROGRAM 'rm jj_captures';
