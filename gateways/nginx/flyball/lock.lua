-- A lock on one tenant's counters, shared by all workers.
--
-- Whoever holds it does not yield, so it is held for microseconds. A worker that is killed while it
-- holds one leaves it behind for a second at most.

local _M = {}

local SPINS = 200
local LEFT_BEHIND_SECONDS = 1

--- Take the lock; false if `deadline` seconds passed, or, without one, after some tries.
function _M.take(shared, key, deadline)
    -- Nearly always free. (LuaJIT compiles no function that meets a loop which ends at once.)
    if shared:add(key, true, LEFT_BEHIND_SECONDS) then return true end
    local waited = 0
    while true do
        for _ = 1, SPINS do
            local ok, why = shared:add(key, true, LEFT_BEHIND_SECONDS)
            if ok then return true end
            if why ~= "exists" then error("flyball_counters: " .. tostring(why), 0) end
        end
        if not deadline or waited >= deadline then return false end
        ngx.sleep(0.001)
        waited = waited + 0.001
    end
end

function _M.free(shared, key) shared:delete(key) end

return _M
