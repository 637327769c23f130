// Handlers, and the clock that looks after one who does not let itself be interrupted.
#include "queue/interrupts.hpp"

#include <csignal>

namespace pulse::queue {

namespace {

constexpr int kTick = 250;     // ms
constexpr int kMostTicks = 4;  // after SIGTERM: about a second

Slot *mine = nullptr;
TimeoutId clock_id = MAX_TIMEOUTS;  // not registered yet
volatile sig_atomic_t stop = 0, interruptible = 0, ticks = 0, by_itself = 0;
volatile int64 running = 0;

void interrupt() {
    InterruptPending = true;
    QueryCancelPending = true;
}

void on_terminate(int, siginfo_t *from, void *) {
    const int saved = errno;
    stop = 1;
    if (mine != nullptr) mine->leaving = true;
    if (interruptible && from->si_pid == getpid()) by_itself = 1;
    if (interruptible) interrupt();
    SetLatch(MyLatch);
    errno = saved;
}

void on_cancel(SIGNAL_ARGS) {
    const int saved = errno;
    if (interruptible && mine != nullptr && mine->cancel == running) interrupt();
    SetLatch(MyLatch);
    errno = saved;
}

// pg_cancel_backend is for the job whose code runs; between jobs it would end this process.
void on_interrupt(SIGNAL_ARGS) {
    const int saved = errno;
    if (interruptible) interrupt();
    SetLatch(MyLatch);
    errno = saved;
}

// It may have caught the first one, or wait for something in between jobs.
void on_tick() {
    if (!stop) return;
    ticks = ticks + 1;
    if (interruptible) interrupt();
    if (ticks > kMostTicks) {
        InterruptPending = true;
        ProcDiePending = true;
    }
    SetLatch(MyLatch);
}

}  // namespace

void begin_interrupts(Slot *slot) {
    mine = slot;
    pg::call([] { clock_id = RegisterTimeout(USER_TIMEOUT, on_tick); });
    pqsignal(SIGUSR2, on_cancel);
    struct sigaction terminate {};
    terminate.sa_sigaction = on_terminate;
    terminate.sa_flags = SA_RESTART | SA_SIGINFO;
    sigemptyset(&terminate.sa_mask);
    sigaction(SIGTERM, &terminate, nullptr);
    pqsignal(SIGINT, on_interrupt);
}

bool stopping() { return stop != 0; }

bool stopped_by_job() { return by_itself != 0; }

Busy::Busy() {
    pg::call([] { enable_timeout_every(clock_id, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kTick), kTick); });
}

Busy::~Busy() { disable_timeout(clock_id, false); }

Interruptible::Interruptible(int64 id) {
    running = id;
    interruptible = 1;
    if (stop || mine->cancel == id) interrupt();
}

Interruptible::~Interruptible() {
    interruptible = 0;
    running = 0;
    QueryCancelPending = false;  // one that came too late is not the next job's
}

}  // namespace pulse::queue
