// The log of SQL jobs: what they said in the server's log, from a mark on, in the order in which it was written.
import { createReadStream, statSync } from 'node:fs'
import { createInterface } from 'node:readline'

export const endOf = path => statSync(path).size

export async function readRuns(path, from) {
  const log = []
  for await (const line of createInterface({ input: createReadStream(path, { start: from }), crlfDelay: Infinity })) {
    const said = / LOG: +torture (\{.*\})$/.exec(line)
    if (said) log.push(JSON.parse(said[1]))
  }
  return log
}
