import { useEffect, useState } from 'react'
import { useOpened } from './opened.ts'
import type { Shown } from './reading.ts'

/** Names that a page shows, by id, in that page's own state: they go when it is left, when another page of the list comes, and when the unit is locked. */
export function useShown(of: string) {
  const key = useOpened()?.key
  const [kept, setKept] = useState<{ of: string; people: Map<string, Shown> }>({ of, people: new Map() })
  useEffect(() => {
    if (!key) setKept({ of: '', people: new Map() })
  }, [key])
  const people = key && kept.of === of ? kept.people : new Map<string, Shown>()
  const show = (found: Shown[], place = of) =>
    setKept({ of: place, people: new Map(found.map(person => [person.id, person])) })
  return { people, show }
}
