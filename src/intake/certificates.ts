import { sha256Hex } from '../trust/statement.ts'
import { decodeCertificate } from '../wire/pkcs/certificate.ts'

export type KnownCertificate = { sha256: string; decoded: ReturnType<typeof decodeCertificate> }
export type Certificates = {
  /** Decodes it, unless it is kept. Throws MALFORMED. */
  find(der: Buffer): KnownCertificate
  /** A device sends the same certificate each time: decoding it once is most of the cost saved. */
  keep(der: Buffer, known: KnownCertificate): void
  readonly size: number
}

/** Keyed by their whole bytes. Only what the asker vouches for is to be kept: strangers bring as many as they like, of any size. */
export function createCertificates(most = 20_000): Certificates {
  const kept = new Map<string, KnownCertificate>()
  return {
    find: der => kept.get(der.toString('latin1')) ?? { sha256: sha256Hex(der), decoded: decodeCertificate(der) },
    keep(der, known) {
      const name = der.toString('latin1')
      if (kept.has(name)) return
      if (kept.size >= most) kept.clear()
      kept.set(name, known)
    },
    get size() {
      return kept.size
    },
  }
}
