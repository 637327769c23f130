// An object with a destructor, counted: what is alive, and what was destroyed since the process began.
#pragma once

#include <string>
#include <vector>

struct Witness {
    static inline long alive = 0;
    static inline long destroyed = 0;
    std::string memory = std::string(200, 'w');  // on the C++ heap: lost when the destructor does not run
    Witness() { ++alive; }
    ~Witness() {
        --alive;
        ++destroyed;
    }
    Witness(const Witness &) = delete;
    Witness &operator=(const Witness &) = delete;
};

// Throws what `kind` says from `depth` frames down, each with a witness; kind "error" is PostgreSQL's own ereport.
void fail_below(const std::string &kind, int depth);
