import { BulkheadError } from '../../base/errors.ts'
import { rawPublic, x25519Private } from '../../wire/hpke.ts'
import type { Keyring } from './keyring.ts'
import { nameOf, type Place } from './rows.ts'

/**
 * Public release keys that were handed out, so that what comes back is known to be sealed to a key that opens it: keys may have been made anew
 * in between. The pair of a record that does not exist yet lives here alone, and is forgotten where nobody writes it.
 */
export type Offers = ReturnType<typeof createOffers>
type Offer = {
  unit: string
  until: number
  public: Buffer
  key: Buffer | undefined /* of a record that is not there yet */
}

export const OFFER_SECONDS = 600
const MOST = 120_000

/** `clock`: seconds. */
export function createOffers(keyring: Keyring, clock: () => number, random: (size: number) => Buffer) {
  const offers = new Map<string, Offer>() // in the order of age

  function drop(name: string) {
    offers.get(name)?.key?.fill(0)
    offers.delete(name)
  }
  function dropOld() {
    for (const [name, { until }] of offers) {
      if (until > clock()) break
      drop(name)
    }
    if (offers.size >= MOST)
      throw new BulkheadError('LIMIT', 'Too many release keys wait for their records.', {
        remedy: 'Try again in ten minutes.',
      })
  }
  const present = (place: Place) => keyring.nextKey(place) ?? keyring.find(place)?.key
  const living = (name: string) => {
    const offer = offers.get(name)
    return offer && offer.until > clock() ? offer : undefined
  }

  return {
    /** The public key that a record's next version is to be sealed to, 32 bytes. */
    offer(place: Place, unit: string): Buffer {
      const name = nameOf(place)
      const known = present(place)
      const waiting = known ? undefined : living(name)
      if (waiting && waiting.unit === unit) return waiting.public
      dropOld()
      drop(name)
      const key = known ?? random(32)
      const offer = { unit, until: clock() + OFFER_SECONDS, public: publicOf(key), key: known ? undefined : key }
      offers.set(name, offer)
      return offer.public
    },
    /** The private key of what was offered for this unit, where it still is the one to seal to. */
    accept(place: Place, unit: string): Buffer | undefined {
      const offer = living(nameOf(place))
      if (!offer || offer.unit !== unit) return undefined
      const known = present(place)
      if (!known) return offer.key
      return publicOf(known).equals(offer.public) ? known : undefined
    },
    forget(places: readonly Place[]) {
      for (const place of places) drop(nameOf(place))
    },
  }
}

export const publicOf = (key: Uint8Array): Buffer => rawPublic(x25519Private(key))
