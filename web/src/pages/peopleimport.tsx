import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { FileTrigger } from 'react-aria-components'
import { ENCODINGS, type Encoding } from '../../../src/people/decode.ts'
import { Act, Line, Pick } from '../parts/fields.tsx'
import { Failure, Notice, Page, Part } from '../parts/page.tsx'
import { UnlockPart } from '../parts/unlocking.tsx'
import { importPeople, readTable, type Sealer, startSealer } from '../people/import.ts'
import { useOpened } from '../people/opened.ts'
import type { Read } from '../people/sealer.ts'
import { COLUMN_WORDS, people as counted } from '../peoplewords.ts'
import { useInstallation } from '../session.ts'

/** A table of people: read and checked as a whole in a thread of this page, then sealed there. Nothing of it is sent but ciphertext and tokens. */
export function PeopleImportPage() {
  const me = useInstallation()
  const opened = useOpened()
  const queries = useQueryClient()
  const sealer = useSealer()
  const [file, setFile] = useState<File>()
  const [country, setCountry] = useState('')
  const [encoding, setEncoding] = useState<Encoding | ''>('')
  const [table, setTable] = useState<Read>()
  const [done, setDone] = useState(0)
  const read = useMutation({
    mutationFn: async (chosen: File) => {
      setTable(undefined)
      setTable(
        await readTable(sealer(), chosen, {
          ...(country === '' ? {} : { country: country.replace(/^\+|^00/, '') }),
          ...(encoding === '' ? {} : { encoding }),
        }),
      )
    },
    gcTime: 0,
  })
  const send = useMutation({
    mutationFn: () => importPeople(me, sealer(), table!.rows, setDone),
    onSettled: () => queries.invalidateQueries({ queryKey: ['people'] }),
    gcTime: 0,
  })
  const choose = (chosen: File | undefined) => {
    if (!chosen) return
    setFile(chosen)
    setDone(0)
    send.reset()
    read.mutate(chosen)
  }
  const sound = table !== undefined && table.errors.length === 0 && table.rows > 0
  if (send.isSuccess) return <DonePage count={table!.rows} />
  return (
    <Page
      title="Import people"
      lead="From a CSV or XLSX file. It is read and sealed in this browser; the server gets nothing that it can read."
    >
      <Part
        title="The table"
        note="Its first line names the columns, in any order: given name, family name, e-mail, mobile; office and language may be missing. Others are left aside."
      >
        <div className="filters">
          <Line
            label="Country code of numbers without one"
            help="For example 32. Without it, national numbers stay as they are."
            value={country}
            onChange={setCountry}
            pattern="(\+|00)?[1-9][0-9]{0,2}"
          />
          <Pick
            label="Encoding"
            value={encoding}
            onChange={value => setEncoding(value as Encoding | '')}
            options={[['', 'Unicode, as it says itself'], ...ENCODINGS.map((one): [string, string] => [one, one])]}
          />
        </div>
        <div className="file">
          <FileTrigger acceptedFileTypes={['.csv', '.txt', '.xlsx']} onSelect={files => choose(files?.[0])}>
            <Act look={table ? 'quiet' : 'main'} isPending={read.isPending} isDisabled={send.isPending}>
              {file ? 'Choose another file …' : 'Choose a file …'}
            </Act>
          </FileTrigger>
          {file && <span className="mono">{file.name}</span>}
          {file && (
            <Act look="quiet" isDisabled={read.isPending || send.isPending} onPress={() => choose(file)}>
              Read it again
            </Act>
          )}
        </div>
        <Failure error={read.error} />
      </Part>
      {table && <Mapping table={table} />}
      {table && table.errors.length > 0 && <Mistakes table={table} />}
      {table?.rows === 0 && <Notice tone="warn">The table has no people.</Notice>}
      {sound && !opened && <UnlockPart />}
      {sound && opened && (
        <Part
          title={`Import ${counted(table.rows)} into ${opened.unit.alias}`}
          note="Your passkey signs once; a key that never leaves this page then signs each person. Keep this page open until it is done. Everybody in the table becomes somebody new: people who are in the directory already are changed on their own pages."
        >
          <Failure error={send.error} />
          {send.error !== null && done > 0 && (
            <p role="status">
              {counted(done)} of {table.rows} were imported before that: the first ones of the table. Import the others
              only.
            </p>
          )}
          {send.isPending && (
            <label className="progress">
              <span role="status">
                {done === 0 ? 'Sealing …' : `${done.toLocaleString('en-GB')} of ${counted(table.rows)}`}
              </span>
              <progress max={table.rows} value={done} />
            </label>
          )}
          <div className="actions">
            <Act
              icon="key"
              isPending={send.isPending}
              isDisabled={send.isError && done > 0}
              onPress={() => send.mutate()}
            >
              Seal and import them
            </Act>
          </div>
        </Part>
      )}
    </Page>
  )
}

/** Begun when it is first needed; ended, and what it holds with it, when the page is left. */
function useSealer(): () => Sealer {
  const kept = useRef<Sealer>(undefined)
  useEffect(
    () => () => {
      kept.current?.stop()
      kept.current = undefined
    },
    [],
  )
  return () => {
    kept.current ??= startSealer()
    return kept.current
  }
}

const Mapping = ({ table: { mapping, encoding, rows } }: { table: Read }) => (
  <Part title={`${counted(rows)} in it`} note={`Read as ${encoding === 'xlsx' ? 'XLSX' : encoding}.`}>
    <table className="plain" aria-label="Columns">
      <thead>
        <tr>
          <th scope="col">Column of the file</th>
          <th scope="col">Becomes</th>
        </tr>
      </thead>
      <tbody>
        {mapping.map(({ header, column }, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two columns may have one name
          <tr key={at}>
            <th scope="row">
              <bdi>{header || '(no name)'}</bdi>
            </th>
            <td>{column ? <span className="strong">{COLUMN_WORDS[column]}</span> : 'left aside'}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </Part>
)

const Mistakes = ({ table: { errors, moreErrors } }: { table: Read }) => (
  <Part
    title={`${errors.length + moreErrors} ${errors.length + moreErrors === 1 ? 'mistake' : 'mistakes'} in it`}
    note="Nothing is imported by half: mend these lines, save the file, and read it again."
  >
    <table className="plain" aria-label="Mistakes">
      <thead>
        <tr>
          <th scope="col">Line</th>
          <th scope="col">Column</th>
          <th scope="col">What is wrong</th>
        </tr>
      </thead>
      <tbody>
        {errors.map(({ line, column, message }) => (
          <tr key={`${line} ${column} ${message}`}>
            <th scope="row">{line}</th>
            <td>{column ? COLUMN_WORDS[column] : ''}</td>
            <td>{message}</td>
          </tr>
        ))}
      </tbody>
    </table>
    {moreErrors > 0 && <p className="note">And {moreErrors} more.</p>}
  </Part>
)

const DonePage = ({ count }: { count: number }) => (
  <Page title="They are in the directory" lead={`${counted(count)} were imported and can be found.`}>
    <p>
      Delete the file that you imported, and its copies in the downloads folder and the waste basket: it is the one
      place where everybody stands in clear.
    </p>
    <Link to="/people" className="button main">
      Show the directory
    </Link>
  </Page>
)
