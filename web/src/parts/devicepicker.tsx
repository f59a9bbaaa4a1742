import { useState } from 'react'
import { Button } from 'react-aria-components'
import type { DeviceLine } from '../api.ts'
import { devices as counted, DEVICE_STATES } from '../words.ts'
import { Line, Tick } from './fields.tsx'

type Props = { devices: DeviceLine[]; chosen: string[]; onChange: (chosen: string[]) => void }
const SHOWN = 8

/** Chooses devices by alias: what is chosen stands above, what fits the words below. */
export function DevicePicker({ devices, chosen, onChange }: Props) {
  const [words, setWords] = useState('')
  const fitting = devices.filter(({ alias }) => alias.includes(words.trim().toLowerCase()))
  const aliases = new Map(devices.map(({ device, alias }) => [device, alias]))
  const toggle = (device: string, on: boolean) =>
    onChange(on ? [...chosen, device] : chosen.filter(one => one !== device))
  return (
    <div className="picker">
      {chosen.length > 0 && (
        <ul className="chips" aria-label="Chosen devices">
          {chosen.map(device => (
            <li key={device}>
              <Button
                className="chip"
                onPress={() => toggle(device, false)}
                aria-label={`Leave out ${aliases.get(device) ?? device}`}
              >
                {aliases.get(device) ?? device.slice(0, 8)} <span aria-hidden="true">×</span>
              </Button>
            </li>
          ))}
        </ul>
      )}
      <Line label="Search by alias" type="search" value={words} onChange={setWords} />
      <div className="picker-list">
        {fitting.slice(0, SHOWN).map(({ device, alias, state }) => (
          <Tick key={device} isSelected={chosen.includes(device)} onChange={on => toggle(device, on)}>
            {alias}
            {state !== 'enrolled' && <span className="optional"> · {DEVICE_STATES[state].word}</span>}
          </Tick>
        ))}
      </div>
      {fitting.length > SHOWN && (
        <p className="note">{counted(fitting.length - SHOWN)} more fit: type more of the alias.</p>
      )}
      {fitting.length === 0 && <p className="note">No device fits.</p>}
    </div>
  )
}
