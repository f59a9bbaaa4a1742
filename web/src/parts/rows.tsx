import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, type ReactNode, useLayoutEffect, useRef, useState } from 'react'

export type Column<T> = { title: string; name: string; cell: (item: T) => ReactNode }
type Props<T> = { label: string; items: T[]; columns: Column<T>[]; keyOf: (item: T) => string; kind: string }

const STEP: Record<string, (at: number, last: number) => number> = {
  ArrowDown: at => at + 1,
  ArrowUp: at => at - 1,
  PageDown: at => at + 10,
  PageUp: at => at - 10,
  Home: () => 0,
  End: (_, last) => last,
}

/** A table of any length of which only what is in sight is in the page. The first cell of a row holds its link; arrow keys move between them. */
export function Rows<T>({ label, items, columns, keyOf, kind }: Props<T>) {
  const body = useRef<HTMLDivElement>(null)
  const [offset, setOffset] = useState(0)
  useLayoutEffect(() => setOffset(body.current?.offsetTop ?? 0)) // what stands above may have grown
  const rows = useWindowVirtualizer({
    count: items.length,
    estimateSize: () => 52,
    overscan: 12,
    scrollMargin: offset,
    getItemKey: at => keyOf(items[at]!),
  })
  const move = (event: KeyboardEvent) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>('[data-index]')
    const step = STEP[event.key]
    if (!row || !step) return
    event.preventDefault()
    const wanted = Math.max(0, Math.min(items.length - 1, step(Number(row.dataset.index), items.length - 1)))
    rows.scrollToIndex(wanted)
    const focus = () =>
      body.current?.querySelector<HTMLElement>(`[data-index="${wanted}"] a`)?.focus({ preventScroll: true })
    requestAnimationFrame(() => requestAnimationFrame(focus))
  }
  return (
    // biome-ignore lint/a11y/useSemanticElements: a real table cannot hold rows that are placed by hand
    <div role="table" aria-label={label} aria-rowcount={items.length + 1} className={`rows ${kind}`}>
      {/* biome-ignore lint/a11y/useSemanticElements: see above */}
      <div role="rowgroup" className="rows-head">
        {/* biome-ignore lint/a11y/useSemanticElements: see above */}
        {/* biome-ignore lint/a11y/useFocusableInteractive: a row of headings does nothing */}
        <div role="row" aria-rowindex={1} className="row">
          {columns.map(({ title, name }) => (
            // biome-ignore lint/a11y/useSemanticElements: see above
            // biome-ignore lint/a11y/useFocusableInteractive: a heading that does nothing
            <span key={name} role="columnheader" className={name}>
              {title}
            </span>
          ))}
        </div>
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: see above */}
      <div role="rowgroup" ref={body} className="rows-body" style={{ height: rows.getTotalSize() }} onKeyDown={move}>
        {rows.getVirtualItems().map(({ index, key, start }) => (
          // biome-ignore lint/a11y/useSemanticElements: see above
          // biome-ignore lint/a11y/useFocusableInteractive: its link takes the focus
          <div
            key={key}
            role="row"
            aria-rowindex={index + 2}
            data-index={index}
            ref={rows.measureElement}
            className="row"
            style={{ transform: `translateY(${start - offset}px)` }}
          >
            {columns.map(({ name, cell }) => (
              // biome-ignore lint/a11y/useSemanticElements: see above
              <span key={name} role="cell" className={name}>
                {cell(items[index]!)}
              </span>
            ))}
          </div>
        ))}
      </div>
    </div>
  )
}
