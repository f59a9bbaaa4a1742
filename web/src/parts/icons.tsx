/** Small pictures that stand beside words, never in place of them. */
const PATHS = {
  check: 'M5 12.5l4.5 4.5L19 7.5',
  clock: 'M12 7v5l3 2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z',
  send: 'M4 12h14M12 6l6 6-6 6',
  cross: 'M7 7l10 10M17 7L7 17',
  pause: 'M9 6v12M15 6v12',
  moon: 'M19 14.5A7.5 7.5 0 0 1 9.5 5a7.5 7.5 0 1 0 9.5 9.5z',
  pin: 'M12 21s6.5-6 6.5-11a6.5 6.5 0 0 0-13 0c0 5 6.5 11 6.5 11zM12 12.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4z',
  leave: 'M10 5H5v14h5M14 8l4 4-4 4M18 12H9',
  dots: 'M5 12h.01M12 12h.01M19 12h.01',
  pencil: 'M4 20l1-4L16 5l3 3L8 19l-4 1z',
  eye: 'M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z',
  sliders: 'M4 8h9M17 8h3M4 16h3M11 16h9M15 5.5v5M9 13.5v5',
  shield: 'M12 3l7 3v5c0 5-3 8.3-7 10-4-1.7-7-5-7-10V6l7-3z',
  flame: 'M12 3l9.5 17h-19L12 3zM12 10v4.5M12 17.2v.1',
  key: 'M14.5 14a5 5 0 1 0-4.6-3L4 17v3h3l1-1v-2h2l2-2.4a5 5 0 0 0 2.500-.6zM16 8.500h.01',
  device: 'M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM11 18h2',
  lock: 'M7 11h10a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1H7a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1zM8.500 11V8a3.500 3.500 0 0 1 7 0v3',
  alert: 'M12 8v5M12 16v.1M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z',
  repeat: 'M5 11a7 7 0 0 1 12-4l2 2M19 5v4h-4M19 13a7 7 0 0 1-12 4l-2-2M5 19v-4h4',
}
export type IconName = keyof typeof PATHS

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  )
}
