import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type FormEvent, useEffect, useState } from 'react'
import { matches } from '../../../src/people/tokens.ts'
import { call } from '../api.ts'
import { UnprovenWord } from '../parts/badges.tsx'
import { Act, Line } from '../parts/fields.tsx'
import { Icon } from '../parts/icons.tsx'
import { Empty, Failure, Loading, Notice, Page } from '../parts/page.tsx'
import { DirectoryGate } from '../parts/unlocking.tsx'
import type { PeoplePage as Answer, PersonLine } from '../people/api.ts'
import { useOpened } from '../people/opened.ts'
import { findLines, grantFor, PAGE, type Shown, showPeople } from '../people/reading.ts'
import { useShown } from '../people/shown.ts'
import { indexPeople } from '../people/writing.ts'
import { people as counted, nameOf } from '../peoplewords.ts'
import { useInstallation } from '../session.ts'

type Search = { number: number; lines: PersonLine[]; more: boolean; others: number }

/** Aliases, page after page; names only where somebody asks for them. What was looked for stands in no address and no cache. */
export function PeoplePage() {
  const unit = useInstallation().units[0]!
  const [cursors, setCursors] = useState([''])
  const [search, setSearch] = useState<Search>()
  const after = cursors.at(-1)!
  const page = useQuery({
    queryKey: ['people', unit.id, after],
    staleTime: 0, // versions are asked for by number: an old list finds nothing
    queryFn: ({ signal }) =>
      call<Answer>(
        `/api/people?${new URLSearchParams({ unit: unit.id, limit: String(PAGE), ...(after && { after }) })}`,
        {
          signal,
        },
      ),
  })
  const place = search ? `search ${search.number}` : `page ${after}`
  const { people: shown, show } = useShown(place)
  const opened = useOpened()
  const lines = search?.lines ?? page.data?.people
  if (page.data?.total === 0 && !search) return <NobodyPage />
  return (
    <Page
      title="People"
      lead="The server knows people by aliases. Names open here, in this browser, for a purpose; the ledger notes each time."
      actions={
        <Link to="/people/import" className="button quiet">
          Import people
        </Link>
      }
    >
      <DirectoryGate>
        {opened && (
          <SearchForm
            onFound={(found, people) => {
              setSearch(found)
              show(people, `search ${found.number}`)
            }}
          />
        )}
      </DirectoryGate>
      <Failure error={page.error} />
      {!lines && !page.error && <Loading />}
      {lines && (
        <>
          <div className="list-head">
            {search ? (
              <>
                <p role="status">
                  {search.lines.length === 0 ? 'Nobody fits.' : `${counted(search.lines.length)} found.`}
                  {search.more && ' More could fit: write more of the name.'}
                  {search.others > 0 &&
                    ` ${counted(search.others)} shared a search token by chance: opened, compared, and left out.`}
                </p>
                <Act look="quiet" onPress={() => setSearch(undefined)}>
                  Back to everybody
                </Act>
              </>
            ) : (
              <>
                <p className="note">
                  {counted(page.data!.total)}, by alias. Page {cursors.length} of {Math.ceil(page.data!.total / PAGE)}.
                </p>
                <ShowNames lines={lines} shown={shown} onShown={show} />
              </>
            )}
          </div>
          {lines.length > 0 && <Table lines={lines} shown={shown} />}
          <Unindexed lines={lines} shown={shown} />
          {!search && (
            <nav className="actions" aria-label="Pages">
              <Act look="quiet" isDisabled={cursors.length < 2} onPress={() => setCursors(cursors.slice(0, -1))}>
                Page before
              </Act>
              <Act
                look="quiet"
                isDisabled={!page.data?.next}
                onPress={() => setCursors([...cursors, page.data!.next!])}
              >
                Next page
              </Act>
            </nav>
          )}
        </>
      )}
    </Page>
  )
}

type ShowNamesProps = { lines: PersonLine[]; shown: Map<string, Shown>; onShown: (people: Shown[]) => void }

function ShowNames({ lines, shown, onShown }: ShowNamesProps) {
  const me = useInstallation()
  const opened = useOpened()
  const queries = useQueryClient()
  const reveal = useMutation({
    mutationFn: async () => {
      const { people, stale } = await showPeople(me, lines)
      onShown(people)
      if (stale > 0) await queries.invalidateQueries({ queryKey: ['people'] }) // somebody wrote meanwhile
    },
    gcTime: 0,
  })
  const isShown = lines.length > 0 && lines.every(({ id }) => shown.has(id))
  const grant = opened && grantFor(opened)
  const why = opened ? 'Sign a grant above first.' : 'Unlock the directory first.'
  return (
    <div className="show-names">
      <Failure error={reveal.error} />
      {isShown ? (
        <Act look="quiet" onPress={() => onShown([])}>
          Hide the names
        </Act>
      ) : (
        <Act icon="eye" isDisabled={!grant} isPending={reveal.isPending} onPress={() => reveal.mutate()}>
          Show names on this page
        </Act>
      )}
      {!grant && !isShown && <span className="help">{why}</span>}
    </div>
  )
}

let searches = 0

function SearchForm({ onFound }: { onFound: (found: Search, people: Shown[]) => void }) {
  const me = useInstallation()
  const opened = useOpened()
  const [text, setText] = useState('')
  const find = useMutation({
    mutationFn: async () => {
      const { people: lines, more } = await findLines(text)
      const { people } = lines.length === 0 ? { people: [] } : await showPeople(me, lines)
      const fitting = people.filter(({ person }) => matches(person, text))
      const ids = new Set(fitting.map(({ id }) => id))
      const found = { number: ++searches, lines: lines.filter(({ id }) => ids.has(id)), more }
      onFound({ ...found, others: people.length - fitting.length }, fitting)
    },
    gcTime: 0,
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    find.mutate()
  }
  if (!opened || !grantFor(opened)) return null
  return (
    <search>
      <form className="search" onSubmit={submit}>
        <Line
          label="Search by name, e-mail or number"
          type="search"
          value={text}
          onChange={setText}
          help="The beginning is enough, from three letters or digits on. The server compares tokens that it cannot read; who fits is opened and counts in your grant."
        />
        <Act type="submit" look="quiet" isPending={find.isPending} isDisabled={text.trim() === ''}>
          Search
        </Act>
      </form>
      <Failure error={find.error} />
    </search>
  )
}

const Table = ({ lines, shown }: { lines: PersonLine[]; shown: Map<string, Shown> }) => (
  <div className="part table">
    <table className="plain people" aria-label="People">
      <thead>
        <tr>
          {['Alias', 'Name', 'E-mail', 'Mobile', 'Office', 'Devices'].map(title => (
            <th key={title} scope="col">
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {lines.map(line => (
          <Row key={line.id} line={line} shown={shown.get(line.id)} />
        ))}
      </tbody>
    </table>
  </div>
)

function Row({ line: { id, alias, devices }, shown }: { line: PersonLine; shown: Shown | undefined }) {
  const person = shown?.person
  return (
    <tr>
      <th scope="row" className="alias">
        <Link to="/people/$person" params={{ person: id }}>
          {alias}
        </Link>
      </th>
      {person ? (
        <>
          <td>
            <bdi className="strong">{nameOf(person)}</bdi>
            {shown.unproven !== undefined && <UnprovenWord why={shown.unproven} />}
          </td>
          <td>
            <bdi>{person.email}</bdi>
          </td>
          <td className="number">{person.mobile}</td>
          <td>
            <bdi>{person.office}</bdi>
          </td>
        </>
      ) : (
        <td colSpan={4} className="sealed">
          <Icon name="lock" /> sealed
        </td>
      )}
      <td>
        {devices.map(({ device, alias: name }) => (
          <Link key={device} to="/devices/$device" params={{ device }} className="alias device-link">
            {name}
          </Link>
        ))}
      </td>
    </tr>
  )
}

/** Written by somebody who could not make search tokens. Those whose names are open here get theirs, at no cost to the grant. */
function Unindexed({ lines, shown }: { lines: PersonLine[]; shown: Map<string, Shown> }) {
  const me = useInstallation()
  const queries = useQueryClient()
  const missing = lines.filter(({ indexed }) => !indexed)
  const ready = missing.flatMap(({ id, version }) => {
    const person = shown.get(id)
    return person?.version === version ? [person] : []
  })
  const index = useMutation({
    mutationFn: () => indexPeople(me, ready),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['people'] }),
    gcTime: 0,
  })
  const { mutate, isIdle } = index
  const canSign = useOpened()?.writer !== undefined // somebody wrote already: this takes no gesture, and goes by itself
  useEffect(() => {
    if (canSign && ready.length > 0 && isIdle) mutate()
  }, [canSign, ready.length, isIdle, mutate])
  if (missing.length === 0) return null
  return (
    <Notice>
      <p className="strong">{counted(missing.length)} on this page cannot be found by search yet.</p>
      <p>
        Somebody who may write but not read, such as a feeder beside a directory, brought them without search tokens.{' '}
        {ready.length === 0
          ? 'Show their names, and this browser can make the tokens.'
          : 'Your passkey signs for them.'}
      </p>
      <Failure error={index.error} />
      {ready.length > 0 && (
        <Act look="quiet" icon="key" isPending={index.isPending} onPress={() => index.mutate()}>
          Make {counted(ready.length)} findable
        </Act>
      )}
    </Notice>
  )
}

const NobodyPage = () => (
  <Page title="People" lead="Nobody is in the directory yet.">
    <Empty title="How people come in, and stay unreadable">
      <ol>
        <li>
          <Link to="/people/import">Import a table</Link> (CSV or XLSX). It is read and sealed in this browser; the
          server gets ciphertext and an alias of two words for each person.
        </li>
        <li>Hand devices over to people: the server then knows which alias has which device, and not who that is.</li>
        <li>
          When somebody needs help, unlock the directory and show the names you need, for a purpose. The ledger notes
          each time, before anything opens.
        </li>
      </ol>
    </Empty>
  </Page>
)
