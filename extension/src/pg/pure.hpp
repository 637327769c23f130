// Included last by pure files: plain C++20 that is also compiled into the unit tests, where the sanitizers see it.
#pragma once
#ifdef POSTGRES_H
#error "a pure file includes a backend header"
#endif
