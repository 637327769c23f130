# How an install script is made: header.sql + the ordered parts of files.mk, with OR REPLACE taken out,
# so that nobody can create one of our objects beforehand. Included by extension/Makefile and sql/pack.mk.
SQL_ROOT := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
include $(SQL_ROOT)core/files.mk
CORE_PARTS := $(addprefix $(SQL_ROOT)core/,$(CORE_FILES))

# $(call assemble,extension,parts,target)
define assemble
	@{ sed 's/@extension@/$(1)/' $(SQL_ROOT)header.sql; \
	   for part in $(2); do printf '\n-- %s\n' "$${part#$(SQL_ROOT)}"; sed -E 's/^([[:space:]]*CREATE) OR REPLACE /\1 /I' "$$part"; done; } > $(3).tmp && mv $(3).tmp $(3)
endef
