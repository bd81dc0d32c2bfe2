-- One modern tools/call per request, for wrk: wrk -s echo.lua URL -- TOOL
-- Our server and the bare rmcp peer get the same bytes; the peer ignores the token.
init = function(args)
  local tool = args[1] or "echo"
  local meta = '"io.modelcontextprotocol/protocolVersion":"2026-07-28",' ..
    '"io.modelcontextprotocol/clientInfo":{"name":"wrk","version":"1"},' ..
    '"io.modelcontextprotocol/clientCapabilities":{}'
  wrk.method = "POST"
  wrk.body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"' .. tool ..
    '","arguments":{"message":"hello"},"_meta":{' .. meta .. '}}}'
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Accept"] = "application/json, text/event-stream"
  wrk.headers["Authorization"] = "Bearer ann"
  wrk.headers["MCP-Protocol-Version"] = "2026-07-28"
  wrk.headers["Mcp-Method"] = "tools/call"
  wrk.headers["Mcp-Name"] = tool
  request_bytes = wrk.format()
end

request = function() return request_bytes end

-- An answer that is not the echo must not count as fast.
response = function(status, headers, body)
  if status ~= 200 or not body:find('"structuredContent":{"text":"hello"}', 1, true) then
    io.stderr:write(status .. " " .. body .. "\n")
    wrk.thread:stop()
  end
end
