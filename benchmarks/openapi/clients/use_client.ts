// Use of types that openapi-typescript generates, checked by tsc and run on a live gateway.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./gateway.js";

type Schemas = components["schemas"];

const url = process.argv[2];
assert(url);
const client = createClient<paths>({ baseUrl: url });
const address = "123 Main St";

async function checkOut(): Promise<void> {
  const body = { user_id: "user-123", product_id: "prod-456", payment_id: "pm-789", address, quantity: 2 };
  const { data, error } = await client.POST("/checkout", { body });
  assert(data !== undefined && "total" in data, JSON.stringify(error));
  assert.deepEqual([data.total, data.discount.code, data.user.is_active], ["121.22", null, true]);
}

async function readFailures(): Promise<void> {
  const body = { user_id: "unknown", product_id: "prod-456", payment_id: "pm-789", address };
  const { error } = await client.POST("/checkout", { body });
  assert(error !== undefined && !("errors" in error));
  const problem: Schemas["Problem"] = error;
  assert.deepEqual([problem.code, problem.source], ["not-found", "users.fetch"]);

  // 207 is in the 2xx class, so fetch takes it for a success.
  const { data } = await client.POST("/checkout", { body: { ...body, product_id: "nothing" } });
  assert(data !== undefined && "errors" in data);
  const sources = data.errors.map((part) => part.source);
  assert.deepEqual(sources, ["users.fetch", "inventory.check"]);

  const invalid = await client.POST("/checkout", { body: { ...body, user_id: "" } });
  assert(invalid.error !== undefined && "violations" in invalid.error);
  assert.equal(invalid.error.violations?.[0]?.field, "user_id");

  const explanation = await client.GET("/problems/{code}", { params: { path: { code: problem.code } } });
  assert.equal(explanation.data?.status, problem.status);
}

async function placeOrders(): Promise<void> {
  const body = { user_id: "user-123", product_id: "prod-456", payment_id: "pm-789", address };
  const params = { header: { "Idempotency-Key": randomUUID() } };
  const first = await client.POST("/orders", { body, params });
  const second = await client.POST("/orders", { body, params });
  assert(first.data !== undefined && "order_id" in first.data, JSON.stringify(first.error));
  assert.deepEqual([first.response.status, second.data], [201, first.data]);
  assert.equal(second.response.headers.get("Idempotent-Replayed"), "true");

  const execution_id = first.response.headers.get("Location")?.replace("/executions/", "") ?? "";
  const execution = await client.GET("/executions/{execution_id}", { params: { path: { execution_id } } });
  assert.deepEqual([execution.data?.state, execution.data?.pipeline], ["committed", "orders"]);
}

async function transfer(): Promise<void> {
  const body = { from_account: "acc-frozen", to_account: "acc-002", amount: "0.01", currency: "USD" };
  const { error } = await client.POST("/transfers", { body });
  assert.equal(error?.code, "conflict");
}

async function purchase(): Promise<void> {
  const body = { user_id: "user-123", product_id: "prod-456", quantity: 1 };
  const headers = { Authorization: "Bearer token-user-123" };
  const { data, error } = await client.POST("/purchases", { body, headers });
  assert(data !== undefined && "order" in data, JSON.stringify(error));
  assert.deepEqual(data.degraded, []);
  const expired = await client.POST("/purchases", { body, headers: { Authorization: "Bearer token-expired" } });
  assert.equal(expired.error?.code, "unauthorized");
}

async function read(): Promise<void> {
  const feed = await client.GET("/feed/{user_id}", { params: { path: { user_id: "user-123" } } });
  assert.deepEqual(feed.data?.friends.map((friend) => friend.user_id).sort(), ["user-456", "user-789"]);

  const health = await client.GET("/health/ready");
  const pipelines = await client.GET("/pipelines");
  assert.deepEqual([health.data?.status, pipelines.data?.pipelines.length], ["pass", 5]);
}

await checkOut();
await readFailures();
await placeOrders();
await transfer();
await purchase();
await read();
