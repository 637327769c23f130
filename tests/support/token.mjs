// JSON Web Tokens for tests: signed here and not by the bridge, so that the two check each other. HS256 by default.
import { createHmac, sign } from 'node:crypto'

export const secret = 'a-secret-of-tests-with-at-least-32-bytes'

const part = value => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

// claims: {userId, …}. expires: seconds from now, null for none. key: a private KeyObject for RS256 and ES256.
export function token(claims, { expires = 3600, alg = 'HS256', key = secret, header = {} } = {}) {
  const exp = expires === null ? {} : { exp: Math.floor(Date.now() / 1000) + expires }
  const text = `${part({ alg, typ: 'JWT', ...header })}.${part({ ...exp, ...claims })}`
  if (alg === 'none') return `${text}.`
  const signature = alg === 'HS256'
    ? createHmac('sha256', key).update(text).digest()
    : sign('sha256', Buffer.from(text), alg === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key)
  return `${text}.${signature.toString('base64url')}`
}
