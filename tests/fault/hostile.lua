-- For wrk: asks for one path and holds each answer against the right one. Usage: wrk ... -- PATH ANSWER_FILE
-- Prints one line of JSON at the end.
local threads = {}
local wanted

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    wrk.path = args[1]
    wanted = io.open(args[2], "rb"):read("*a")
    wrong, example = 0, ""
end

function response(status, headers, body)
    if status ~= 200 or body ~= wanted then
        wrong = wrong + 1
        example = status .. " " .. body:sub(1, 300)
    end
end

function done(summary, latency, requests)
    local all, example = 0, ""
    for _, thread in ipairs(threads) do
        all = all + thread:get("wrong")
        if thread:get("example") ~= "" then example = thread:get("example") end
    end
    local e = summary.errors
    print(string.format('RESULT {"requests": %d, "seconds": %f, "wrong": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d, "p99_ms": %f}',
        summary.requests, summary.duration / 1e6, all, e.connect, e.read, e.write, e.timeout, latency:percentile(99) / 1e3))
    print("EXAMPLE " .. example)
end
