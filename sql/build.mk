# How the scripts of an extension are made from its parts. Included by extension/Makefile and sql/pack.mk, before PGXS, which set
# EXTENSION (its .control file, beside them, names the version) and SQL_DIR (where files.mk, updates/ and released/ are).
#
#   <ext>--<version>.sql         sql/header.sql, the pack's header.sql, then the parts of files.mk in order, with OR REPLACE taken
#                                out, so that nobody can create one of our objects beforehand
#   <ext>--<old>--<version>.sql  the headers, updates/<old>--<version>.sql written by hand and the files of the folder
#                                updates/<old>--<version>/ where there is one, then every part of api/ in order,
#                                then updates/<old>--<version>.after.sql where there is one
#   released/                    scripts of released versions, installed as they are and never edited (lint: SHA256SUMS)
#
# So a function has one text, and an update cannot forget it. See docs/how-to/develop.md and docs/decisions.
all:

SQL_ROOT := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
include $(SQL_DIR)files.mk

# Not VERSION: that name is PGXS's.
SQL_VERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" $(EXTENSION).control)
SQL_HEADERS := $(SQL_ROOT)header.sql $(wildcard $(SQL_DIR)header.sql)
SQL_PARTS := $(addprefix $(SQL_DIR),$(SQL_FILES))
FRESH_SCRIPT := $(EXTENSION)--$(SQL_VERSION).sql
UPDATE_SCRIPTS := $(patsubst $(SQL_DIR)updates/%,$(EXTENSION)--%,$(wildcard $(SQL_DIR)updates/*--$(SQL_VERSION).sql))

DATA = $(wildcard $(SQL_DIR)released/*.sql)
DATA_built = $(FRESH_SCRIPT) $(UPDATE_SCRIPTS)

# $(call assemble,parts,filter of a part)
define assemble
	@{ sed 's/@extension@/$(EXTENSION)/' $(SQL_HEADERS); \
	   for part in $(1); do printf '\n-- %s\n' "$${part#$(SQL_DIR)}"; $(2) "$$part"; done; } > $@.tmp && mv $@.tmp $@
endef

$(FRESH_SCRIPT): $(SQL_HEADERS) $(SQL_PARTS) $(SQL_DIR)files.mk
	$(call assemble,$(SQL_PARTS),sed -E 's/^([[:space:]]*CREATE) OR REPLACE /\1 /I')

$(EXTENSION)--%--$(SQL_VERSION).sql: $(SQL_DIR)updates/%--$(SQL_VERSION).sql $(wildcard $(SQL_DIR)updates/*.after.sql $(SQL_DIR)updates/*/*.sql) $(SQL_HEADERS) $(SQL_PARTS) $(SQL_DIR)files.mk
	$(call assemble,$< $(wildcard $(SQL_DIR)updates/$*--$(SQL_VERSION)/*.sql) $(filter $(SQL_DIR)api/%,$(SQL_PARTS)) $(wildcard $(SQL_DIR)updates/$*--$(SQL_VERSION).after.sql),cat)
