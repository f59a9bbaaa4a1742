import { OpenAPIHono, z } from '@hono/zod-openapi'
import { BulkheadError } from '../base/errors.ts'
import { errorOut, nameText, uuid } from './api.ts'

/** Who asks: a member's id, or `local` for the command line's own socket. */
export type Env = { Variables: { caller: string } }
export type Api = OpenAPIHono<Env>

/** An app whose refused input is our own error, naming the first thing that is wrong. */
export const createApi = (): Api =>
  new OpenAPIHono<Env>({
    defaultHook: result => {
      if (result.success) return
      const [issue] = result.error.issues
      throw new BulkheadError(
        'BAD_REQUEST',
        `${issue?.path.join('.') || 'The request'}: ${issue?.message ?? 'malformed'}.`,
      )
    },
  })

const json = <S extends z.ZodType>(schema: S) => ({ 'application/json': { schema } })

export const answers = <S extends z.ZodType>(schema: S) => ({
  200: { description: 'Done', content: json(schema) },
  default: { description: 'Refused', content: json(errorOut) },
})
export const takes = <S extends z.ZodType>(schema: S) => ({ body: { required: true, content: json(schema) } })
export const byId = { params: z.object({ id: uuid }) }
export const named = { params: z.object({ name: nameText }) }
