// Writes one chunk: deliveries, quarantined events and the tick's row; collects what is to be notified.
// Works inside a tick's transaction and SPI session. May throw pg::Error.
#pragma once

#include "dispatch/notification.hpp"
#include "dispatch/reader.hpp"
#include "dispatch/table_writer.hpp"
#include "pg/log_state.hpp"

#include <span>

namespace pulse::dispatch {

struct Poison {
    std::int64_t position;
    EventRow row;
    pg::Raised error;
};

// What a chunk leaves to be said. Views live as long as the tick's SPI session.
struct Written {
    std::vector<EventLine> lines;
    std::vector<Notification> legacy;
    std::vector<Poison> poison;
};

std::int64_t deliveries_of(std::span<const EventRow> rows);
// How many rows from the front fit into `limit` deliveries: at least one.
std::size_t fitting(const std::vector<EventRow> &rows, std::int64_t limit);

class ChunkWriter {
public:
    // Opens the partitions of a slot: the one that new rows go to, unless it is to be another.
    ChunkWriter() : ChunkWriter(pg::current_slot()) {}
    explicit ChunkWriter(std::int16_t slot);

    // Gives the rows the positions from `first` on.
    void write(std::span<const EventRow> rows, std::int64_t first, bool with_lines, Written &written);
    // The same in subtransactions: what fails is halved down to the culprit, which goes to quarantine and keeps its
    // position. An error that is no event's fault (disk, memory, shutdown) is thrown.
    void write_carefully(std::span<const EventRow> rows, std::int64_t first, bool with_lines, Written &written);
    void write_tick(std::span<const EventRow> rows, std::int64_t first, const Progress &progress);
    void close();

private:
    struct Delivery {
        std::string_view room;
        std::int64_t position;
        const EventRow *row;
    };
    void write_event(const EventRow &row, std::int64_t position, bool with_lines, Written &written);

    std::int16_t slot_;
    TableWriter deliveries_, ticks_;
    std::vector<Delivery> pending_;  // of one write()
};

}  // namespace pulse::dispatch
