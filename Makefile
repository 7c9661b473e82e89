# For `make && make install PG_CONFIG=...`, as the PGXN client and packagers call it. The work is done by cargo-pgrx.

PG_CONFIG ?= pg_config
PG_MAJOR := $(shell $(PG_CONFIG) --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')
CARGO_PGRX = cargo pgrx
OPTIONS = --pg-config "$(PG_CONFIG)" --no-default-features --features pg$(PG_MAJOR)

.PHONY: all install try installcheck clean

all:
	$(CARGO_PGRX) package $(OPTIONS)

install:
	$(CARGO_PGRX) install --release $(OPTIONS)

try:
	pg_test_config/try

installcheck:
	pg_test_config/test

clean:
	cargo clean
