// The commit callback behind the news. It runs after the transaction has left the proc array, so the foreman's next snapshot sees its rows.
#include "queue/news.hpp"

#include "queue/lanes.hpp"
#include "queue/shared.hpp"

#include <algorithm>
#include <cstring>

namespace pulse::queue {

namespace {

struct News {
    std::map<LaneName, Place> lanes;
    std::vector<int64> cancels, ended;
    bool settings = false, look = false;
    bool any = false;
};

News *news = nullptr;  // never freed with the process: callbacks run until its very end

News &told() {
    if (news == nullptr) news = new News;
    news->any = true;
    return *news;
}

void put_lane(Queue &queue, const LaneName &name, const Place &place) {
    const int klass = static_cast<int>(name.klass);
    for (int n = 0; n < queue.lanes_told; ++n) {
        LaneNews &known = queue.news[n];
        if (known.priority != name.priority || known.klass != klass || name.queue != known.queue) continue;
        if (place < Place{known.run_at, known.id}) {
            known.run_at = place.run_at;
            known.id = place.id;
        }
        return;
    }
    if (queue.lanes_told == kMostLanesTold || name.queue.size() > kMostQueueBytes) {
        queue.look = true;
        return;
    }
    LaneNews &line = queue.news[queue.lanes_told++];
    std::memcpy(line.queue, name.queue.c_str(), name.queue.size() + 1);
    line.priority = name.priority;
    line.klass = klass;
    line.run_at = place.run_at;
    line.id = place.id;
}

void put_ids(const std::vector<int64> &from, int64 *to, int &count, int most, bool &lost) {
    for (const int64 id : from) {
        if (count == most) {
            lost = true;
            return;
        }
        to[count++] = id;
    }
}

void commit() {
    Queue *queue = memory();
    if (queue == nullptr) return;
    {
        const Locked locked(queue);
        for (const auto &[name, place] : news->lanes) put_lane(*queue, name, place);
        put_ids(news->cancels, queue->cancel_ids, queue->cancels, kMostCancels, queue->reload_running);
        put_ids(news->ended, queue->ended_ids, queue->ended, kMostEnded, queue->reload_running);
        queue->settings |= news->settings;
        queue->look |= news->look;
        // Lanes that others have told were asked for when they told them, and the foreman asks for all of them before it sleeps.
        if (!has_more_than_jobs(*queue) && std::all_of(news->lanes.begin(), news->lanes.end(), [&](const auto &lane) {
                return is_shut(*queue, lane.first.queue, static_cast<int>(lane.first.klass));
            }))
            return;
    }
    wake_foreman(queue);
}

void finish(XactEvent event) {
    switch (event) {
        case XACT_EVENT_COMMIT:
        case XACT_EVENT_PARALLEL_COMMIT: commit(); break;
        case XACT_EVENT_ABORT:
        case XACT_EVENT_PARALLEL_ABORT:
        case XACT_EVENT_PREPARE: break;  // COMMIT PREPARED has the foreman look everywhere
        default: return;
    }
    news->lanes.clear();
    news->cancels.clear();
    news->ended.clear();
    news->settings = news->look = news->any = false;
}

void on_xact(XactEvent event, void *) {
    if (news != nullptr && news->any) pg::callback("telling the foreman of a commit", [=] { finish(event); });
}

}  // namespace

void tell_waiting(std::string_view queue, int priority, std::string_view channel, TimestampTz run_at, int64 id) {
    Place &place = told().lanes[{std::string(queue), priority, class_of(channel)}];
    place = std::min(place, Place{run_at, id});
}
void tell_look() { told().look = true; }
void tell_settings() { told().settings = true; }
void tell_cancel(int64 id) { told().cancels.push_back(id); }
void tell_ended(int64 id) { told().ended.push_back(id); }

void init_news() { RegisterXactCallback(on_xact, nullptr); }

}  // namespace pulse::queue
