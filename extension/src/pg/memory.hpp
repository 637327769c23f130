// A memory context that ends with whoever holds it.
#pragma once

#include "pg/guard.hpp"

namespace pulse::pg {

class OwnedMemory {
public:
    // `name` lives for ever.
    OwnedMemory(MemoryContext parent, const char *name)
        : context_(call([=] { return AllocSetContextCreateInternal(parent, name, ALLOCSET_SMALL_SIZES); })) {}
    ~OwnedMemory() { MemoryContextDelete(context_); }
    OwnedMemory(const OwnedMemory &) = delete;
    OwnedMemory &operator=(const OwnedMemory &) = delete;
    MemoryContext get() const { return context_; }

private:
    MemoryContext context_;
};

}  // namespace pulse::pg
