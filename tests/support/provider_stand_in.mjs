#!/usr/bin/env node
// A STAND-IN for tests and demos, not the real thing: one server that answers as Firebase Cloud Messaging (HTTP v1), Google's OAuth token
// endpoint and Twilio's Messages resource are documented to, as the SOS service of docs/reference/sos.md does, and takes any webhook. Nothing leaves this machine. It keeps what arrives, and
// goes wrong on demand. Tests run it in their own process:
//   const standIn = await startStandIn();  standIn.url;  standIn.arrivals;  standIn.fault('/hook', { status: 503 }, 2);  await standIn.stop()
// `make run` runs it as a program: node provider_stand_in.mjs [--port N] --home FOLDER (it writes its address and the files of secrets there).
//
// Which answer a message gets is said by its device token or its number:
//   unregistered-…  404 UNREGISTERED        invalid-…  400 INVALID_ARGUMENT      sender-…  403 SENDER_ID_MISMATCH
//   quota-…  429 with Retry-After           unavailable-…  503 with Retry-After  internal-…  500      apns-…  401 THIRD_PARTY_AUTH_ERROR
//   /internal/sos/unknown-…  404
//   +15005550001  400 code 21211            +15005550009  400 code 21614         +15005550002  400 code 21612
import { createHmac, createPublicKey, generateKeyPairSync, randomBytes, verify } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

const apiKeys = { accountSid: 'AC00000000000000000000000000000001', authToken: 'stand-in-auth-token', from: '+15005550006' }

class StandIn {
  arrivals = []          // { at, method, path, query, headers, body, httpVersion, connection }
  accessTokens = new Set()
  reports = []           // promises of reports on their way
  sms = { ...apiKeys }
  sos = { token: 'stand-in-internal-token', events: [] }   // what was told, each eventId once
  tokenLife = 3600
  latency = 0            // ms before every answer
  #faults = []
  #sockets = new Set()
  #messages = 0

  constructor(project) {
    this.project = project
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    this.publicKey = createPublicKey(publicKey.export({ type: 'spki', format: 'pem' }))
    this.privateKey = privateKey.export({ type: 'pkcs8', format: 'pem' })
  }

  // tls: { key, cert } PEM: HTTPS, with HTTP/2. tlsDelay: ms before each handshake begins.
  async listen({ port = 0, tls, tlsDelay = 0 } = {}) {
    const handler = (request, response) => this.#take(request, response).catch(() => response.destroy?.())
    this.server = tls ? http2.createSecureServer({ ...tls, allowHTTP1: true }, handler) : http.createServer(handler)
    this.server.on('sessionError', () => {}).on('clientError', (error, socket) => socket.destroy())
    this.front = tlsDelay > 0 ? net.createServer({ pauseOnConnect: true }, async socket => {
      this.#keep(socket)
      await sleep(tlsDelay, undefined, { ref: false })
      this.server.emit('connection', socket)
    }) : this.server
    this.front.on('connection', socket => this.#keep(socket))
    this.front.listen(port, '127.0.0.1')
    await once(this.front, 'listening')
    this.port = this.front.address().port
    this.url = `${tls ? 'https' : 'http'}://127.0.0.1:${this.port}`
    return this
  }

  #keep(socket) {
    if (this.#sockets.has(socket)) return
    socket.number = ++this.connections
    socket.on('error', () => {})
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }
  connections = 0

  async stop() {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise(resolve => this.front.close(resolve))
    await Promise.allSettled(this.reports)
  }

  // What a service account's file says, as Google's console gives it.
  get serviceAccount() {
    return { type: 'service_account', project_id: this.project, private_key_id: 'stand-in', private_key: this.privateKey, client_email: `stand-in@${this.project}.iam.gserviceaccount.com`, token_uri: `${this.url}/token` }
  }

  // The next `times` requests whose path begins with `path` meet this instead: { status, body, headers } · { hang: true } · { reset: true } ·
  // { truncate: true } or { tear: true } (an answer that ends, or is reset, in its middle, with `status`) · { late: ms } or { until: promise } and
  // then the usual answer · { huge: bytes } · { goaway: true } (of HTTP/2: the connection takes no more)
  fault(path, what, times = 1) {
    this.#faults.push({ path, what, times })
  }

  clearFaults() { this.#faults = [] }

  // What arrived at paths that begin so.
  at(path) { return this.arrivals.filter(arrival => arrival.path.startsWith(path)) }

  async #take(request, response) {
    const url = new URL(request.url, 'http://stand-in')
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const arrival = { at: Date.now(), method: request.method, path: url.pathname, query: Object.fromEntries(url.searchParams), headers: { ...request.headers }, body: Buffer.concat(chunks).toString(), httpVersion: request.httpVersion, connection: (request.stream?.session?.socket ?? request.socket)?.remotePort }
    if (url.pathname.startsWith('/stand-in/')) return this.#control(arrival, response)
    this.arrivals.push(arrival)
    if (this.latency > 0) await sleep(this.latency)
    const fault = this.#faults.find(({ path, times }) => times > 0 && arrival.path.startsWith(path))
    if (fault) {
      fault.times--
      if (await this.#goWrong(fault.what, request, response)) return
    }
    if (arrival.path === '/token') return this.#oauth(arrival, response)
    if (/^\/v1\/projects\/[^/]+\/messages:send$/.test(arrival.path)) return this.#fcm(arrival, response)
    if (/^\/2010-04-01\/Accounts\/[^/]+\/Messages\.json$/.test(arrival.path)) return this.#twilio(arrival, response)
    if (arrival.path.startsWith('/internal/')) return this.#sos(arrival, response)
    answer(response, 200, { received: this.arrivals.length })
  }

  #sos({ method, path, headers, body }, response) {
    if (headers['x-internal-token'] !== this.sos.token) return answer(response, 401, { error: 'X-Internal-Token' })
    const [, id] = path.match(/^\/internal\/sos\/([^/]+)$/) ?? []
    if (method === 'GET' && id !== undefined) {
      if (id.startsWith('unknown-')) return answer(response, 404, { error: 'no such case' })
      return answer(response, 200, { sosId: decodeURIComponent(id), address: `at ${decodeURIComponent(id)}`, severity: 'high' })
    }
    if (method !== 'POST' || path !== '/internal/realtime/event') return answer(response, 404, { error: 'no such route' })
    const told = JSON.parse(body)
    const missing = ['event', 'sosId', 'data', 'timestamp', 'eventId'].find(name => !(name in told))
    if (missing) return answer(response, 400, { error: `no ${missing}` })
    const again = this.sos.events.some(({ eventId }) => eventId === told.eventId)
    if (!again) this.sos.events.push(told)
    answer(response, 202, { again })
  }

  // Whether that was the whole answer.
  async #goWrong(what, request, response) {
    const destroy = () => (request.stream?.session ?? request.socket).destroy()
    if (what.hang) return true
    if (what.reset) return destroy(), true
    if (what.late) return await sleep(what.late), false
    if (what.until) return await what.until, false
    if (what.goaway) {
      const { stream } = request
      stream.session.goaway(http2.constants.NGHTTP2_NO_ERROR, Math.max(stream.id - 2, 0))
      stream.close(http2.constants.NGHTTP2_REFUSED_STREAM)
      setTimeout(destroy, 20)
      return true
    }
    if (what.truncate || what.tear) {
      response.writeHead(what.status ?? 200, { 'content-type': 'application/json', 'content-length': 1000 })
      response.write('{"name": "cut he')
      setTimeout(what.tear ? () => request.socket.resetAndDestroy() : destroy, 20)
      return true
    }
    if (what.huge) return response.writeHead(what.status ?? 200), response.end('x'.repeat(what.huge)), true
    response.writeHead(what.status, what.headers ?? {})
    response.end(typeof what.body === 'object' ? JSON.stringify(what.body) : what.body ?? '')
    return true
  }

  // For readers in other processes.
  #control({ method, path, body }, response) {
    if (path === '/stand-in/arrivals' && method === 'GET') return answer(response, 200, this.arrivals)
    if (path === '/stand-in/arrivals' && method === 'DELETE') return this.arrivals = [], answer(response, 204)
    if (path === '/stand-in/faults' && method === 'POST') {
      const { path: where, times, ...what } = JSON.parse(body)
      this.fault(where, what, times)
      return answer(response, 204)
    }
    answer(response, 404, { error: 'GET or DELETE /stand-in/arrivals, POST /stand-in/faults' })
  }

  // https://developers.google.com/identity/protocols/oauth2/service-account
  #oauth({ body }, response) {
    const form = new URLSearchParams(body)
    const refuse = why => answer(response, 400, { error: 'invalid_grant', error_description: why })
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') return answer(response, 400, { error: 'unsupported_grant_type', error_description: 'Invalid grant_type' })
    const parts = (form.get('assertion') ?? '').split('.')
    if (parts.length !== 3) return refuse('Not a JWT')
    if (!verify('RSA-SHA256', Buffer.from(parts.slice(0, 2).join('.')), this.publicKey, Buffer.from(parts[2], 'base64url'))) return refuse('Invalid JWT Signature.')
    const claims = JSON.parse(Buffer.from(parts[1], 'base64url'))
    const now = Date.now() / 1000
    if (claims.iss !== this.serviceAccount.client_email || claims.aud !== this.serviceAccount.token_uri || !claims.scope?.includes('firebase.messaging')) return refuse('Invalid JWT: iss, aud or scope')
    if (claims.exp < now || claims.exp > claims.iat + 3600 || claims.iat > now + 60) return refuse('Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.')
    const token = `ya29.stand-in-${randomBytes(8).toString('hex')}`
    this.accessTokens.add(token)
    answer(response, 200, { access_token: token, expires_in: this.tokenLife, token_type: 'Bearer' })
  }

  // https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send
  #fcm({ headers, body, path }, response) {
    const refuse = (code, status, errorCode, message, more = {}) => answer(response, code, {
      error: { code, message, status, details: [...(errorCode ? [{ '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError', errorCode }] : [])] }
    }, more)
    if (!this.accessTokens.has(headers.authorization?.replace(/^Bearer /, ''))) return refuse(401, 'UNAUTHENTICATED', null, 'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.')
    if (path.split('/')[3] !== this.project) return refuse(404, 'NOT_FOUND', null, 'Requested entity was not found.')
    let sent
    try { sent = JSON.parse(body) } catch { return refuse(400, 'INVALID_ARGUMENT', null, 'Invalid JSON payload received.') }
    const message = sent.message ?? {}
    if (['token', 'topic', 'condition'].filter(name => message[name]).length !== 1) return refuse(400, 'INVALID_ARGUMENT', 'INVALID_ARGUMENT', 'Recipient of the message is not set.')
    const wrong = Object.entries(message.data ?? {}).find(([, value]) => typeof value !== 'string')
    if (wrong) return refuse(400, 'INVALID_ARGUMENT', null, `Invalid value at 'message.data[0].value' (TYPE_STRING), ${wrong[1]}`)
    const token = message.token ?? ''
    const is = word => token.startsWith(`${word}-`)
    if (is('unregistered')) return refuse(404, 'NOT_FOUND', 'UNREGISTERED', 'Requested entity was not found.')
    if (is('invalid')) return refuse(400, 'INVALID_ARGUMENT', 'INVALID_ARGUMENT', 'The registration token is not a valid FCM registration token')
    if (is('sender')) return refuse(403, 'PERMISSION_DENIED', 'SENDER_ID_MISMATCH', 'SenderId mismatch')
    if (is('quota')) return refuse(429, 'RESOURCE_EXHAUSTED', 'QUOTA_EXCEEDED', 'Quota exceeded', { 'retry-after': '1' })
    if (is('unavailable')) return refuse(503, 'UNAVAILABLE', 'UNAVAILABLE', 'The service is currently unavailable.', { 'retry-after': '1' })
    if (is('internal')) return refuse(500, 'INTERNAL', 'INTERNAL', 'Internal error encountered.')
    if (is('apns')) return refuse(401, 'UNAUTHENTICATED', 'THIRD_PARTY_AUTH_ERROR', 'Auth error from APNS or Web Push Service')
    answer(response, 200, { name: `projects/${this.project}/messages/${sent.validate_only ? 'fake_message_id' : ++this.#messages}` })
  }

  // https://www.twilio.com/docs/messaging/api/message-resource
  #twilio({ headers, body, path }, response) {
    const refuse = (status, code, message) => answer(response, status, { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status })
    const { accountSid, authToken } = this.sms
    if (headers.authorization !== `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`) return refuse(401, 20003, 'Authenticate')
    if (path.split('/')[3] !== accountSid) return refuse(404, 20404, `The requested resource ${path} was not found`)
    const form = new URLSearchParams(body)
    const to = form.get('To') ?? ''
    if (!form.get('Body') && !form.get('MediaUrl')) return refuse(400, 21602, 'Message body is required.')
    if (!form.get('From') && !form.get('MessagingServiceSid')) return refuse(400, 21603, "A 'From' phone number is required.")
    if (!/^\+[1-9]\d{6,14}$/.test(to) || to === '+15005550001') return refuse(400, 21211, `The 'To' number ${to} is not a valid phone number.`)
    if (to === '+15005550009') return refuse(400, 21614, `'To' number: ${to}, is not a valid mobile number`)
    if (to === '+15005550002') return refuse(400, 21612, `The 'To' phone number: ${to}, is not currently reachable via SMS`)
    const sid = `SM${randomBytes(16).toString('hex')}`
    answer(response, 201, { sid, account_sid: accountSid, to, from: form.get('From'), messaging_service_sid: form.get('MessagingServiceSid'), body: form.get('Body'), status: 'queued', num_segments: '1', direction: 'outbound-api', error_code: null, error_message: null })
    if (form.get('StatusCallback')) this.reports.push(this.#report(form.get('StatusCallback'), { MessageSid: sid, AccountSid: accountSid, To: to, From: form.get('From') ?? '' }))
  }

  async #report(url, message) {
    for (const MessageStatus of ['sent', 'delivered']) {
      const parameters = { ...message, SmsSid: message.MessageSid, MessageStatus, SmsStatus: MessageStatus, ApiVersion: '2010-04-01' }
      await this.report(url, parameters).catch(() => {})
    }
  }

  // A report to a status callback, rightly signed unless told otherwise.
  async report(url, parameters, authToken = this.sms.authToken) {
    const text = url + Object.keys(parameters).sort().map(name => name + parameters[name]).join('')
    return await fetch(url, { method: 'POST', body: new URLSearchParams(parameters), headers: { 'x-twilio-signature': createHmac('sha1', authToken).update(text).digest('base64') } })
  }
}

function answer(response, status, body, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers })
  response.end(body === undefined ? '' : JSON.stringify(body))
}

export async function startStandIn({ project = 'stand-in', ...options } = {}) {
  return await new StandIn(project).listen(options)
}

if (process.argv[1] && import.meta.url === new URL(`file://${process.argv[1]}`).href) {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '0' }, home: { type: 'string' }, latency: { type: 'string', default: '0' } } })
  const standIn = await startStandIn({ port: Number(values.port) })
  standIn.latency = Number(values.latency)
  if (values.home) {
    mkdirSync(values.home, { recursive: true, mode: 0o700 })
    const write = (name, value) => writeFileSync(join(values.home, name), JSON.stringify(value), { mode: 0o600 })
    write('service_account.json', standIn.serviceAccount)
    write('sms_account.json', standIn.sms)
    writeFileSync(join(values.home, 'url.new'), standIn.url)
    renameSync(join(values.home, 'url.new'), join(values.home, 'url'))
  }
  console.log(`a STAND-IN for FCM, OAuth and SMS, for tests and demos: ${standIn.url}; what arrives: ${standIn.url}/stand-in/arrivals`)
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(0))
}
