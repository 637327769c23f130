// Waiting in tests: for a condition or an event, always with a deadline, never for a guessed time.
import { setTimeout as sleep } from 'node:timers/promises'

// A sanitizer build on a loaded machine is slow; deadlines only bound a failure, so they are generous.
export const deadline = 20_000

// Calls check until it returns something truthy, and returns that. An exception counts as "not yet".
export async function until(check, { what = 'the condition', timeout = deadline, every = 20 } = {}) {
  const end = Date.now() + timeout
  let last
  for (;;) {
    try {
      const value = await check()
      if (value) return value
      last = value
    } catch (error) {
      last = error
    }
    if (Date.now() >= end) throw new Error(`${what} did not happen within ${timeout} ms; last: ${last instanceof Error ? last.message : JSON.stringify(last)}`)
    await sleep(every)
  }
}

// The arguments of the next `event` of an emitter (socket, process, pg client) for which matches(...args) holds.
export function next(emitter, event, { matches = () => true, timeout = deadline } = {}) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      emitter.off(event, listener)
      reject(new Error(`no ${event} within ${timeout} ms`))
    }, timeout)
    function listener(...args) {
      if (!matches(...args)) return
      clearTimeout(timer)
      emitter.off(event, listener)
      resolve(args)
    }
    emitter.on(event, listener)
  })
}

// Gathers every `event` of an emitter from now on: .items (arrays of arguments), .atLeast(n).
export function gather(emitter, event) {
  const items = []
  emitter.on(event, (...args) => items.push(args))
  return { items, atLeast: (n, options) => until(() => items.length >= n && items, { what: `${n} × ${event} (${items.length} so far)`, ...options }) }
}
