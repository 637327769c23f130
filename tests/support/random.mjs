// Randomness from a seed (mulberry32). The seed fixes the plan of a run: who does what, which rooms, when what is killed. How the
// processes then interleave is theirs, so a seed makes a run alike, not equal.
export class Random {
  #state

  // stream: a name, so that two users of one seed do not shift each other's numbers.
  constructor(seed, stream = '') {
    this.#state = [...`${seed} ${stream}`].reduce((hash, letter) => Math.imul(hash ^ letter.codePointAt(0), 16777619), 2166136261)
  }

  // 0 ≤ x < 1
  next() {
    this.#state = (this.#state + 0x6D2B79F5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  // An integer from low to high, both included.
  integer(low, high) { return low + Math.floor(this.next() * (high - low + 1)) }
  chance(probability) { return this.next() < probability }
  pick(list) { return list[this.integer(0, list.length - 1)] }

  shuffle(list) {
    const result = [...list]
    for (let n = result.length - 1; n > 0; n--) {
      const other = this.integer(0, n)
      ;[result[n], result[other]] = [result[other], result[n]]
    }
    return result
  }

  sample(list, count) { return this.shuffle(list).slice(0, count) }

  // {name: weight, …} → a name
  weighted(weights) {
    let left = this.next() * Object.values(weights).reduce((sum, weight) => sum + weight, 0)
    for (const [name, weight] of Object.entries(weights)) if ((left -= weight) < 0) return name
    return Object.keys(weights)[0]
  }
}
