// Listening over plain HTTP: an event stream read by the rules of the HTML standard, and long-polls. Node's fetch keeps sockets; these
// are one connection each, as curl's are.
import { get } from 'node:http'
import { token } from './token.mjs'
import { until } from './wait.mjs'

const query = parameters => new URLSearchParams(Object.entries(parameters).flatMap(([name, value]) => [value].flat().map(one => [name, one])))
const bearer = who => who === undefined ? {} : { authorization: `Bearer ${typeof who === 'string' ? who : token(who)}` }

// GET whose answer's head is waited for: {status, headers, request, response}.
function open(url, headers) {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers, agent: false }, response => resolve({ status: response.statusCode, headers: response.headers, request, response }))
    request.on('error', reject)
  })
}

async function text(response) {
  let all = ''
  for await (const chunk of response.setEncoding('utf8')) all += chunk
  return all
}

// An open event stream: .events [{name, data, id}], .lastEventId, .retry, .comments, .ended (a promise); or, refused, {status, body}.
export async function sse(bridge, who, parameters, { path = '/sse', headers = {} } = {}) {
  const answer = await open(`${bridge.url}${path}?${query(parameters)}`, { accept: 'text/event-stream', ...bearer(who), ...headers })
  const stream = { status: answer.status, headers: answer.headers, events: [], comments: [], lastEventId: '', retry: undefined, over: false }
  if (answer.status !== 200) return { ...stream, body: JSON.parse(await text(answer.response)) }
  let rest = '', name = '', data = [], id = ''
  const line = text => {
    if (text === '') {
      stream.lastEventId = id
      if (data.length > 0) stream.events.push({ name: name || 'message', data: JSON.parse(data.join('\n')), id })
      name = ''
      data = []
      return
    }
    const [, field, value = ''] = /^([^:]*):? ?(.*)$/.exec(text)
    if (field === '') stream.comments.push(value)
    if (field === 'event') name = value
    if (field === 'data') data.push(value)
    if (field === 'id') id = value
    if (field === 'retry') stream.retry = Number(value)
  }
  answer.response.setEncoding('utf8').on('data', chunk => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()
    lines.forEach(line)
  })
  answer.response.on('error', () => {})
  stream.ended = new Promise(resolve => answer.response.on('close', () => { stream.over = true; resolve() }))
  stream.close = async () => { answer.request.destroy(); await stream.ended }
  stream.response = answer.response
  stream.wait = (check, what = 'an event') => until(() => stream.events.find(check), { what })
  stream.named = wanted => stream.events.filter(event => event.name === wanted).map(event => event.data)
  await until(() => stream.lastEventId, { what: 'the first block' })
  return stream
}

// One poll, answered: {status, headers, body}. `request` of the result of startPoll() can be destroyed meanwhile.
export async function poll(bridge, who, parameters, options) { return await startPoll(bridge, who, parameters, options).answered }

export function startPoll(bridge, who, parameters, { headers = {} } = {}) {
  let request
  const answered = new Promise((resolve, reject) => {
    request = get(`${bridge.url}/poll?${query(parameters)}`, { headers: { ...bearer(who), ...headers }, agent: false }, async response => {
      const body = await text(response)
      resolve({ status: response.statusCode, headers: response.headers, body: body === '' ? undefined : JSON.parse(body) })
    })
    request.on('error', reject)
  })
  answered.catch(() => {})
  return { answered, request }
}

export const connections = async bridge => (await (await fetch(`${bridge.internalUrl}/health`)).json()).checks.connections
