/**
 * What became of each command: 20 bytes a slot, open addressing, at most two thirds full. A CommandUUID is a digest, so all of its 128 bits are
 * kept: of fewer, somebody could look for a second command that passes for one already granted.
 */
const FIELDS = 5 // four of the UUID; then the day of its grant, and one bit for "answered": 0 is an empty slot
const KEEP_DAYS = 400 // longer than any order lives, so what is forgotten cannot be delivered either

export type Fate = 'unknown' | 'granted' | 'answered'

export class CommandIndex {
  #capacity = 1024
  #slots = new Uint32Array(this.#capacity * FIELDS)
  #used = 0

  fate(command: string): Fate {
    const state = this.#slots[this.#place(words(command)) + 4]!
    return state === 0 ? 'unknown' : state & 1 ? 'answered' : 'granted'
  }

  /** `day`: days since 1970. */
  grant(command: string, day: number): void {
    if (this.#used * 3 >= this.#capacity * 2) this.#grow(day)
    const key = words(command)
    const at = this.#place(key)
    if (this.#slots[at + 4] !== 0) return
    this.#slots.set([...key, day << 1], at)
    this.#used++
  }

  answer(command: string): void {
    const at = this.#place(words(command))
    if (this.#slots[at + 4] !== 0) this.#slots[at + 4]! |= 1
  }

  /** Where the key stands, or where it would. */
  #place([a, b, c, d]: Key): number {
    for (let slot = d % this.#capacity; ; slot = (slot + 1) % this.#capacity) {
      const at = slot * FIELDS
      const same =
        this.#slots[at] === a && this.#slots[at + 1] === b && this.#slots[at + 2] === c && this.#slots[at + 3] === d
      if (same || this.#slots[at + 4] === 0) return at
    }
  }

  #grow(day: number) {
    const old = this.#slots
    const kept = (at: number) => old[at + 4] !== 0 && (old[at + 4]! >>> 1) + KEEP_DAYS >= day
    let count = 0
    for (let at = 0; at < old.length; at += FIELDS) if (kept(at)) count++
    while (count * 3 >= this.#capacity) this.#capacity *= 2
    this.#slots = new Uint32Array(this.#capacity * FIELDS)
    this.#used = count
    for (let at = 0; at < old.length; at += FIELDS) {
      if (!kept(at)) continue
      const slot = old.subarray(at, at + FIELDS)
      this.#slots.set(slot, this.#place([slot[0]!, slot[1]!, slot[2]!, slot[3]!]))
    }
  }
}

type Key = [number, number, number, number]

const bytes = Buffer.alloc(16)

function words(uuid: string): Key {
  bytes.write(uuid.replaceAll('-', ''), 'hex')
  return [bytes.readUInt32BE(0), bytes.readUInt32BE(4), bytes.readUInt32BE(8), bytes.readUInt32BE(12)]
}
