-- Script for wrk: sends the requests of a scenario, and measures the CPU time of the server under test.
--
--   wrk ... --script wrk.lua URL -- PID KIND WARM_UP RUN
--
-- PID is the process whose CPU time is measured ("self" for wrk), and KIND selects the requests. The CPU time per
-- request is measured from WARM_UP seconds after the start to the last request, at both of which the same number
-- of requests is in progress, so that requests in progress at the end do not distort it. RUN is a word that makes
-- idempotency keys unique. The last line of the output is a JSON object.

local ffi = require("ffi")
ffi.cdef[[
typedef struct { long seconds; long nanoseconds; } bench_time;
int clock_gettime(int clock, bench_time *time);
long sysconf(int name);
]]
local MONOTONIC, CLOCK_TICKS, SAMPLE_SECONDS = 1, 2, 0.05
local CHECKOUT = '{"user_id":"user-123","product_id":"prod-456","payment_id":"pm-789","address":"123 Main St"}'
local INVALID = CHECKOUT:gsub("}", ',"quantity":0}')

local time = ffi.new("bench_time")
local ticks = tonumber(ffi.C.sysconf(CLOCK_TICKS))
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

local function now()
  ffi.C.clock_gettime(MONOTONIC, time)
  return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end

local function read_cpu_seconds()
  local file = io.open(stat_path)
  if not file then return 0 end
  local fields = file:read("*a"):match("^.*%) (.*)$")
  file:close()
  local user, system = fields:match("^%S+" .. (" %S+"):rep(10) .. " (%d+) (%d+)")
  return (tonumber(user) + tonumber(system)) / ticks
end

local function post(path, body, headers)
  headers["Content-Type"] = "application/json"
  return wrk.format("POST", path, headers, body)
end

local kinds = {}

function kinds.exchange()
  local request = wrk.format("GET", "/users/user-123", {})
  return function() return request end
end

function kinds.checkout()
  local request = post("/checkout", CHECKOUT, {})
  return function() return request end
end

function kinds.invalid()
  local valid, invalid = post("/checkout", CHECKOUT, {}), post("/checkout", INVALID, {})
  return function() return sent % 20 == 0 and invalid or valid end
end

function kinds.order(run)
  local before, after = post("/orders", CHECKOUT, { ["Idempotency-Key"] = "%KEY%" }):match("^(.*)%%KEY%%(.*)$")
  return function() return before .. run .. "-" .. sent .. after end
end

function init(args)
  stat_path = "/proc/" .. args[1] .. "/stat"
  next_request = kinds[args[2]](args[4])
  next_sample = now() + tonumber(args[3])
  sent, first_sent, last_sent, first_cpu, last_cpu, first_time, last_time = 0, 0, 0, 0, 0, 0, 0
end

local function sample(at)
  last_sent, last_cpu, last_time = sent, read_cpu_seconds(), at
  if first_time == 0 then
    first_sent, first_cpu, first_time = last_sent, last_cpu, at
  end
  next_sample = at + SAMPLE_SECONDS
end

function request()
  local at = now()
  if at >= next_sample then sample(at) end
  sent = sent + 1
  return next_request()
end

function done(summary, latency, requests)
  local total = { sent = 0 }
  for _, name in ipairs({ "sent", "first_sent", "last_sent", "first_cpu", "last_cpu" }) do
    total[name] = threads[1]:get(name)
  end
  local errors = summary.errors
  io.write(string.format(
    '{"seconds": %.6f, "responses": %d, "sent": %d, "failed_statuses": %d, "socket_errors": %d, "timeouts": %d, '
      .. '"p50_ms": %.3f, "p99_ms": %.3f, "window_requests": %d, "window_cpu_seconds": %.6f}\n',
    summary.duration / 1e6, summary.requests, total.sent, errors.status,
    errors.connect + errors.read + errors.write, errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    total.last_sent - total.first_sent, total.last_cpu - total.first_cpu))
end
