// Asking the policies.
#include "handle/decide.hpp"

#include "json/slice.hpp"
#include "names/rules.hpp"
#include "pg/shmem.hpp"
#include "rooms/policy.hpp"

namespace pulse::handle {

struct Work {
    rooms::Rule *rule = nullptr;  // null: decided already
    std::string params;
};

static void deny(Request &request, std::string reason) {
    request.allowed = false;
    request.reason = std::move(reason);
}

static void count_error() {
    if (const auto *entry = pg::my_database()) pg_atomic_fetch_add_u64(const_cast<pg_atomic_uint64 *>(&entry->policy_errors), 1);
}

static void deny_for_error(Request &request, const rooms::Rule &rule, const std::string &message, Errors errors) {
    deny(request, "the policy of \"" + rule.pattern.text() + "\" failed");
    if (errors == Errors::kTold) {
        request.reason += ": " + message;
        return;
    }
    count_error();
    pg::call([&] {
        ereport(LOG, (errmsg("pulse: policy %s failed for room \"%s\": %s", rule.function.c_str(), request.room.c_str(), message.c_str()),
                      request.context->correlation_id ? errdetail("correlation id %s", request.context->correlation_id->c_str()) : 0,
                      errhidestmt(true), errhidecontext(true)));
    });
}

// Finds the rule and resolves its function; what needs no policy is decided here.
static Work prepare(rooms::Rules &rules, Request &request, MemoryContext memory, Errors errors) {
    Work work;
    if (request.context == nullptr) return work;
    if (!rooms::is_operation(request.operation)) {
        deny(request, "unknown operation \"" + request.operation + "\"; known: " + rooms::kOperationList);
        return work;
    }
    if (const auto problem = names::check_room(request.room)) {
        deny(request, problem->message);
        return work;
    }
    rooms::Pattern::Params params;
    rooms::Rule *rule = rules.find(request.operation, request.room, &params);
    if (rule == nullptr) {
        deny(request, "no policy allows to " + request.operation + " this room");
        return work;
    }
    if (errors == Errors::kTold) {
        request.pattern = rule->pattern.text();
        request.function = rule->function;
        request.extension = rule->extension;
    }
    if (!rule->callable && !rule->broken) {
        const auto error = pg::subtransaction([&] { rule->callable.emplace(rule->function, rooms::kPolicyShape, memory); });
        if (error) rule->broken = std::string(error->message) + (error->hint[0] != '\0' ? std::string("; ") + error->hint : "");
    }
    if (rule->broken) {
        deny_for_error(request, *rule, *rule->broken, errors);
        return work;
    }
    work.rule = rule;
    work.params = "{";
    for (const auto &[name, value] : params) {
        if (work.params.size() > 1) work.params += ',';
        json::append_quoted(work.params, name);
        work.params += ':';
        json::append_quoted(work.params, value);
    }
    work.params += '}';
    return work;
}

static void ask(Request &request, const Work &work) {
    auth::Scope scope(*request.context);
    const auto answer =
        (*work.rule->callable)({pg::text_datum(request.context->claims), pg::text_datum(request.room), pg::text_datum(work.params)});
    request.allowed = answer && DatumGetBool(*answer);
    request.reason = (request.allowed ? "allowed by the policy of \"" : "refused by the policy of \"") + work.rule->pattern.text() + "\"";
}

// PostgreSQL 15 lets read-only transactions create and change large objects. Whatever is written needs a transaction id first. So do rows
// of a temporary table, which are harmless; and an id that was given stays when what it was for is rolled back.
static void refuse_writes() {
    if (TransactionIdIsValid(GetCurrentTransactionIdIfAny()))
        pg::fail(ERRCODE_READ_ONLY_SQL_TRANSACTION,
                 "a policy has written something: temporary tables and blocks that are rolled back count, too");
}

void decide_all(Oid owner, std::vector<Request> &requests, Errors errors) {
    const MemoryContext caller = CurrentMemoryContext;
    std::vector<Work> works;
    works.reserve(requests.size());
    rooms::Rules rules;
    {
        pg::OwnerScope scope(owner);
        {
            pg::SpiSession spi;
            rules = rooms::Rules::load();
        }
        for (Request &request : requests) works.push_back(prepare(rules, request, caller, errors));
    }
    NoEffects guard;
    pg::release_session_locks_at_end();
    const Oid client = rooms::client_role();
    const MemoryContext scratch =
        pg::call([] { return AllocSetContextCreate(CurrentMemoryContext, "pulse policy", ALLOCSET_SMALL_SIZES); });
    std::size_t n = 0;
    while (n < requests.size()) {
        const auto error = pg::subtransaction([&] {
            XactReadOnly = true;  // the subtransaction's end takes it back
            pg::RunAs role(client);
            for (; n < requests.size(); ++n) {
                if (works[n].rule == nullptr) continue;
                MemoryContextSwitchTo(scratch);
                ask(requests[n], works[n]);
                refuse_writes();
                MemoryContextReset(scratch);
            }
        });
        MemoryContextSwitchTo(caller);
        if (!error) break;
        rooms::Rule &rule = *works[n].rule;
        rule.callable->renew();
        MemoryContextReset(scratch);
        if (is_client_error(error->sqlstate)) {
            deny(requests[n], error->message);
            requests[n].refusal = std::make_shared<const pg::Raised>(*error);
        } else {
            deny_for_error(requests[n], rule, error->message, errors);
        }
        ++n;
    }
    MemoryContextDelete(scratch);
}

void refuse(const Request &request) {
    if (request.refusal) throw pg::Error(*request.refusal);
    pg::fail(kForbidden, request.reason);
}

}  // namespace pulse::handle
