// What was compiled of triggers, kept until the trigger's relation or a cast changes. A user holds a shared_ptr, so that an invalidation in
// the middle of a row (a cast may run anything) takes nothing away.
#pragma once

#include "pg/guard.hpp"

namespace pulse::rows {

// A global object: callbacks run until the process ends.
class TriggerCaches {
public:
    TriggerCaches() : next_(first_) { first_ = this; }
    TriggerCaches(const TriggerCaches &) = delete;
    TriggerCaches &operator=(const TriggerCaches &) = delete;
    static void init();  // once a process, from _PG_init

protected:
    ~TriggerCaches() = default;

private:
    static void on_relcache(Datum, Oid relation);
    static void on_cast(Datum, int, uint32);
    virtual void forget(Oid relation) = 0;  // InvalidOid: all
    TriggerCaches *next_;
    static inline TriggerCaches *first_ = nullptr;
};

template <class Compiled>
class TriggerCache final : public TriggerCaches {
public:
    // Null: it is not here.
    std::shared_ptr<Compiled> find(const TriggerData *trigger) {
        const auto found = kept_->find(trigger->tg_trigger->tgoid);
        if (found == kept_->end() || found->second.relation != RelationGetRelid(trigger->tg_relation)) return nullptr;
        return found->second.compiled;
    }
    void keep(const TriggerData *trigger, std::shared_ptr<Compiled> compiled) {
        (*kept_)[trigger->tg_trigger->tgoid] = {RelationGetRelid(trigger->tg_relation), std::move(compiled)};
    }

private:
    void forget(Oid relation) override {
        if (OidIsValid(relation))
            std::erase_if(*kept_, [&](const auto &item) { return item.second.relation == relation; });
        else
            kept_->clear();
    }
    struct Entry {
        Oid relation;
        std::shared_ptr<Compiled> compiled;
    };
    std::unordered_map<Oid, Entry> *kept_ = new std::unordered_map<Oid, Entry>;  // by trigger; never destroyed
};

}  // namespace pulse::rows
