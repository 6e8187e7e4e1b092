-- Windows of allowances: the calendar's, in UTC. 2,592,000 seconds is the calendar's month.

local _M = {}

local floor = math.floor
local DAY = 86400
local MONTH = 30 * DAY

-- Days since 1970-01-01 of a month's first day (Howard Hinnant, "chrono-compatible low-level date
-- algorithms", days_from_civil with day = 1).
local function first_day(year, month)
    if month <= 2 then year = year - 1 end
    local era = floor(year / 400)
    local of_era = year - era * 400
    local of_year = floor((153 * (month + (month > 2 and -3 or 9)) + 2) / 5)
    return era * 146097 + of_era * 365 + floor(of_era / 4) - floor(of_era / 100) + of_year - 719468
end

--- When the window that `now_ms` lies in ends (ms).
function _M.ends(window, now_ms)
    if window == MONTH then
        local date = os.date("!*t", floor(now_ms / 1000))
        local year, month = date.year, date.month + 1
        if month > 12 then year, month = year + 1, 1 end
        return first_day(year, month) * DAY * 1000
    end
    local length = window * 1000
    return now_ms - now_ms % length + length
end

return _M
