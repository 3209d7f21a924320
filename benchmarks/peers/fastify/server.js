// Fastify and undici, with JSON schemas for the request, the services' answers and the response.
//
//   node server.js [--call-timeout-ms 1000]
//
// One pool of connections for each service, and `Promise.all`. With --call-timeout-ms, each call has a deadline, an
// `AbortSignal.timeout`; without it, undici's defaults hold (5 minutes). A failed call ends the request with the status
// of the service, 502, 503 or 504. There are no retries, no circuit breaker and no limits.

import { parseArgs } from 'node:util'
import Ajv from 'ajv'
import Fastify from 'fastify'
import { Pool } from 'undici'

const options = parseArgs({ options: { 'call-timeout-ms': { type: 'string' } } }).values
const callTimeout = Number(options['call-timeout-ms'] ?? 0)

const services = ['user', 'inventory', 'payment', 'fraud', 'shipping', 'pricing']
const pools = Object.fromEntries(
  services.map((name) => [name, new Pool(process.env[`GATEWAY_${name.toUpperCase()}_URL`])])
)

// Schemas

const string = { type: 'string' }
const boolean = { type: 'boolean' }
const id = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$' }
const money = { type: 'string', pattern: '^(0|[1-9][0-9]{0,14})(\\.[0-9]{1,2})?$' }
const rate = { type: 'string', pattern: '^(0|[1-9][0-9]{0,2})(\\.[0-9]{1,6})?$' }
const nullableString = { type: ['string', 'null'] }

const object = (properties, more = {}) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  ...more
})

const requestSchema = object(
  {
    user_id: id,
    product_id: id,
    payment_id: id,
    address: { type: 'string', minLength: 1, maxLength: 500, pattern: '\\S' },
    quantity: { type: 'integer', minimum: 1, maximum: 1000, default: 1 },
    discount_code: { type: ['string', 'null'], maxLength: 64, default: null }
  },
  { required: ['user_id', 'product_id', 'payment_id', 'address'], additionalProperties: false }
)

const answers = {
  user: object({ user_id: string, email: string, is_active: boolean }),
  inventory: object({
    product_id: string,
    stock_level: { type: 'integer', minimum: 0 },
    available: boolean,
    unit_price: money
  }),
  payment: object({ payment_id: string, is_valid: boolean }),
  fraud_check: object({ is_safe: boolean, risk_level: string }),
  shipping: object({ carrier: string, rate: money }),
  tax: object({ rate, amount: money }),
  discount: object({ code: nullableString, amount: money })
}
const responseSchema = object({ ...answers, subtotal: money, total: money })

const ajv = new Ajv({ allowUnionTypes: true })
const validators = Object.fromEntries(Object.entries(answers).map(([name, schema]) => [name, ajv.compile(schema)]))

// Money is counted in cents, because binary fractions are not exact.

function toCents (text) {
  const [units, cents = ''] = text.split('.')
  return Number(units) * 100 + Number(cents.padEnd(2, '0'))
}

function toMoney (cents) {
  return `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`
}

// Calls

class ServiceError extends Error {
  constructor (statusCode, message) {
    super(message)
    this.statusCode = statusCode
  }
}

const jsonHeaders = { 'content-type': 'application/json' }

async function call (answer, service, method, path, body) {
  let response, content
  try {
    response = await pools[service].request({
      method,
      path,
      headers: body === undefined ? undefined : jsonHeaders,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: callTimeout ? AbortSignal.timeout(callTimeout) : undefined
    })
    content = await response.body.json()
  } catch (error) {
    if (error instanceof SyntaxError) throw new ServiceError(502, `The ${service} service gave no JSON`)
    if (error.name === 'TimeoutError') throw new ServiceError(504, `The ${service} service did not answer in time`)
    throw new ServiceError(503, `The ${service} service is unavailable`)
  }
  if (response.statusCode >= 300) {
    throw new ServiceError(response.statusCode, `The ${service} service refused the request`)
  }
  if (!validators[answer](content)) throw new ServiceError(502, `The ${service} service gave an invalid answer`)
  return content
}

// Server

const app = Fastify({
  ajv: { customOptions: { allowUnionTypes: true, coerceTypes: false, removeAdditional: false } }
})

app.setErrorHandler((error, request, reply) => {
  const status = error.validation ? 422 : error.statusCode ?? 500
  reply.code(status).type('application/problem+json').send({ status, detail: error.message })
})

app.post('/checkout', { schema: { body: requestSchema, response: { 200: responseSchema } } }, async (request) => {
  const order = request.body
  const [user, inventory, payment] = await Promise.all([
    call('user', 'user', 'GET', `/users/${order.user_id}`),
    call('inventory', 'inventory', 'GET', `/inventory/${order.product_id}?quantity=${order.quantity}`),
    call('payment', 'payment', 'GET', `/payments/${order.payment_id}`)
  ])
  const [risk, shipping] = await Promise.all([
    call('fraud_check', 'fraud', 'POST', '/assessments', {
      user_id: user.user_id,
      product_id: inventory.product_id,
      stock_level: inventory.stock_level,
      payment_id: payment.payment_id
    }),
    call('shipping', 'shipping', 'POST', '/quotes', { address: order.address, stock_level: inventory.stock_level })
  ])
  const cents = toCents(inventory.unit_price) * order.quantity
  const subtotal = toMoney(cents)
  const [tax, discount] = await Promise.all([
    call('tax', 'pricing', 'POST', '/tax', { subtotal }),
    call('discount', 'pricing', 'POST', '/discounts', { code: order.discount_code, subtotal })
  ])
  const total = toMoney(cents + toCents(shipping.rate) + toCents(tax.amount) - toCents(discount.amount))
  return { user, inventory, payment, fraud_check: risk, shipping, tax, discount, subtotal, total }
})

await app.listen({ host: '127.0.0.1', port: 0, backlog: 2048 })
console.log(`http://127.0.0.1:${app.server.address().port}`)
