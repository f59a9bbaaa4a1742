import { BulkheadError } from '../base/errors.ts'

/** RFC 7468, as much of it as we write and administrators paste. */
export function toPem(label: 'CERTIFICATE' | 'CERTIFICATE REQUEST', der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** The first block with this label. Throws MALFORMED. */
export function fromPem(label: 'CERTIFICATE', text: string): Buffer {
  const begin = `-----BEGIN ${label}-----`
  const from = text.indexOf(begin)
  const to = text.indexOf(`-----END ${label}-----`, from)
  const body = text.slice(from + begin.length, to).replace(/\s/g, '')
  if (from < 0 || to < 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(body))
    throw new BulkheadError('MALFORMED', 'This is no certificate in PEM form.', { remedy: `It begins with ${begin}.` })
  return Buffer.from(body, 'base64')
}
