import type { Signed } from '../api.ts'

/** The console's API of the sealed directory, as this app uses it. Nothing of it is believed. */
export type PersonLine = {
  id: string
  alias: string
  unit: string
  version: number
  indexed: boolean
  devices: { device: string; alias: string }[]
}
export type PeoplePage = { people: PersonLine[]; next: string | null; total: number }
export type Found = { people: PersonLine[]; more: boolean }
export type Left = { grant: number; budgets: { people: number; seconds: number; left: number }[] }
export type Released = {
  left: Left
  vault: { statement: string; signature: string }
  records: {
    id: string
    version: number
    state: 'ok' | 'stale' | 'unknown'
    inner: string
    statement: string
    signature: string
    writer: Signed | null
  }[]
}
export type Share = { unit: string; publicKey: string; credential: string; sealed: string }
export type AssignmentLine = {
  device: string
  alias: string
  version: number
  person: string | null
  statement: string
  signature: string
  writer: Signed | null
}
