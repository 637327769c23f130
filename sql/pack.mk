# The Makefile of a pack: PACK = <name> and this include. Builds and installs pulse_<name>--1.0.sql by PGXS.
PG_CONFIG ?= /usr/lib/postgresql/15/bin/pg_config
EXTENSION  = pulse_$(PACK)
DATA_built = pulse_$(PACK)--1.0.sql

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
include ../../build.mk
include files.mk

$(DATA_built): $(PACK_FILES) ../../header.sql
	$(call assemble,pulse_$(PACK),$(PACK_FILES),$@)
