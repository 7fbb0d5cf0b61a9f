-- What the scripts share; runs in Neovim 0.7 to 0.12. Loads the script of the test, writes its record, and ends Neovim.

local M = { record = {}, settings = vim.json.decode(os.getenv('SETTINGS')) }
local SECONDS = 60

--- Wait until `condition` gives something; that.
function M.await(what, condition)
  local value
  local came = vim.wait(SECONDS * 1000, function()
    value = condition()
    return value
  end, 20)
  assert(came, 'waited in vain for ' .. what)
  return value
end

--- Open the file of the test, and put the cursor on the first `mark`.
function M.open(mark)
  vim.cmd('edit ' .. vim.fn.fnameescape(os.getenv('FILE')))
  M.buffer = vim.api.nvim_get_current_buf()
  vim.bo[M.buffer].filetype = 'lean'
  M.place(mark)
  return M.buffer
end

--- Put the cursor on the first `mark`.
function M.place(mark)
  for row, line in ipairs(vim.api.nvim_buf_get_lines(M.buffer, 0, -1, false)) do
    local column = line:find(mark, 1, true)
    if column then
      return vim.api.nvim_win_set_cursor(0, { row, column - 1 })
    end
  end
  error('no ' .. mark .. ' in the file')
end

function M.text()
  return table.concat(vim.api.nvim_buf_get_lines(M.buffer, 0, -1, false), '\n') .. '\n'
end

--- The code actions at the cursor, asked for as an editor plugin would.
function M.actions(client)
  local params = vim.lsp.util.make_range_params(0, 'utf-16')
  params.context = { diagnostics = {} }
  local answers = assert(vim.lsp.buf_request_sync(M.buffer, 'textDocument/codeAction', params, SECONDS * 1000))
  return answers[client.id].result or {}
end

function M.titles(actions)
  return vim.tbl_map(function(action) return action.title end, actions)
end

--- The Lua blocks of the documentation, by the comment in their first line.
function M.page()
  local blocks = {}
  local page = table.concat(vim.fn.readfile(os.getenv('PAGE')), '\n') .. '\n'
  for block in page:gmatch('\n```lua\n(.-)\n```\n') do
    blocks[assert(block:match('^%-%- ([^\n]+)'), 'a block without a name')] = block
  end
  return blocks
end

--- Add the plugin, as a plugin manager does.
function M.add_plugin()
  vim.opt.packpath:prepend(os.getenv('SITE'))
  vim.cmd('packadd llmstep')
end

--- Run a block of the documentation, as it stands there.
function M.run_block(name)
  local block = assert(M.page()[name], 'no block: ' .. name)
  assert((loadstring or load)(block, '=' .. name))()
end

local ok, problem = xpcall(function()
  assert(loadfile(os.getenv('SCRIPT')))(M)
end, debug.traceback)
if ok then
  vim.fn.writefile({ vim.json.encode(M.record) }, os.getenv('RECORD'))
else
  io.stderr:write(problem .. '\nrecorded so far: ' .. vim.inspect(M.record) .. '\n')
end
for _, client in pairs((vim.lsp.get_clients or vim.lsp.get_active_clients)()) do
  if vim.lsp.get_clients then client:stop() else client.stop() end
end
vim.wait(10000, function()
  return vim.tbl_isempty((vim.lsp.get_clients or vim.lsp.get_active_clients)())
end, 20)
vim.cmd(ok and 'qall!' or 'cquit 1')
