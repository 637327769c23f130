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

// The arguments of the next `event` of an emitter (socket, process, pg client) for which matches(...args) holds. Its deadline keeps the
// process alive: cancel() what is not waited for any more; it then stays pending.
export function next(emitter, event, { matches = () => true, timeout = deadline } = {}) {
  let cancel
  const promise = new Promise((resolve, reject) => {
    cancel = () => {
      clearTimeout(timer)
      emitter.off(event, listener)
    }
    const timer = setTimeout(() => {
      cancel()
      reject(new Error(`no ${event} within ${timeout} ms`))
    }, timeout)
    function listener(...args) {
      if (!matches(...args)) return
      cancel()
      resolve(args)
    }
    emitter.on(event, listener)
  })
  return Object.assign(promise, { cancel })
}

// Gathers every `event` of an emitter from now on: .items (arrays of arguments), .atLeast(n).
export function gather(emitter, event) {
  const items = []
  emitter.on(event, (...args) => items.push(args))
  return { items, atLeast: (n, options) => until(() => items.length >= n && items, { what: `${n} × ${event} (${items.length} so far)`, ...options }) }
}

// Connects a socket.io-client's socket; rejects with connect_error's Error.
export async function connecting(socket) {
  const connected = next(socket, 'connect'), refused = next(socket, 'connect_error')
  for (const one of [connected, refused]) one.catch(() => {})
  socket.connect()
  try {
    await Promise.race([connected, refused.then(([error]) => { throw error })])
  } finally {
    connected.cancel()
    refused.cancel()
  }
}
