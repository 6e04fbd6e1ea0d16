# From captures to a confusion matrix.
#
#     python pcap_to_confusion_matrix.py FOLDER
#
# FOLDER is one that the PostgreSQL server can read; without captures in it, two days of a small office network
# with attacks are made there (two_days.py). The connection is that of the environment (PGHOST, PGDATABASE ...), by a role
# that may read files of the server. The cells ("# %%") can be run one by one in an editor or as a notebook (jupytext).
# Packages: psycopg, pandas, scikit-learn (test/recipes/requirements.txt).
#
# expect: accuracy on the second day: 0\.9[0-9]

# %% The captures
import glob
import os
import subprocess
import sys

folder = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "two_days")
if not glob.glob(os.path.join(folder, "*.pcap*")):
    here = os.path.dirname(os.path.abspath(globals().get("__file__", "x")))
    subprocess.run([sys.executable, os.path.join(here, "two_days.py"), folder], check=True)

# %% Flows: a table with the columns of four groups, filled once from each capture
import pandas as pd
import psycopg

connection = psycopg.connect(autocommit=True)
connection.execute("CREATE EXTENSION IF NOT EXISTS joyfuljay")
connection.execute("DROP TABLE IF EXISTS study_flows, study_attacks, study_prediction")
connection.execute("SELECT jj_create_table('study_flows', ARRAY['flow_meta', 'timing', 'size', 'tcp'])")
connection.execute("ALTER TABLE study_flows ADD COLUMN label text")
connection.execute("CALL jj_ingest(%s::text, 'study_flows')", [os.path.join(folder, "*.pcap")])


def show(title, query, *arguments):
    cursor = connection.execute(query, arguments)
    frame = pd.DataFrame(cursor.fetchall(), columns=[c.name for c in cursor.description])
    print(f"\n{title}\n{frame.to_string(index=False)}")
    return frame


show("flows of each capture", "SELECT capture, count(*) AS flows, min(start_time) AS first, max(start_time) AS last FROM study_flows GROUP BY 1 ORDER BY 1")

# %% Labels: the list of attacks, with the clock it was written by; what doesn't fit is shown
connection.execute("SELECT jj_create_label_table('study_attacks')")
show("the list", """
    SELECT lines, loaded, refused, errors FROM jj_load_labels('study_attacks', %s::text, 'America/Halifax',
        columns => '{"label": "Attack", "src": "Attacker", "dst": "Victim", "dst_ports": "Victim Port", "start": "First Seen", "end": "Last Seen"}',
        options => '{"time_format": "DD/MM/YYYY HH24:MI", "after": "1 min"}')""", os.path.join(folder, "attacks.csv"))
fit = show("how labels and flows fit", "SELECT flows_labelled, flows_unlabelled, flows_doubly_matched, flows_tied, labels_unmatched FROM jj_label_summary('study_flows', 'study_attacks')")
assert fit.labels_unmatched[0] == 0 and fit.flows_tied[0] == 0, "look at jj_label_report before going on"
connection.execute("SELECT jj_apply_labels('study_flows', 'study_attacks', otherwise => 'BENIGN')")

# %% Features: what a flow is like, not who or when it was
# Addresses, ports, times and names of captures would tell the attacker from the others by who it is: they are left out. Of the
# columns of the groups, numbers remain; those that are always NULL or constant on the first day say nothing.
names = [row[0] for row in connection.execute("""
    SELECT name FROM jj_features WHERE group_name IN ('timing', 'size', 'tcp') AND sql_type IN ('smallint', 'integer', 'bigint', 'double precision')
    UNION ALL SELECT unnest('{duration,packets_fwd,packets_bwd,bytes_fwd,bytes_bwd,payload_bytes_fwd,payload_bytes_bwd}'::text[])""")]
cursor = connection.execute(f"""
    SELECT run, capture, first_frame, label, start_time::date AS day, {', '.join(names)}
    FROM study_flows ORDER BY start_ns, first_frame""")
flows = pd.DataFrame(cursor.fetchall(), columns=[c.name for c in cursor.description])
flows[names] = flows[names].astype("float64")       # NULL becomes NaN, which the model takes as such

# %% Split by time, not by row
# Flows of one attack resemble each other like copies. Split at random, the model has seen each attack's twin; split by day
# (here by attacker and victim's visitors, too) it has to know the kind.
days = sorted(flows.day.unique())
train, test = flows[flows.day == days[0]], flows[flows.day != days[0]]
names = [n for n in names if train[n].nunique() > 1]
print(f"\n{len(train)} flows to learn from, {len(test)} to be told, {len(names)} features")

# %% Learn, and predict the second day
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, classification_report, confusion_matrix

model = HistGradientBoostingClassifier(random_state=0).fit(train[names], train.label)
predicted = model.predict(test[names])

# %% The confusion matrix: rows are what flows were, columns what they were taken for
labels = sorted(flows.label.unique())
print("\nconfusion matrix")
print(pd.DataFrame(confusion_matrix(test.label, predicted, labels=labels), index=labels, columns=labels).to_string())
print()
print(classification_report(test.label, predicted, digits=3, zero_division=0))
print(f"accuracy on the second day: {accuracy_score(test.label, predicted):.3f}")

# %% Predictions back into the database, and the matrix once more, from there
connection.execute("CREATE TABLE study_prediction (run bigint, capture text, first_frame bigint, label text, PRIMARY KEY (run, capture, first_frame))")
with connection.cursor().copy("COPY study_prediction FROM STDIN") as copy:
    for row, label in zip(test[["run", "capture", "first_frame"]].itertuples(index=False), predicted):
        copy.write_row((int(row.run), row.capture, int(row.first_frame), str(label)))
counted = show("was, taken for", """
    SELECT f.label AS was, p.label AS taken_for, count(*) FROM study_prediction p JOIN study_flows f USING (run, capture, first_frame)
    GROUP BY 1, 2 ORDER BY 1, 2""")
assert counted["count"].sum() == len(test)

# %% Which flows were mistaken? Their packets say why
show("mistaken", """
    SELECT f.label AS was, p.label AS taken_for, f.capture, f.first_frame, f.dst_port, f.duration, f.packets_fwd, f.packets_bwd
    FROM study_prediction p JOIN study_flows f USING (run, capture, first_frame) WHERE p.label <> f.label ORDER BY f.start_ns LIMIT 5""")
