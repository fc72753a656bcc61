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
-- Compares the primary with the one that was written to before, or makes a new store.
-- KEYS: state. ARGV: schema, may be made, run id, is replicated, may have lost writes, now.
local state = KEYS[1]
if redis.call('EXISTS', state) == 0 then
    if ARGV[2] ~= '1' then return {'gone'} end
    redis.call('HSET', state, 'schema', ARGV[1], 'epoch', 1, 'seq', 0,
        'hash', string.rep('0', 64), 'refused_until', 0, 'forgotten_until', 0,
        'primary', ARGV[3], 'replicated', ARGV[4])
    return {'made', ARGV[4]}
end
local found = redis.call('HMGET', state, 'schema', 'primary', 'replicated', 'refused_until')
if not found[1] or not tonumber(found[1]) then return {'damaged'} end
if tonumber(found[1]) > tonumber(ARGV[1]) then return {'newer', found[1]} end
local replicated = found[3] == '1' or ARGV[4] == '1'
local answer = 'same'
if found[2] ~= ARGV[3] then
    if found[3] == '1' or ARGV[5] == '1' then
        answer = 'another'
        local until_now = math.max(tonumber(found[4]) or 0, tonumber(ARGV[6]))
        redis.call('HSET', state, 'refused_until', string.format('%.0f', until_now))
    end
    redis.call('HSET', state, 'primary', ARGV[3])
end
if replicated and found[3] ~= '1' then redis.call('HSET', state, 'replicated', '1') end
return {answer, replicated and '1' or '0'}
""")
"""At every connection that is written through: see `redis_primary`."""


WRITE: Final = Script("""
-- Writes a whole batch, or nothing when it no longer fits what is there.
-- KEYS: state, spends, the batch's own key.
-- ARGV: epoch, seq, hash ('' for any of them),
--   how many spends, each: key, the end that counts, its end, its issue,
--   how many that must be absent, each: 'h' or 'z', key, member,
--   how many commands, each: how many words, the words.
-- A write that changes little, so that who waits for a replica waits for the batch. It comes behind
-- a look, since after any write of a script the server takes all others, whether it is full or not.
if redis.call('EXISTS', KEYS[3]) == 1 then
    redis.call('EXPIRE', KEYS[3], 60)
    return {'done'}
end
local found = redis.call('HMGET', KEYS[1],
    'epoch', 'seq', 'hash', 'forgotten_until', 'refused_until')
if not (found[1] and found[2] and found[3]) then return {'gone'} end
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
    if there then return {'there'} end
    at = at + 3
end
local commands = tonumber(ARGV[at])
at = at + 1
for _ = 1, commands do
    local words = tonumber(ARGV[at])
    redis.call(unpack(ARGV, at + 1, at + words))
    at = at + words + 1
end
redis.call('SET', KEYS[3], '1', 'EX', 60)
return {'done'}
""")
"""The ledger and every change. A batch that comes a second time is not written again."""


FORGET: Final = Script("""
-- Forgets what is over, and remembers up to when.
-- KEYS: sorted set by end, state. ARGV: field of the state, end before which, how many at most.
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


TOKEN: Final = Script("""
-- Gives the events of one instant that name a token, and whether it was revoked.
-- KEYS: event ids, revocations, state.
-- ARGV: instant, token id, end, prefix of events, 1 for what their hashes cover alone.
local revoked = redis.call('ZSCORE', KEYS[2], ARGV[2])
    or (tonumber(redis.call('HGET', KEYS[3], 'revocations_forgotten_until')) or 0)
        >= tonumber(ARGV[3])
local pruned = tonumber(redis.call('HGET', KEYS[3], 'pruned_to')) or 0
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
