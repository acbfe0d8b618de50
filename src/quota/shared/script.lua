-- The generic cell rate algorithm on the buckets of one call: all of them, or none.
--
-- Before this text stands the clock, which sets now_us and now_ns.
-- KEYS: the buckets; a value is the moment at which the bucket is full again.
-- ARGV: four per bucket: increment, capacity, whether it refuses ('1'), and how far from full the
-- caller knew the bucket to be at least when it sent this; then how late that may be here. Within that
-- nothing was forgotten: the bucket has only filled on the way, and would be emptied by every call anew.
-- Returns 1 if the call was admitted, else 0, then how far each bucket was from full before it.
--
-- All times are decimal texts of nanoseconds. Lua's numbers are doubles, exact up to 2^53, so a time
-- is reckoned with as whole microseconds and the nanoseconds below: exact for a hundred years.

local function read(text)
  return tonumber(string.sub(text, 1, -4)) or 0, tonumber(string.sub(text, -3))
end

local function write(us, ns)
  return string.format('%.0f%03d', us, ns)
end

local function plus(us, ns, more_us, more_ns)
  us, ns = us + more_us, ns + more_ns
  if ns >= 1000 then
    return us + 1, ns - 1000
  end
  return us, ns
end

local function less(us, ns, other_us, other_ns)
  return us < other_us or (us == other_us and ns < other_ns)
end

-- How far a bucket is from full. A value that is none of ours counts as full and is written over.
local function ahead(value)
  if type(value) ~= 'string' or #value > 19 or not string.find(value, '^%d+$') then
    return 0, 0
  end
  local us, ns = read(value)
  us, ns = us - now_us, ns - now_ns
  if ns < 0 then
    us, ns = us - 1, ns + 1000
  end
  if us < 0 then
    return 0, 0
  end
  return us, ns
end

local function keep(key, us, ns)
  local until_full = string.format('%.0f', math.ceil((us + 1) / 1000) + 1)
  redis.call('SET', key, write(plus(now_us, now_ns, us, ns)), 'PX', until_full)
end

local late_us, late_ns = read(ARGV[4 * #KEYS + 1])
local admitted, befores, afters, corrected = 1, {}, {}, {}
for i, key in ipairs(KEYS) do
  local at = 4 * (i - 1)
  local increment_us, increment_ns = read(ARGV[at + 1])
  local capacity_us, capacity_ns = read(ARGV[at + 2])
  local hint_us, hint_ns = read(ARGV[at + 4])
  local value = redis.pcall('GET', key)
  if type(value) == 'table' and not string.find(value.err, 'WRONGTYPE', 1, true) then
    return value
  end
  local us, ns = ahead(value)
  if less(capacity_us, capacity_ns, hint_us, hint_ns) then
    hint_us, hint_ns = capacity_us, capacity_ns
  end
  local known_us, known_ns = plus(us, ns, late_us, late_ns)
  if less(known_us, known_ns, hint_us, hint_ns) then
    us, ns = hint_us, hint_ns
    corrected[i] = { us, ns }
  elseif less(capacity_us, capacity_ns, us, ns) then
    us, ns = capacity_us, capacity_ns
    corrected[i] = { us, ns }
  end
  befores[i] = write(us, ns)
  us, ns = plus(us, ns, increment_us, increment_ns)
  if not less(capacity_us, capacity_ns, us, ns) then
    afters[i] = { us, ns }
  elseif ARGV[at + 3] == '1' then
    admitted = 0
  end
end
-- A refused call takes nothing, but what the store had forgotten it learns again; and a bucket that is
-- emptier than its limit knows (another limit, a clock that was set back) is just empty from now on.
for i, key in ipairs(KEYS) do
  local full = admitted == 1 and afters[i] or corrected[i]
  if full then
    keep(key, full[1], full[2])
  end
end
table.insert(befores, 1, admitted)
return befores
