// What a client sends and does not wait for: events that stand behind a running handler when their connection ends are handled all the
// same, in order, whatever the client speaks.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse()
  await pulse.load('rooms')
  await pulse.sql(`
    CREATE TABLE app.notes (id int GENERATED ALWAYS AS IDENTITY, who text, note text);
    GRANT INSERT ON app.notes TO pulse_client;
    CREATE FUNCTION app.note(args json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN
        IF args ->> 0 = 'first' THEN PERFORM pg_advisory_xact_lock(4712); END IF;
        INSERT INTO app.notes (who, note) VALUES (pulse.user_id(), args ->> 0);
        IF args ->> 0 = 'enough' THEN PERFORM pulse.disconnect('enough'); END IF;
        IF args ->> 0 = 'fails' THEN PERFORM pulse.fail('conflict', 'not this one'); END IF;
        RETURN NULL;
    END $$;
    SELECT pulse.on('note', 'app.note');`)
})
after(() => pulse?.stop())

const notes = who => pulse.value(`SELECT coalesce(string_agg(note, ' ' ORDER BY id), '') FROM app.notes WHERE who = $1`, [who])
// Its first handler runs; what is said meanwhile waits; the connection ends; then the handler may go on.
async function behind(who, say) {
  const keeper = await pulse.cluster.connect()
  await keeper.query('SELECT pg_advisory_lock(4712)')
  const ended = await say(() => until(() => pulse.value(`SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'advisory' AND usename = 'bridge'`), { what: 'the first handler' }))
  await until(async () => await pulse.bridge.metric('pulse_bridge_sockets') === 0, { what: 'the end of the connection' })
  assert.equal(await notes(who), '')
  await keeper.end()
  return ended
}
const words = ['first', ...Array.from({ length: 30 }, (_, n) => `n${n}`)]

for (const transports of [['websocket'], ['polling']]) {
  test(`E3: events of a Socket.IO client that left are handled in their order (${transports})`, async () => {
    const who = `left-${transports}`
    const socket = await pulse.io({ userId: who }, { transports })
    await behind(who, async runs => {
      for (const word of words) socket.emit('note', word)
      await runs()
      socket.disconnect()
    })
    await until(async () => await notes(who) === words.join(' '), { what: 'all of them' })
  })
}

test('E3: those of a connection that was cut, too; one that fails holds up none', async () => {
  const socket = await pulse.ws({ userId: 'cut' })
  await socket.frames.atLeast(1)
  await behind('cut', async runs => {
    for (const word of ['first', 'a', 'fails', 'b']) socket.send(JSON.stringify({ type: 'emit', event: 'note', args: [word] }))
    await runs()
    socket.terminate()
  })
  await until(async () => await notes('cut') === 'first a b', { what: 'all but the one that failed' })
})

test('E3: whom a handler sends away, or whose token is revoked, is not heard any more', async () => {
  const away = await pulse.io({ userId: 'away' })
  await behind('away', async runs => {
    for (const word of ['first', 'enough', 'more']) away.emit('note', word)
    await runs()
    away.disconnect()
  })
  const revoked = await pulse.io(token({ userId: 'gone' }))
  const keeper = await pulse.cluster.connect()
  await keeper.query('SELECT pg_advisory_lock(4712)')
  for (const word of ['first', 'more']) revoked.emit('note', word)
  await until(() => pulse.value(`SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'advisory' AND usename = 'bridge'`), { what: 'the first handler' })
  await pulse.sql(`SELECT pulse.revoke('gone')`)
  await until(() => !revoked.connected, { what: 'the end of the session' })
  await keeper.end()
  await until(async () => await notes('gone') === 'first' && await notes('away') === 'first enough', { what: 'those before' })
  const last = await pulse.io({ userId: 'last' })
  for (let n = 0; n < 8; n++) await last.emitWithAck('note', `n${n}`)
  assert.deepEqual([await notes('gone'), await notes('away')], ['first', 'first enough'])
})
