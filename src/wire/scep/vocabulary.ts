// The words of SCEP and their numbers (RFC 8894, 3.2.1).

/**
 * What GetCACaps answers: one word a line. Only what is true; the last line says that RFC 8894 is followed, which has no word
 * for SHA-384: strongSwan 5.9 asks for AES only where it finds that one.
 */
export const CAPABILITIES = [
  'AES',
  'DES3',
  'POSTPKIOperation',
  'Renewal',
  'SHA-1',
  'SHA-256',
  'SHA-384',
  'SHA-512',
  'SCEPStandard',
].join('\n')

export const messageTypes = {
  CertRep: '3',
  RenewalReq: '17',
  PKCSReq: '19',
  CertPoll: '20',
  GetCert: '21',
  GetCRL: '22',
} as const

export const statuses = { SUCCESS: '0', FAILURE: '2', PENDING: '3' } as const

export const failures = {
  badAlg: '0',
  badMessageCheck: '1',
  badRequest: '2',
  badTime: '3',
  badCertId: '4',
} as const

export type MessageType = keyof typeof messageTypes
export type PkiStatus = keyof typeof statuses
export type FailInfo = keyof typeof failures

/** The word for a number, or undefined. */
export function wordFor<Word extends string>(table: Readonly<Record<Word, string>>, number: string): Word | undefined {
  return (Object.keys(table) as Word[]).find(word => table[word] === number)
}
