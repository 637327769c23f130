// Certificates for tests, made by openssl in a folder of their own: self-signed for localhost, each with a serial number to tell it by.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export class Certificates {
  folder = mkdtempSync(join(tmpdir(), 'certificates-'))
  certificate = join(this.folder, 'cert.pem')
  key = join(this.folder, 'key.pem')

  // A new pair in place of the old one; days: negative for one that has expired.
  write(serial, { days = 2 } = {}) {
    const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    const request = join(this.folder, 'request.pem'), extensions = join(this.folder, 'extensions')
    writeFileSync(extensions, 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', this.key, '-out', request, '-subj', '/CN=localhost')
    openssl('x509', '-req', '-in', request, '-signkey', this.key, '-days', String(days), '-set_serial', String(serial), '-extfile', extensions, '-out', this.certificate)
  }

  get settings() { return { PULSE_TLS_CERT_FILE: this.certificate, PULSE_TLS_KEY_FILE: this.key } }
  remove() { rmSync(this.folder, { recursive: true }) }
}
