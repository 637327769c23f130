// A worker's place in shared memory: what the foreman has claimed for it, and what it tells the foreman. What the foreman has put here
// and the worker has not begun, the foreman may take back and give to somebody else.
#pragma once

#include "pg/guard.hpp"
#include "queue/attempt.hpp"

#include <span>

namespace pulse::queue {

// All of them for a process that has taken its place as a job worker or as the HTTP worker.

// The first of what waits here and is not begun, at most so many. They stay here until begun() or until the foreman takes them back.
std::vector<AttemptId> waiting(int most);
// Whether it is still ours to work on; from now on it stays ours, and its failure counts.
bool begun(const AttemptId &attempt);
// What of them asks somebody outside is about to leave.
void sent(std::span<const AttemptId> attempts);
// The code of the job that was begun last is through: what comes next are the ends of the transaction's jobs.
void through();
// After the commit that ended them (whatever their outcome): the foreman may give more.
void ended(std::span<const AttemptId> attempts);
// Of what was begun here, what somebody has cancelled since.
std::vector<AttemptId> cancelled();
// On the way out: of these, what is not begun waits again as if it had not been claimed. In a transaction of its own.
void give_back(const std::vector<AttemptId> &attempts, const std::string &worker);

}  // namespace pulse::queue
