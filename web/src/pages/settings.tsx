import { FileTrigger } from 'react-aria-components'
import { actionOf, type Field } from '../actions.ts'
import { Act, Line, Tick } from '../parts/fields.tsx'
import { Part } from '../parts/page.tsx'
import { toBase64 } from '../statement.ts'

/** The choice that stands for every command without a form of its own. */
export const OTHER = 'other'

type File = { name: string; base64: string }
/** What is filled in for a command. */
export type Settings = {
  values: Record<string, string>
  file?: File | undefined
  otherType: string
  otherSets: string
  unknownAction: boolean
}
type Props = { action: string; settings: Settings; onChange: (part: Partial<Settings>) => void }

/** KEY=VALUE for each setting that has a value. */
export function setsOf({ values, otherSets }: Settings): string[] {
  const others = otherSets
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
  return [
    ...Object.entries(values)
      .filter(([, value]) => value !== '')
      .map(([key, value]) => `${key}=${value}`),
    ...others,
  ]
}

export function SettingsFields({ action, settings, onChange }: Props) {
  if (action === OTHER) return <OtherCommand settings={settings} onChange={onChange} />
  const known = actionOf(action)
  if (!known || (known.fields.length === 0 && known.file === undefined)) return null
  const set = (key: string, value: string) => onChange({ values: { ...settings.values, [key]: value } })
  return (
    <Part title="Settings">
      {known.fields.map(field => (
        <Setting
          key={field.key}
          field={field}
          value={settings.values[field.key] ?? ''}
          onChange={value => set(field.key, value)}
        />
      ))}
      {known.file !== undefined && (
        <FilePick
          label={known.file}
          accept=".mobileconfig,.plist,.xml"
          file={settings.file}
          onChange={file => onChange({ file })}
        />
      )}
    </Part>
  )
}

function Setting({ field, value, onChange }: { field: Field; value: string; onChange: (value: string) => void }) {
  const { label, help, kind, required = false } = field
  if (kind === 'flag')
    return (
      <Tick isSelected={value === 'true'} onChange={on => onChange(on ? 'true' : '')} help={help}>
        {label}
      </Tick>
    )
  const pin =
    kind === 'pin' ? { pattern: '[0-9]{6}', format: 'Write exactly six digits.', maxLength: 6, mono: true } : {}
  return (
    <Line
      label={label}
      help={help}
      value={value}
      onChange={onChange}
      isRequired={required}
      lines={kind === 'lines'}
      {...pin}
    />
  )
}

function OtherCommand({ settings, onChange }: Omit<Props, 'action'>) {
  return (
    <Part title="Settings">
      <Line
        label="RequestType"
        help="As Apple’s documentation spells it, for example ManagedApplicationList."
        value={settings.otherType}
        onChange={otherType => onChange({ otherType })}
        pattern="[A-Za-z][A-Za-z0-9]{0,63}"
        format="Write letters and digits only, beginning with a letter, for example ProfileList."
        isRequired
        mono
      />
      <Line
        label="Keys"
        help="One KEY=VALUE a line, with dots for keys within keys: Settings.Bluetooth.Enabled=true"
        value={settings.otherSets}
        onChange={otherSets => onChange({ otherSets })}
        lines
        mono
      />
      <FilePick
        label="Command as a plist"
        accept=".plist,.xml"
        file={settings.file}
        onChange={file => onChange({ file })}
      />
      <Tick
        isSelected={settings.unknownAction}
        onChange={unknownAction => onChange({ unknownAction })}
        help="Otherwise a name that no known command has is taken for mistyped."
      >
        It is newer than this program
      </Tick>
    </Part>
  )
}

type FileProps = { label: string; accept: string; file: File | undefined; onChange: (file: File) => void }

function FilePick({ label, accept, file, onChange }: FileProps) {
  const read = async (list: FileList | null) => {
    const [chosen] = list ?? []
    if (chosen) onChange({ name: chosen.name, base64: toBase64(new Uint8Array(await chosen.arrayBuffer())) })
  }
  return (
    <div className="field">
      <span>{label}</span>
      <div className="file">
        <FileTrigger acceptedFileTypes={accept.split(',')} onSelect={read}>
          <Act look="quiet">Choose a file</Act>
        </FileTrigger>
        <span>{file ? file.name : 'None chosen'}</span>
      </div>
    </div>
  )
}
