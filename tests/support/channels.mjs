// A cluster whose delivery channels lead to a stand-in: startChannels() for tests of channels. Secrets are files in the data directory.
import { startStandIn } from './provider_stand_in.mjs'
import { Cluster } from './cluster.mjs'
import { until } from './wait.mjs'

export const webhookSecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

export async function startChannels({ settings = {}, standIn = {}, extensions } = {}) {
  const provider = await startStandIn(standIn)
  const cluster = await Cluster.create({
    extensions,
    settings: {
      'pulse.fcm_url': provider.url, 'pulse.fcm_service_account_file': 'service_account.json',
      'pulse.sms_url': provider.url, 'pulse.sms_auth_file': 'sms_account.json',
      'pulse.webhook_secret_file': 'webhook_secrets', 'pulse.webhook_allow': '*, 127.0.0.1', ...settings
    }
  })
  const channels = new Channels(cluster, provider)
  try {
    await channels.writeSecrets()
  } catch (error) {
    await channels.stop()
    throw error
  }
  return channels
}

class Channels {
  constructor(cluster, provider) {
    this.cluster = cluster
    this.provider = provider
  }

  async writeSecrets() {
    await this.writeFile('service_account.json', JSON.stringify(this.provider.serviceAccount))
    await this.writeFile('sms_account.json', JSON.stringify(this.provider.sms))
    await this.writeFile('webhook_secrets', webhookSecret)
    await this.reload()
  }

  // Byte for byte (COPY would escape), into the data directory.
  async writeFile(name, text) {
    const id = await this.cluster.value(`SELECT lo_from_bytea(0, convert_to($1, 'UTF8'))`, [text])
    await this.cluster.sql(`SELECT lo_export($1, current_setting('data_directory') || '/' || $2), lo_unlink($1)`, [id, name])
  }

  async reload() { await this.cluster.sql('SELECT pg_reload_conf()', [], 'postgres') }

  async enqueue(kind, args, options = '', queue = 'q') {
    return await this.cluster.value(`SELECT pulse.enqueue($1, $2, $3::json ${options && ', ' + options})`, [queue, kind, JSON.stringify(args)])
  }

  // The job once it has ended for good, or has failed at least once.
  async ended(id) {
    return await until(async () => {
      const job = await this.cluster.value('SELECT to_json(j) FROM pulse.jobs j WHERE j.id = $1', [id])
      return job && ['completed', 'cancelled', 'discarded'].includes(job.state) && job
    }, { what: `the end of job ${id}` })
  }

  async failed(id, attempts = 1) {
    return await until(async () => {
      const job = await this.cluster.value('SELECT to_json(j) FROM pulse.jobs j WHERE j.id = $1', [id])
      return job && (job.errors?.length ?? 0) >= attempts && job
    }, { what: `a failed attempt of job ${id}` })
  }

  async stop() {
    await this.cluster.drop()
    await this.provider.stop()
  }
}
