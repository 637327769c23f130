// The columns of _pulse.jobs and the places of its rows, for who reads and writes them without plans.
#pragma once

#include "pg/pg.hpp"

namespace pulse::queue {

// In their order, from 0.
struct JobColumns {
    enum Number {
        kId,
        kQueue,
        kKind,
        kArgs,
        kFunction,
        kState,
        kPriority,
        kRunAt,
        kAttempt,
        kMaxAttempts,
        kUniqueKey,
        kTimeout,
        kRole,
        kLastError,
        kCreatedAt,
        kAttemptedAt,
        kChannel,
        kPartitionKey,
        kOnEnd,
        kTraceparent,
        kWorker,
        kLeaseUntil,
        kCancelledAt,
        kErrors,
        kJobColumns
    };
};

// A row's place (ctid) in one number, for who keeps it.
inline std::uint64_t row_number(const ItemPointerData &place) {
    return std::uint64_t{ItemPointerGetBlockNumberNoCheck(&place)} << 16 | ItemPointerGetOffsetNumberNoCheck(&place);
}
inline ItemPointerData row_place(std::uint64_t number) {
    ItemPointerData place;
    ItemPointerSet(&place, static_cast<BlockNumber>(number >> 16), static_cast<OffsetNumber>(number & 0xFFFF));
    return place;
}

}  // namespace pulse::queue
