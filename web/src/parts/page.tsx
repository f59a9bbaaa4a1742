import { Link } from '@tanstack/react-router'
import { type ReactNode, useEffect, useRef } from 'react'
import { BulkheadError } from '../../../src/base/errors.ts'
import { Refusal } from '../api.ts'
import { Icon } from './icons.tsx'

/** A page with its heading, which takes the focus that the page before left behind. */
export function Page({
  title,
  lead,
  actions,
  children,
}: {
  title: string
  lead?: ReactNode
  actions?: ReactNode
  children?: ReactNode
}) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} · Bulkhead`
    if (document.activeElement === document.body) heading.current?.focus({ preventScroll: true })
  }, [title])
  return (
    <main className="page">
      <div className="page-head">
        <div>
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          {lead !== undefined && <div className="lead">{lead}</div>}
        </div>
        {actions !== undefined && <div className="actions">{actions}</div>}
      </div>
      {children}
    </main>
  )
}

/** What went wrong, and what to do about it. */
export function Failure({ error }: { error: unknown }) {
  if (!error) return null
  const known = error instanceof Refusal || error instanceof BulkheadError // what runs here is partly the server's own code
  return (
    <div className="notice bad" role="alert">
      <Icon name="alert" />
      <div>
        <p className="strong">{known ? error.message : 'Something went wrong in this page.'}</p>
        <p>{known ? error.remedy : 'Reload it. If it happens again, tell whoever maintains this installation.'}</p>
      </div>
    </div>
  )
}

const NAMES_NOTHING = new Set(['NOT_FOUND', 'BAD_REQUEST'])

/** What an address names cannot be shown: where there is no such thing, said for somebody in a browser, and always with the way back. */
export function Missing({
  what,
  to,
  error,
}: {
  what: string
  to: '/' | '/orders' | '/groups' | '/people'
  error: unknown
}) {
  const nothing = error instanceof Refusal && NAMES_NOTHING.has(error.code)
  return (
    <Page
      title={nothing ? `There is no such ${what}` : `The ${what} cannot be shown`}
      lead={nothing ? 'The address may be mistyped, or belong to something that is gone.' : undefined}
    >
      {!nothing && <Failure error={error} />}
      <Link to={to} className="button main">
        {what === 'person' ? 'Show everybody' : `Show all ${what}s`}
      </Link>
    </Page>
  )
}

export const Waiting = ({ title }: { title: string }) => (
  <Page title={title}>
    <Loading />
  </Page>
)

export function Notice({ tone = 'calm', children }: { tone?: 'calm' | 'warn' | 'good'; children: ReactNode }) {
  return (
    <div className={`notice ${tone}`}>
      <Icon name={tone === 'good' ? 'check' : 'alert'} />
      <div>{children}</div>
    </div>
  )
}

export function Empty({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
    </div>
  )
}

export const Loading = () => (
  <p className="loading" role="status">
    Loading …
  </p>
)

/** A titled part of a page. */
export function Part({ title, note, children }: { title: string; note?: ReactNode; children: ReactNode }) {
  return (
    <section className="part">
      <h2>{title}</h2>
      {note !== undefined && <p className="note">{note}</p>}
      {children}
    </section>
  )
}

export function Pairs({ rows }: { rows: { key: string; name: ReactNode; value: ReactNode }[] }) {
  return (
    <dl className="pairs">
      {rows.map(({ key, name, value }) => (
        <div key={key}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
