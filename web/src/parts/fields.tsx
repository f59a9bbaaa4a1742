import type { ReactNode } from 'react'
import {
  Button,
  type ButtonProps,
  Checkbox,
  FieldError,
  Input,
  Label,
  Radio,
  Text,
  TextArea,
  TextField,
} from 'react-aria-components'
import { Icon, type IconName } from './icons.tsx'

type ActProps = Omit<ButtonProps, 'className' | 'children'> & {
  look?: 'main' | 'quiet' | 'danger'
  icon?: IconName
  children: ReactNode
}

export const Act = ({ look = 'main', icon, children, ...props }: ActProps) => (
  <Button {...props} className={`button ${look}`}>
    {icon && <Icon name={icon} />}
    <span>{props.isPending ? 'Working …' : children}</span>
  </Button>
)

type LineProps = {
  label: string
  help?: string | undefined
  value: string
  onChange: (value: string) => void
  isRequired?: boolean
  lines?: boolean
  type?: 'text' | 'search' | 'password' | 'number'
  pattern?: string
  /** What the pattern asks for, said where something else was typed. */
  format?: string
  maxLength?: number
  placeholder?: string
  mono?: boolean
}

/** A line or some lines of text, with its label, help and what is wrong. */
export function Line({
  label,
  help,
  value,
  onChange,
  isRequired = false,
  lines = false,
  mono = false,
  ...input
}: LineProps) {
  const { type = 'text', pattern, format, maxLength, placeholder } = input
  const shared = { className: mono ? 'input mono' : 'input', ...(placeholder === undefined ? {} : { placeholder }) }
  return (
    <TextField
      className="field"
      value={value}
      onChange={onChange}
      isRequired={isRequired}
      type={type}
      autoComplete="off"
      {...(pattern === undefined ? {} : { pattern })}
      {...(maxLength === undefined ? {} : { maxLength })}
    >
      <Label>
        {label}
        {!isRequired && type !== 'search' && <span className="optional"> (optional)</span>}
      </Label>
      {lines ? <TextArea {...shared} rows={3} /> : <Input {...shared} />}
      {help !== undefined && (
        <Text slot="description" className="help">
          {help}
        </Text>
      )}
      {(isRequired || pattern !== undefined) && (
        <div className="wrong-room">
          <FieldError className="wrong">
            {({ defaultChildren, validationDetails }) =>
              validationDetails.patternMismatch && format !== undefined ? format : defaultChildren
            }
          </FieldError>
        </div>
      )}
    </TextField>
  )
}

type TickProps = {
  isSelected: boolean
  onChange: (on: boolean) => void
  children: ReactNode
  help?: string | undefined
}

export const Tick = ({ children, help, ...props }: TickProps) => (
  <Checkbox {...props} className="tick">
    <span className="box">
      <Icon name="check" />
    </span>
    <span>
      {children}
      {help !== undefined && <span className="help">{help}</span>}
    </span>
  </Checkbox>
)

export const Choice = ({ value, title, children }: { value: string; title: ReactNode; children?: ReactNode }) => (
  <Radio value={value} className="choice">
    <span className="dot" />
    <span>
      <span className="choice-title">{title}</span>
      {children !== undefined && <span className="help">{children}</span>}
    </span>
  </Radio>
)

type SelectProps = { label: string; value: string; onChange: (value: string) => void; options: [string, string][] }

export function Pick({ label, value, onChange, options }: SelectProps) {
  return (
    <label className="field">
      <span>{label}</span>
      <select className="input" value={value} onChange={event => onChange(event.target.value)}>
        {options.map(([key, word]) => (
          <option key={key} value={key}>
            {word}
          </option>
        ))}
      </select>
    </label>
  )
}
