// A handler that is under way for as long as a test wants: `held` waits for hold(), and gives back what it was sent.
//   const letGo = await hold(pulse);  socket.emitWithAck('held', 1);  await underWay(pulse, 1);  …;  await letGo()
import { until } from './wait.mjs'

// Over rooms.sql. pulse.handler_timeout must be long enough.
export const heldHandler = `
  CREATE FUNCTION app.held(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(4713); RETURN args; END $$;
  SELECT pulse.on('held', 'app.held')`

// One at a time: what a test that failed has left held is let go by the next.
let letGo
export async function hold(pulse) {
  await letGo?.()
  const keeper = await pulse.cluster.connect()
  await keeper.query('SELECT pg_advisory_lock(4713)')
  return letGo = () => { letGo = undefined; return keeper.end() }
}

export const underWay = (pulse, n) =>
  until(async () => await pulse.value(`SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'advisory' AND usename = 'bridge'`) === n, { what: `${n} handlers under way` })
