-- For wrk, called by scripts/bench: posts one body with the headers of a file, and prints one line of figures.
-- wrk -s bench.lua URL -- HEADERS_FILE BODY_FILE

function init(arguments)
  wrk.method = "POST"
  for line in io.lines(arguments[1]) do
    local name, value = line:match("^([^:]+): (.*)$")
    wrk.headers[name] = value
  end
  local file = assert(io.open(arguments[2]))
  wrk.body = file:read("*a")
  file:close()
  plain = wrk.format()
end

function request()
  return plain
end

function done(summary, latency)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("figures %d %.6f %d %d %.0f %.0f\n", summary.requests, summary.duration / 1e6,
    errors.status, broken, latency:percentile(50), latency:percentile(99)))
end
