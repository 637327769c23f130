// Checking and storing an event.
#include "publish/event.hpp"

#include <unordered_set>

#include "guc.hpp"
#include "names/rules.hpp"
#include "pg/catalog.hpp"
#include "pg/commit_wake.hpp"
#include "pg/heap.hpp"
#include "pg/shmem.hpp"
#include "publish/idempotency.hpp"

namespace pulse::publish {

using namespace names;

namespace {

void require(const std::optional<Problem> &problem) {
    if (problem) pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, problem->message, {}, problem->hint);
}

void check_rooms(std::vector<std::string_view> &rooms) {
    if (rooms.empty()) pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "event has no room", {}, "Name at least one room.");
    for (auto room : rooms) require(check_room(room));
    if (rooms.size() <= 16) {
        for (size_t i = 1; i < rooms.size();) {
            const auto position = rooms.begin() + static_cast<std::ptrdiff_t>(i);
            if (std::find(rooms.begin(), position, rooms[i]) != position)
                rooms.erase(position);
            else
                ++i;
        }
    } else {
        std::unordered_set<std::string_view> seen;
        std::erase_if(rooms, [&](std::string_view room) { return !seen.insert(room).second; });
    }
    if (rooms.size() > kMaxRooms)
        pg::fail(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "event has " + std::to_string(rooms.size()) + " rooms", {},
                 "An event has at most " + std::to_string(kMaxRooms) + " rooms; publish to a room that all of them join.");
}

// Without shared memory there is no dispatcher: the event waits in the log until the server was restarted with pulse.
void warn_not_preloaded() {
    static bool warned = false;
    if (warned || !guc::warn_not_preloaded) return;
    warned = true;
    pg::call([] {
        const char *libraries = GetConfigOption("shared_preload_libraries", true, false);
        const bool others = libraries != nullptr && libraries[0] != '\0';
        ereport(WARNING,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("pulse is not preloaded: events are stored and not delivered"),
                 errhint("Set shared_preload_libraries = '%s%spulse' and pulse.databases = '%s' in postgresql.conf and restart the server.",
                         others ? libraries : "", others ? "," : "", get_database_name(MyDatabaseId))));
    });
}

void insert(const Event &event, int64 id, Relation events, int16 slot) {
    enum { kId, kXid, kSlot, kAt, kName, kRooms, kPayload, kHeaders, kAttachments, kPartitionKey, kChannel, kColumns };
    pg::call([&] {
        Datum values[kColumns] = {};
        bool nulls[kColumns] = {};
        const auto text = [](std::string_view bytes) {
            return PointerGetDatum(cstring_to_text_with_len(bytes.data(), static_cast<int>(bytes.size())));
        };
        const auto optional = [&](int column, const std::optional<std::string_view> &bytes) {
            nulls[column] = !bytes;
            if (bytes) values[column] = text(*bytes);
        };
        const int count = static_cast<int>(event.rooms.size());
        Datum *rooms = static_cast<Datum *>(palloc(sizeof(Datum) * event.rooms.size()));
        for (int i = 0; i < count; ++i) rooms[i] = text(event.rooms[static_cast<size_t>(i)]);
        values[kId] = Int64GetDatum(id);
        values[kXid] = FullTransactionIdGetDatum(GetTopFullTransactionId());
        values[kSlot] = Int16GetDatum(slot);
        values[kAt] = TimestampTzGetDatum(GetCurrentTimestamp());
        values[kName] = text(event.name);
        values[kRooms] = PointerGetDatum(construct_array(rooms, count, TEXTOID, -1, false, TYPALIGN_INT));
        values[kPayload] = text(event.payload);
        values[kHeaders] = text(event.headers);
        nulls[kAttachments] = !event.attachments;
        if (event.attachments) values[kAttachments] = *event.attachments;
        optional(kPartitionKey, event.partition_key);
        optional(kChannel, event.channel);
        pg::insert_row(events, values, nulls, kColumns);
    });
}

}  // namespace

void check_may_write() {
    if (GetDatabaseEncoding() != PG_UTF8)
        pg::fail(ERRCODE_FEATURE_NOT_SUPPORTED, std::string("database encoding is ") + GetDatabaseEncodingName() + ", pulse needs UTF8", {},
                 "Create the database with ENCODING 'UTF8'.");
    if (RecoveryInProgress())
        pg::fail(ERRCODE_READ_ONLY_SQL_TRANSACTION, "cannot publish on a standby", {}, "Publish on the primary server.");
    if (XactReadOnly)
        pg::fail(ERRCODE_READ_ONLY_SQL_TRANSACTION, "cannot publish in a read-only transaction", {},
                 "Publish in a READ WRITE transaction; a function that publishes must be VOLATILE.");
    if (IsInParallelMode())
        pg::fail(ERRCODE_INVALID_TRANSACTION_STATE, "cannot publish in a parallel operation", {},
                 "Mark the calling function PARALLEL UNSAFE.");
}

void check(Event &event) {
    require(check_event_name(event.name));
    check_rooms(event.rooms);
    if (event.payload.size() > static_cast<size_t>(guc::max_payload))
        pg::fail(ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                 "payload of event \"" + std::string(event.name) + "\" has " + std::to_string(event.payload.size()) +
                     " bytes, more than pulse.max_payload",
                 "pulse.max_payload is " + std::to_string(guc::max_payload) + " bytes.",
                 "Publish an id and let clients fetch the rest, or raise pulse.max_payload.");
    if (event.headers.size() > kMaxHeaders)
        pg::fail(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "headers have " + std::to_string(event.headers.size()) + " bytes", {},
                 "Headers have at most " + std::to_string(kMaxHeaders) + " bytes; data belongs in the payload.");
    if (event.partition_key) require(check_name("partition_key", *event.partition_key));
    if (event.idempotency_key) require(check_name("idempotency_key", *event.idempotency_key));
    if (event.channel) require(check_channel(*event.channel));
}

int64 store(const Event &event) {
    check_may_write();
    if (pg::my_database() == nullptr) warn_not_preloaded();
    int16 slot;
    Relation events = pg::open_events(&slot);
    const int64 id = pg::call([] { return nextval_internal(pg::own_tables().event_id, false); });
    std::optional<int64> first;
    if (event.idempotency_key) first = claim_key(*event.idempotency_key, id, events);
    if (!first) insert(event, id, events, slot);
    pg::call([&] { table_close(events, NoLock); });  // the lock ends with the transaction
    if (first) return *first;
    pg::wake_at_commit(pg::Wake::kDispatcher);
    return id;
}

}  // namespace pulse::publish
