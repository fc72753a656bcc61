"""What a Redis server does in one step: the scripts, in Lua.

Redis runs a script alone and to its end. Each of them looks before it writes, so that one that
refuses has written nothing; a server without memory refuses a script at its first write.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and the digest by which a server knows it."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", digest)


ATTACH: Final = Script("""
-- Compares the server, and the store in it, with those that were written to; or makes a new store.
-- KEYS: state, the last event that this process knows.
-- ARGV: schema, the newest that is borne, may be made, run id, is replicated, may lose writes,
--   how much it has evicted, issued until, number and hash of that event (0 for none).
local state, replicated, may_lose = KEYS[1], ARGV[5], ARGV[6]
if redis.call('EXISTS', state) == 0 then
    if ARGV[3] ~= '1' then return {'gone'} end
    redis.call('HSET', state, 'schema', ARGV[1], 'epoch', 1, 'seq', 0,
        'hash', string.rep('0', 64), 'refused_until', 0, 'forgotten_until', 0,
        'primary', ARGV[4], 'replicated', replicated, 'may_lose', may_lose, 'evicted', ARGV[7])
    return {'made', replicated}
end
local found = redis.call('HMGET', state, 'schema', 'primary', 'replicated', 'may_lose', 'evicted',
    'refused_until', 'seq', 'pruned_to')
local schema = tonumber(found[1] or '')
if not schema and redis.call('HEXISTS', state, 'copying') == 1 then return {'half'} end
if not schema then return {'damaged'} end
if schema > tonumber(ARGV[2]) then return {'newer', found[1]} end
if schema < tonumber(ARGV[1]) then redis.call('HSET', state, 'schema', ARGV[1]) end

-- Another server, or the same one anew: what may either have lost?
local another = found[2] ~= ARGV[4]
local lost = another and (found[3] == '1' or found[4] == '1' or may_lose == '1')
-- It has evicted since it was looked at, whatever it is set to now.
lost = lost or (ARGV[7] ~= '0' and ARGV[7] ~= found[5])
-- It does not have what this process knows to be written.
local number = tonumber(ARGV[9])
if number > 0 then
    local hash = redis.call('GETRANGE', KEYS[2], 0, 63)
    local pruned = hash == '' and number <= (tonumber(found[8] or '') or 0)
    lost = lost or (hash ~= ARGV[10] and not pruned) or number > (tonumber(found[7] or '') or 0)
end

if found[3] == '1' then replicated = '1' end
if another or found[3] ~= replicated or found[4] ~= may_lose or found[5] ~= ARGV[7] then
    redis.call('HSET', state, 'primary', ARGV[4], 'replicated', replicated, 'may_lose', may_lose,
        'evicted', ARGV[7])
end
-- So far that no process takes an epoch for one that was lost.
if another or lost then redis.call('HINCRBY', state, 'epoch', 1000000) end
if not lost then return {'same', replicated} end
local refused = math.max(tonumber(found[6] or '') or 0, tonumber(ARGV[8]))
redis.call('HSET', state, 'refused_until', string.format('%.0f', refused))
return {'lost', replicated}
""")
"""At every connection that is written through, and every few seconds: see `redis_primary`."""


WRITE: Final = Script("""
-- Writes a whole batch, or nothing when it no longer fits what is there.
-- KEYS: state, spends, the batch's own key.
-- ARGV: epoch, seq, hash ('' for any of them),
--   how many spends, each: key, the end that counts, its end, its issue,
--   how many that must be absent, each: 'h' or 'z', key, member,
--   how many commands, each: how many words, the words.
-- A write that changes little, so that who waits for a replica waits for the batch. It comes behind
-- a look, since after any write of a script the server takes all others, whether it is full or not.
local answered = redis.call('GET', KEYS[3])
if answered then
    redis.call('EXPIRE', KEYS[3], 60)
    return {answered}
end
local found = redis.call('HMGET', KEYS[1],
    'epoch', 'seq', 'hash', 'forgotten_until', 'refused_until', 'schema')
-- Without a schema it is a copy of a store that is being written, and may never be one.
if not (found[1] and found[2] and found[3] and found[6]) then return {'gone'} end
local moved = (ARGV[1] ~= '' and ARGV[1] ~= found[1])
    or (ARGV[2] ~= '' and (ARGV[2] ~= found[2] or ARGV[3] ~= found[3]))
local forgotten, refused = tonumber(found[4]) or 0, tonumber(found[5]) or 0
local at, spent = 5, {}
for number = 1, tonumber(ARGV[4]) do
    local before = redis.call('ZSCORE', KEYS[2], ARGV[at])
    if (before and tonumber(before) >= tonumber(ARGV[at + 1]))
        or tonumber(ARGV[at + 2]) <= forgotten
        or (refused > 0 and tonumber(ARGV[at + 3]) <= refused) then
        spent[#spent + 1] = number - 1
    end
    at = at + 4
end
if moved or #spent > 0 then
    return {'moved', found[1], found[2], found[3], spent}
end
local absent = tonumber(ARGV[at])
at = at + 1
for _ = 1, absent do
    local there
    if ARGV[at] == 'h' then there = redis.call('HEXISTS', ARGV[at + 1], ARGV[at + 2]) == 1
    else there = redis.call('ZSCORE', ARGV[at + 1], ARGV[at + 2]) end
    if there then
        -- For a replica is to be waited here as well: whoever wrote it may not have had one.
        redis.call('SET', KEYS[3], 'there', 'EX', 60)
        return {'there'}
    end
    at = at + 3
end
local commands = tonumber(ARGV[at])
at = at + 1
for _ = 1, commands do
    local words = tonumber(ARGV[at])
    redis.call(unpack(ARGV, at + 1, at + words))
    at = at + words + 1
end
redis.call('SET', KEYS[3], 'done', 'EX', 60)
return {'done'}
""")
"""The ledger and every change. A batch that comes a second time is not written again."""


FORGET: Final = Script("""
-- Forgets what is over, and remembers up to when.
-- KEYS: sorted set by end, state. ARGV: field of the state, end before which, how many at most.
if redis.call('HEXISTS', KEYS[2], 'schema') == 0 then return 0 end
local over = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[2], 'WITHSCORES',
    'LIMIT', 0, ARGV[3])
if #over == 0 then return 0 end
local members = {}
for place = 1, #over, 2 do members[#members + 1] = over[place] end
redis.call('ZREM', KEYS[1], unpack(members))
local latest = math.max(tonumber(redis.call('HGET', KEYS[2], ARGV[1])) or 0, tonumber(over[#over]))
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f', latest))
return #members
""")


PRUNE: Final = Script("""
-- Has a chain begin later, never earlier. KEYS: state. ARGV: behind which event, signed beginning.
local found = redis.call('HMGET', KEYS[1], 'schema', 'pruned_to', 'beginning')
if not found[1] then return 0 end
if found[2] == ARGV[1] and found[3] == ARGV[2] then return 1 end
if (tonumber(found[2] or '') or 0) >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'pruned_to', ARGV[1], 'beginning', ARGV[2])
return 1
""")


ERASE: Final = Script("""
-- Erases the claims of events; tells of how many. KEYS: events.
local erased = 0
for _, key in ipairs(KEYS) do
    local text = redis.call('GET', key)
    local first = text and string.find(text, '\\n', 1, true)
    local second = first and string.find(text, '\\n', first + 1, true)
    if second and second > first + 1 then
        redis.call('SET', key, string.sub(text, 1, first) .. string.sub(text, second))
        erased = erased + 1
    end
end
return erased
""")


REPLACE: Final = Script("""
-- Replaces a field of a hash that is still as it was seen.
-- KEYS: hash. ARGV: field, value before, value.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
""")


TOKEN: Final = Script("""
-- Gives whether a token was revoked, and the events of one instant that name it; -1 of no store.
-- KEYS: event ids, revocations, state.
-- ARGV: instant, token id, end, prefix of events, 1 for what their hashes cover alone.
local state = redis.call('HMGET', KEYS[3], 'schema', 'revocations_forgotten_until', 'pruned_to')
-- Of a copy that is being written the events may be there, and what was revoked not yet.
if not state[1] then return {-1} end
local revoked = redis.call('ZSCORE', KEYS[2], ARGV[2])
    or (tonumber(state[2] or '') or 0) >= tonumber(ARGV[3])
local pruned = tonumber(state[3] or '') or 0
local answer = {revoked and 1 or 0}
local wanted = '"token_id":"' .. ARGV[2] .. '"'
local covered = ARGV[5] == '1' and '^[^\\n]*\\n[^\\n]*\\n(.*)$'
local ids = redis.call('ZRANGEBYLEX', KEYS[1], '[' .. ARGV[1], '(' .. ARGV[1] .. 'g')
for _, id in ipairs(ids) do
    local sequence = string.match(id, '|(%d+)$')
    local text = sequence and tonumber(sequence) > pruned
        and redis.call('GET', ARGV[4] .. sequence)
    if text and string.find(text, wanted, 1, true) then
        answer[#answer + 1] = sequence
        answer[#answer + 1] = covered and string.match(text, covered) or text
    end
end
return answer
""")


BEGIN_COPY: Final = Script("""
-- Marks the place of a store as one that is being written; what was there ends with that.
-- KEYS: state, processes, what a store consists of else.
-- ARGV: id, may replace, the time from which on a process lives.
local state = KEYS[1]
local found = redis.call('HMGET', state, 'schema', 'seq', 'epoch', 'epoch_before')
if found[1] then
    if ARGV[2] ~= '1' then
        if found[2] ~= '0' then return {'filled'} end
        for place = 3, #KEYS do
            if redis.call('EXISTS', KEYS[place]) == 1 then return {'filled'} end
        end
    end
    local alive = redis.call('ZCOUNT', KEYS[2], '(' .. ARGV[3], '+inf')
    if alive > 0 then return {'used', tostring(alive)} end
elseif redis.call('EXISTS', state) == 1 and redis.call('HEXISTS', state, 'copying') == 0
    and ARGV[2] ~= '1' then
    return {'damaged'}
end
local before = string.format('%.0f', tonumber(found[3] or found[4] or 0) or 1)
redis.call('DEL', state)
redis.call('HSET', state, 'copying', ARGV[1], 'epoch_before', before)
return {'begun', before}
""")
"""A copy that was cut off leaves its mark; the next one takes over."""


PUT_COPY: Final = Script("""
-- Runs commands of a copy, unless another one has begun since.
-- KEYS: state. ARGV: id, how many commands, each: how many words, the words.
if redis.call('HGET', KEYS[1], 'copying') ~= ARGV[1] then return {'another'} end
local at = 3
for _ = 1, tonumber(ARGV[2]) do
    local words = tonumber(ARGV[at])
    redis.call(unpack(ARGV, at + 1, at + words))
    at = at + words + 1
end
return {'done'}
""")


SHARE: Final = Script("""
-- Adds what a process has counted to the totals of all, and tells how many processes there are.
-- KEYS: processes, windows. ARGV: id, now, how long a process counts,
--   then for each window: own, seconds.
local now = tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 3600)
redis.call('EXPIRE', KEYS[1], 7200)
local alive = tonumber(ARGV[3])
local answer = {redis.call('ZCOUNT', KEYS[1], '(' .. now - alive, '(' .. now + alive)}
for number = 2, #KEYS do
    local own, seconds = ARGV[number * 2], tonumber(ARGV[number * 2 + 1])
    local found = redis.call('HMGET', KEYS[number], 'started', 'requests')
    local started, requests = ARGV[2], tonumber(own)
    -- As `broker.core.limits.added`.
    if found[1] and math.abs(now - tonumber(found[1])) < seconds then
        started, requests = found[1], tonumber(found[2]) + requests
    end
    redis.call('HSET', KEYS[number], 'started', started, 'requests', requests)
    redis.call('EXPIRE', KEYS[number], seconds * 2 + 60)
    answer[#answer + 1] = started
    answer[#answer + 1] = requests
end
return answer
""")
