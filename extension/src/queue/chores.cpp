// What the foreman does once in a while: empty the slots of the history that are old, run schedules.
#include "guc.hpp"
#include "queue/foreman.hpp"

namespace pulse::queue {

namespace {

constexpr int64 kMinute = int64{60} * 1000 * 1000;

}  // namespace

TimestampTz Foreman::next_chore() const { return schedules_ ? now_ : std::min(chore_at_, schedule_at_); }

void Foreman::do_chores() {
    if (schedules_ || schedule_at_ <= now_) {
        static pg::Plan run("SELECT _pulse.run_schedules()");
        schedules_ = false;
        schedule_at_ = DT_NOEND;
        if (run.run() > 0 && !pg::result_row().is_null(1)) schedule_at_ = DatumGetTimestampTz(pg::result_row().datum(1));
    }
    if (chore_at_ <= now_) {
        static pg::Plan rotate("SELECT _pulse.rotate_job_history()");
        const int64 quarter = int64{guc::job_retention} * 1000 * 1000 / 4;
        chore_at_ = now_ + std::clamp(quarter, kMinute, 60 * kMinute);
        rotate.run();
    }
}

}  // namespace pulse::queue
