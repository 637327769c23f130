# The Makefile of a pack: PACK = <name> and this include. Builds and installs the scripts of pulse_<name> by PGXS.
PG_CONFIG ?= /usr/lib/postgresql/15/bin/pg_config
EXTENSION  = pulse_$(PACK)
SQL_DIR   := ./
include ../../build.mk

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
