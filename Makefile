# joyfuljay: a PostgreSQL extension that turns network captures into flows.
#
#   make demo    set up this machine, extract a capture, show rows
#   make test    set up this machine, run every test
#   make bench   time per packet of each stage
#   make fuzz SECONDS=60
#   make && make install     the extension alone (needs the packages of tools/setup.sh)
#
# Parts of make test, for daily work: test-unit, test-fuzz (both without PostgreSQL), test-regress, test-pgtap, test-tap, test-recipes (these
# test the installed extension). WERROR=-Werror turns warnings into errors.

.DEFAULT_GOAL := all

EXTENSION = joyfuljay
EXTVERSION = 0.1.0
MODULE_big = joyfuljay

# a program of its own, with main()
GENERATOR_SRC = src/features/generate.c

# the program jj-sensor; of its parts the engine has the row stream
SENSOR_SRCS := $(filter-out src/sensor/rowstream%,$(sort $(wildcard src/sensor/*.c)))

ENGINE_SRCS := $(filter-out $(GENERATOR_SRC) $(SENSOR_SRCS),$(sort $(wildcard src/capture/*.c src/packet/*.c src/flow/*.c src/extractors/*.c src/features/*.c src/analysis/*.c src/sensor/*.c)))
PG_SRCS := $(sort $(wildcard src/pg/*.c))
SRC_HEADERS := $(wildcard src/*/*.h) src/features/features.def src/pg/packets.def
ENGINE_OBJS = $(ENGINE_SRCS:.c=.o)
OBJS = $(ENGINE_OBJS) $(PG_SRCS:.c=.o)

LIBS_PC = libpcap libcrypto zlib libzstd liblz4
ENGINE_CFLAGS := $(shell pkg-config --cflags $(LIBS_PC) 2>/dev/null)
ENGINE_LIBS := $(shell pkg-config --libs $(LIBS_PC) 2>/dev/null)

# the graph module, a shared library of its own: igraph is under the GPL, and only some columns need it
GRAPH_SRCS = src/analysis/igraph/measure.c src/analysis/igraph/module.c
HAS_IGRAPH := $(shell pkg-config --exists 'igraph >= 0.10' 'igraph < 2' 2>/dev/null && echo yes)
IGRAPH_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags igraph 2>/dev/null))
IGRAPH_LIBS := $(shell pkg-config --libs igraph 2>/dev/null)

DATA_built = sql/joyfuljay--$(EXTVERSION).sql
EXTRA_CLEAN = build $(DATA_built) $(GRAPH_SRCS:.c=.o) joyfuljay_graph.so $(SENSOR_OBJS)

# libseccomp is for jj-sensor alone; without it, the program says that it does not limit its system calls
SECCOMP_CFLAGS := $(shell pkg-config --exists libseccomp 2>/dev/null && echo -DJJ_HAVE_SECCOMP `pkg-config --cflags libseccomp`)
SECCOMP_LIBS := $(shell pkg-config --libs libseccomp 2>/dev/null)
SENSOR_OBJS = $(SENSOR_SRCS:.c=.o)
SCRIPTS_built = jj-sensor

REGRESS = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test

WARNINGS = -std=gnu11 -Wall -Wextra
# -isystem: the server's own headers are not checked for warnings
PG_CPPFLAGS = -I$(CURDIR)/src $(ENGINE_CFLAGS) -isystem $(shell $(PG_CONFIG) --includedir-server 2>/dev/null)
PG_CFLAGS = $(WARNINGS) -Wno-declaration-after-statement $(WERROR)
SHLIB_LINK = $(ENGINE_LIBS) -lm

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(wildcard $(PGXS)),)
# Bitcode lets the server's JIT inline small C functions into SQL expressions; ours are too large for that, and it would need clang.
override with_llvm = no
include $(PGXS)

ifeq ($(HAS_IGRAPH),yes)
GRAPH_MODULE = joyfuljay_graph$(DLSUFFIX)
GRAPH_OBJS = $(GRAPH_SRCS:.c=.o)

all: $(GRAPH_MODULE)
$(GRAPH_OBJS): override CPPFLAGS += $(IGRAPH_CFLAGS)
$(GRAPH_OBJS): $(SRC_HEADERS)
$(GRAPH_MODULE): $(GRAPH_OBJS)
	$(CC) $(CFLAGS) $(CFLAGS_SL) $(LDFLAGS) $(LDFLAGS_SL) -shared -o $@ $(GRAPH_OBJS) $(IGRAPH_LIBS)
install: install-graph
install-graph: $(GRAPH_MODULE) installdirs
	$(INSTALL_SHLIB) $(GRAPH_MODULE) '$(DESTDIR)$(pkglibdir)/$(GRAPH_MODULE)'
endif
uninstall: uninstall-graph
uninstall-graph:
	rm -f '$(DESTDIR)$(pkglibdir)/joyfuljay_graph$(DLSUFFIX)'
else
all install installcheck clean:
	@echo "PostgreSQL's development files are missing ($(PG_CONFIG) --pgxs finds none); run tools/setup.sh build" >&2; exit 1
endif

# from the registry: the install script and FEATURES.md
build/generate: $(GENERATOR_SRC) src/features/registry.c $(SRC_HEADERS)
	@mkdir -p build
	$(CC) $(WARNINGS) $(WERROR) -O1 -Isrc -o $@ $(GENERATOR_SRC) src/features/registry.c

# the install script's parts, in this order
SQL_PARTS = joyfuljay graph provenance ingest tables privacy capture labels watch compat
SQL_FILES = $(SQL_PARTS:%=sql/%.sql.in)

$(DATA_built): $(SQL_FILES) Makefile build/generate
	cat $(SQL_FILES) | build/generate sql >$@.new
	mv $@.new $@

FEATURES.md: build/generate
	build/generate markdown >$@.new
	mv $@.new $@

features-check: build/generate
	build/generate markdown | diff FEATURES.md -

# a changed header makes every object again
$(OBJS) $(SENSOR_OBJS): $(SRC_HEADERS)

$(SENSOR_OBJS): override CPPFLAGS += $(SECCOMP_CFLAGS)
jj-sensor: $(SENSOR_OBJS) $(ENGINE_OBJS)
	$(CC) $(CFLAGS) -o $@ $(SENSOR_OBJS) $(ENGINE_OBJS) $(LDFLAGS) $(ENGINE_LIBS) $(SECCOMP_LIBS) -lm

# calls between parts of the engine need no detour through the linkage table
$(ENGINE_OBJS): override CFLAGS += -fvisibility=hidden


# ---- the engine without PostgreSQL: tests, fuzzers, benchmark, each variant in its own folder of build/

OWN_CFLAGS = $(WARNINGS) $(WERROR) -Isrc $(ENGINE_CFLAGS) -MMD -MP
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g

UNIT_TESTS := $(patsubst test/unit/%.c,%,$(sort $(wildcard test/unit/test_*.c)))
FUZZERS := $(patsubst test/fuzz/fuzz_%.c,%,$(sort $(wildcard test/fuzz/fuzz_*.c)))

# engine(variant, compiler, flags): build/<variant>/engine.a
define engine
$(1)_OBJS := $$(ENGINE_SRCS:%.c=build/$(1)/%.o)
build/$(1)/%.o: %.c Makefile
	@mkdir -p $$(@D)
	$(2) $(3) $$(OWN_CFLAGS) -c -o $$@ $$<
build/$(1)/engine.a: $$($(1)_OBJS)
	@rm -f $$@
	$$(AR) rcs $$@ $$^
-include $$($(1)_OBJS:.o=.d)
endef

# what PGXS compiles the engine with, or as near as can be without it
BENCH_FLAGS := $(or $(shell $(PG_CONFIG) --cflags 2>/dev/null),-O2 -g) -Wno-declaration-after-statement -fPIC -fvisibility=hidden
FUZZ_CC = clang

$(eval $(call engine,san,$$(CC),-O1 $$(SANITIZE)))
$(eval $(call engine,bench,$$(CC),$$(BENCH_FLAGS)))
$(eval $(call engine,fuzz,$$(FUZZ_CC),-O1 $$(SANITIZE) -fsanitize=fuzzer-no-link))

UNIT_PROGRAMS = $(UNIT_TESTS:%=build/san/%)
REPLAY_PROGRAMS = $(FUZZERS:%=build/san/replay_%)
FUZZ_PROGRAMS = $(FUZZERS:%=build/fuzz/fuzz_%)
BENCH_PROGRAMS = build/bench/jj-generate build/bench/jj-bench build/bench/jj-send

$(UNIT_PROGRAMS): build/san/%: build/san/test/unit/%.o build/san/engine.a
	$(CC) $(SANITIZE) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(UNIT_LIBS) $(ENGINE_LIBS) -lm

ifeq ($(HAS_IGRAPH),yes)
build/san/test_measure: build/san/src/analysis/igraph/measure.o
build/san/test_measure: UNIT_LIBS = $(IGRAPH_LIBS)
build/san/test/unit/test_measure.o build/san/src/analysis/igraph/measure.o: OWN_CFLAGS += -DJJ_WITH_IGRAPH $(IGRAPH_CFLAGS)
endif

# parts of jj-sensor
build/san/test_rowtext: build/san/src/sensor/rowtext.o
build/san/test_sandbox: build/san/src/sensor/sandbox.o
build/san/test_sandbox: UNIT_LIBS = $(SECCOMP_LIBS)
build/san/src/sensor/sandbox.o: OWN_CFLAGS += $(SECCOMP_CFLAGS)

$(REPLAY_PROGRAMS): build/san/replay_%: build/san/test/fuzz/fuzz_%.o build/san/test/fuzz/replay.o build/san/engine.a
	$(CC) $(SANITIZE) -o $@ $^ $(ENGINE_LIBS) -lm

$(FUZZ_PROGRAMS): build/fuzz/fuzz_%: build/fuzz/test/fuzz/fuzz_%.o build/fuzz/engine.a
	$(FUZZ_CC) $(SANITIZE) -fsanitize=fuzzer -o $@ $^ $(ENGINE_LIBS) -lm

build/bench/jj-generate: build/bench/bench/generate.o
	$(CC) -o $@ $^

build/bench/jj-bench: build/bench/bench/bench.o build/bench/engine.a
	$(CC) -o $@ $^ $(ENGINE_LIBS) -lm

build/bench/jj-send: build/bench/bench/send.o build/bench/engine.a
	$(CC) -o $@ $^ $(ENGINE_LIBS) -lm

-include $(wildcard build/*/test/*/*.d build/bench/bench/*.d build/san/src/analysis/igraph/*.d build/san/src/sensor/*.d)
.SECONDARY:

unit-programs: $(UNIT_PROGRAMS)
replay-programs: $(REPLAY_PROGRAMS)
fuzz-programs: $(FUZZ_PROGRAMS)
bench-programs: $(BENCH_PROGRAMS)


# ---- what people call

test:
	tools/test.sh

demo:
	tools/demo.sh

test-unit: unit-programs
	tools/run-tests.sh unit

test-fuzz: replay-programs
	tools/run-tests.sh fuzz

test-regress test-pgtap test-tap test-recipes:
	tools/server.sh tools/run-tests.sh $(@:test-%=%)

SECONDS = 60
fuzz:
	tools/setup.sh fuzz
	$(MAKE) fuzz-programs
	tools/fuzz.sh $(SECONDS) $(FUZZERS)

PACKETS = 2000000
FLOWS = 60000
ROUNDS = 5
PARTS = engine sql ingest peers parallel limit memory
bench: bench-programs
	tools/server.sh bench/run.sh build/bench "$(PARTS)" $(PACKETS) $(FLOWS) $(ROUNDS)

.PHONY: install-graph uninstall-graph features-check test demo test-unit test-fuzz test-regress test-pgtap test-tap test-recipes fuzz bench \
	unit-programs replay-programs fuzz-programs bench-programs
