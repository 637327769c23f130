# How C++ is compiled against the backend: for pulse.so and for the test module of tests/fault/boundary. Needs PG_CONFIG and, where
# the sources are not beside this file, PULSE_SRC.
PULSE_SRC ?= src

# Backend headers are C and still say `register`: system headers, so that our own warnings stay on.
# PG 15's PGDLLEXPORT is empty, which under -fvisibility=hidden would hide the magic block and every V1 function.
override CXXFLAGS = -std=c++20 -O2 -g -fPIC -Wall -Wextra -Wno-unused-parameter -fvisibility=hidden -fno-strict-aliasing -fwrapv \
    -fno-omit-frame-pointer $(PULSE_CXXFLAGS)
PULSE_CPPFLAGS = -I$(PULSE_SRC) -isystem $(shell $(PG_CONFIG) --includedir-server) -D_GNU_SOURCE \
    '-DPGDLLEXPORT=__attribute__((visibility("default")))'
PULSE_LIBS = -lstdc++ -lcurl -lcrypto
