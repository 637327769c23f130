// JSON Web Tokens for tests: signed here and not by the bridge, so that the two check each other. HS256 by default.
import { createHmac, sign } from 'node:crypto'

export const secret = 'a-secret-of-tests-with-at-least-32-bytes'

export const part = value => Buffer.from(typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value)).toString('base64url')

// The signature of `text` for a header's alg. key: a secret for HS256 to HS512, a private KeyObject for the others.
export function signature(text, alg, key = secret) {
  const hash = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' }[alg]
  if (hash) return createHmac(hash, key).update(text).digest('base64url')
  if (alg === 'EdDSA') return sign(null, Buffer.from(text), key).toString('base64url')
  return sign('sha256', Buffer.from(text), alg === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key).toString('base64url')
}

// claims: {userId, …}. expires: seconds from now, null for none.
export function token(claims, { expires = 3600, alg = 'HS256', key = secret, header = {} } = {}) {
  const exp = expires === null ? {} : { exp: Math.floor(Date.now() / 1000) + expires }
  const text = `${part({ alg, typ: 'JWT', ...header })}.${part({ ...exp, ...claims })}`
  return alg === 'none' ? `${text}.` : `${text}.${signature(text, alg, key)}`
}
