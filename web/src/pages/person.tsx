import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { COLUMNS, type Column, checkPerson, type Person } from '../../../src/people/person.ts'
import { call, Refusal } from '../api.ts'
import { UnprovenWord } from '../parts/badges.tsx'
import { Act, Line, Tick } from '../parts/fields.tsx'
import { Failure, Missing, Notice, Page, Pairs, Part, Waiting } from '../parts/page.tsx'
import { DirectoryGate } from '../parts/unlocking.tsx'
import type { PeoplePage, PersonLine } from '../people/api.ts'
import { useOpened } from '../people/opened.ts'
import { grantFor, type Shown, showPeople } from '../people/reading.ts'
import { useShown } from '../people/shown.ts'
import { assignmentsOf, erasePerson, handOver, savePerson } from '../people/writing.ts'
import { COLUMN_WORDS, nameOf } from '../peoplewords.ts'
import { useInstallation } from '../session.ts'
import { useDevices } from './devices.tsx'

const route = getRouteApi('/inside/people/$person')

export function PersonPage() {
  const { person } = route.useParams()
  const query = useQuery({
    queryKey: ['people', 'one', person],
    queryFn: async ({ signal }) => {
      const { people } = await call<PeoplePage>(`/api/people?${new URLSearchParams({ name: person })}`, { signal })
      if (people[0]) return people[0]
      throw new Refusal('NOT_FOUND', 'There is nobody with this id.')
    },
  })
  if (!query.data)
    return query.error ? <Missing what="person" to="/people" error={query.error} /> : <Waiting title="Person" />
  return <Known key={query.data.id} line={query.data} />
}

function Known({ line }: { line: PersonLine }) {
  const { people, show } = useShown(`${line.id} ${line.version}`)
  const shown = people.get(line.id)
  return (
    <Page title={line.alias} lead={shown ? <Name shown={shown} /> : 'An alias: two words without a meaning.'}>
      <DirectoryGate />
      <div className="columns">
        <Contact line={line} shown={shown} onShown={show} />
        <div className="stack">
          <Devices line={line} />
          <Part title="What the server knows">
            <Pairs
              rows={[
                { key: 'id', name: 'Id', value: <span className="mono breaks">{line.id}</span> },
                { key: 'version', name: 'Version', value: line.version },
                {
                  key: 'search',
                  name: 'Found by search',
                  value: line.indexed ? 'Yes, by tokens that it cannot read' : 'Not yet: it has no tokens',
                },
              ]}
            />
          </Part>
        </div>
      </div>
      <Erase line={line} />
    </Page>
  )
}

const Name = ({ shown: { person, unproven } }: { shown: Shown }) => (
  <>
    <bdi className="strong">{nameOf(person)}</bdi> {unproven !== undefined && <UnprovenWord why={unproven} />}
  </>
)

type ContactProps = { line: PersonLine; shown: Shown | undefined; onShown: (people: Shown[]) => void }

function Contact({ line, shown, onShown }: ContactProps) {
  const me = useInstallation()
  const opened = useOpened()
  const queries = useQueryClient()
  const [editing, setEditing] = useState(false)
  const reveal = useMutation({
    mutationFn: async () => {
      const { people, stale } = await showPeople(me, [line])
      onShown(people)
      if (stale > 0) await queries.invalidateQueries({ queryKey: ['people'] })
    },
    gcTime: 0,
  })
  if (!shown)
    return (
      <Part title="Name and contact" note="Sealed. Showing them takes one of your grant, and is noted in the ledger.">
        <Failure error={reveal.error} />
        <div className="actions">
          <Act
            icon="eye"
            isDisabled={!opened || !grantFor(opened)}
            isPending={reveal.isPending}
            onPress={() => reveal.mutate()}
          >
            Show this person
          </Act>
        </div>
      </Part>
    )
  if (editing) return <Edit line={line} person={shown.person} onDone={() => setEditing(false)} />
  const { person, unproven } = shown
  return (
    <Part title="Name and contact">
      {unproven !== undefined && (
        <Notice tone="warn">
          <p className="strong">Unproven: {unproven}</p>
          <p>Somebody may have put it there who may not. Compare it with another source before you rely on it.</p>
        </Notice>
      )}
      <Pairs
        rows={COLUMNS.map(column => ({
          key: column,
          name: COLUMN_WORDS[column],
          value: person[column] === '' ? <span className="note">Not known</span> : <bdi>{person[column]}</bdi>,
        }))}
      />
      <div className="actions">
        <Act look="quiet" icon="pencil" onPress={() => setEditing(true)}>
          Change
        </Act>
        <Act look="quiet" onPress={() => onShown([])}>
          Hide
        </Act>
      </div>
    </Part>
  )
}

function Edit({ line, person, onDone }: { line: PersonLine; person: Person; onDone: () => void }) {
  const me = useInstallation()
  const queries = useQueryClient()
  const [typed, setTyped] = useState<Record<Column, string>>(() => ({ ...person }))
  const { person: next, complaints } = checkPerson({ ...typed, fields: person.fields })
  const save = useMutation({
    mutationFn: () => savePerson(me, line, next),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['people'] })
      onDone()
    },
    gcTime: 0,
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (complaints.length === 0) save.mutate()
  }
  return (
    <Part
      title="Change name and contact"
      note="It is sealed here and signed as the version after the one you were shown. If somebody else was faster, nothing is overwritten."
    >
      <form className="stack" onSubmit={submit}>
        {COLUMNS.map(column => (
          <Line
            key={column}
            label={COLUMN_WORDS[column]}
            value={typed[column]}
            onChange={text => setTyped({ ...typed, [column]: text })}
          />
        ))}
        {complaints.length > 0 && (
          <ul className="wrong" role="status">
            {complaints.map(({ column, message }) => (
              <li key={`${column} ${message}`}>
                {column && `${COLUMN_WORDS[column]}: `}
                {message}
              </li>
            ))}
          </ul>
        )}
        <Failure error={save.error} />
        <div className="actions">
          <Act type="submit" icon="key" isDisabled={complaints.length > 0} isPending={save.isPending}>
            Seal and save
          </Act>
          <Act look="quiet" onPress={onDone}>
            Do not change
          </Act>
        </div>
      </form>
    </Part>
  )
}

function Devices({ line }: { line: PersonLine }) {
  const me = useInstallation()
  const opened = useOpened()
  const queries = useQueryClient()
  const held = useQuery({
    queryKey: ['people', 'devices', line.id],
    queryFn: () => assignmentsOf(me, { person: line.id }),
  })
  const [giving, setGiving] = useState(false)
  const refresh = () => queries.invalidateQueries({ queryKey: ['people'] })
  const take = useMutation({ mutationFn: (device: string) => handOver(me, device, undefined), onSettled: refresh })
  return (
    <Part title="Devices">
      <Failure error={held.error ?? take.error} />
      {held.data?.length === 0 && <p>None was handed over to this person.</p>}
      <ul className="deliveries">
        {held.data?.map(({ device, alias, unproven }) => (
          <li key={device}>
            <Link to="/devices/$device" params={{ device }}>
              {alias}
            </Link>
            {unproven === undefined ? <span /> : <UnprovenWord why={unproven} />}
            <Act look="quiet" isDisabled={!opened} isPending={take.isPending} onPress={() => take.mutate(device)}>
              Take back
            </Act>
          </li>
        ))}
      </ul>
      {giving && opened ? (
        <HandOver line={line} held={held.data?.map(({ device }) => device) ?? []} onDone={() => setGiving(false)} />
      ) : (
        <div className="actions">
          <Act look="quiet" icon="device" isDisabled={!opened} onPress={() => setGiving(true)}>
            Hand over a device
          </Act>
        </div>
      )}
      <p className="note">
        Signed in your name. The server learns that this alias has the device: not who that is. Unlock the directory to
        change it.
      </p>
    </Part>
  )
}

const FEW = 6

function HandOver({ line, held, onDone }: { line: PersonLine; held: string[]; onDone: () => void }) {
  const me = useInstallation()
  const queries = useQueryClient()
  const { devices } = useDevices()
  const [words, setWords] = useState('')
  const fitting = (devices ?? []).filter(
    ({ device, alias, state }) =>
      state !== 'left' && !held.includes(device) && alias.includes(words.trim().toLowerCase()),
  )
  const give = useMutation({
    mutationFn: (device: string) => handOver(me, device, line.id),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['people'] })
      onDone()
    },
  })
  return (
    <div className="stack">
      <Line
        label="Alias of the device"
        type="search"
        value={words}
        onChange={setWords}
        help="It stands on the device’s page. A device that somebody else has changes hands."
      />
      <ul className="choices-list" aria-label="Devices that fit">
        {fitting.slice(0, FEW).map(({ device, alias }) => (
          <li key={device}>
            <Act look="quiet" icon="key" isPending={give.isPending} onPress={() => give.mutate(device)}>
              {`Hand over ${alias}`}
            </Act>
          </li>
        ))}
      </ul>
      {fitting.length > FEW && <p className="note">More fit: type more of the alias.</p>}
      {devices && fitting.length === 0 && <p className="note">No device fits.</p>}
      <Failure error={give.error} />
      <Act look="quiet" onPress={onDone}>
        Back
      </Act>
    </div>
  )
}

function Erase({ line }: { line: PersonLine }) {
  const me = useInstallation()
  const opened = useOpened()
  const navigate = useNavigate()
  const queries = useQueryClient()
  const [known, setKnown] = useState(false)
  const erase = useMutation({
    mutationFn: () => erasePerson(me, line),
    onSuccess: async () => {
      await navigate({ to: '/people' })
      queries.removeQueries({ queryKey: ['people', 'one', line.id] })
      await queries.invalidateQueries({ queryKey: ['people'] })
    },
  })
  return (
    <details className="part">
      <summary>Erase this person, for somebody who leaves</summary>
      <div className="stack">
        <ul>
          <li>The vault deletes the key of this person’s record, and the key that every copy of it was kept under.</li>
          <li>
            <span className="strong">Nobody can undo it:</span> no backup, no member, no owner. What last year’s backups
            hold of this person stays unreadable.
          </li>
          <li>
            {line.devices.length === 0
              ? 'No device is assigned to this person.'
              : 'The devices of this person become nobody’s; they stay enrolled. What is on them is erased by an order, which comes first.'}
          </li>
          <li>The ledger keeps that somebody was erased, when and by whom: not who it was.</li>
        </ul>
        <Tick isSelected={known} onChange={setKnown}>
          I know that this cannot be undone
        </Tick>
        <Failure error={erase.error} />
        <div className="actions">
          <Act
            look="danger"
            icon="key"
            isDisabled={!known || !opened}
            isPending={erase.isPending}
            onPress={() => erase.mutate()}
          >
            Erase with your passkey
          </Act>
          {!opened && <span className="help">Unlock the directory first.</span>}
        </div>
      </div>
    </details>
  )
}
