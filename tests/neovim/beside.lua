-- Neovim 0.11 and later: goals from the Lean client that runs beside llmstep.
local t = ...
local r = t.record
vim.cmd('filetype on')

local lean = {}
for index, word in ipairs({ os.getenv('LEAN'), '--server', '-Dserver.reportDelayMs=0' }) do lean[index] = word end
vim.lsp.config('leanls', { cmd = lean, filetypes = { 'lean' }, get_language_id = function() return 'lean4' end })
vim.lsp.enable('leanls')
vim.lsp.config('*', { settings = { llmstep = t.settings } })
t.add_plugin()
t.run_block('setup')

vim.cmd('edit ' .. vim.fn.fnameescape(os.getenv('FILE')))
t.buffer = vim.api.nvim_get_current_buf()
local clients = {}
for _, name in ipairs({ 'llmstep', 'leanls' }) do
  clients[name] = t.await(name, function()
    local it = vim.lsp.get_clients({ bufnr = t.buffer, name = name })[1]
    return it and it.initialized and it
  end)
end
t.place('sorry')

local function run(client, command, argument)
  local answered, problem, result
  client:exec_cmd({ title = command, command = command, arguments = { argument } }, nil, function(...)
    problem, result = ...
    answered = true
  end)
  t.await(command, function() return answered end)
  return result, problem and problem.message
end

local place = vim.lsp.util.make_position_params(0, 'utf-16')
r.answer = assert(run(clients.llmstep, 'llmstep.suggest', place))
r.status = run(clients.llmstep, 'llmstep.status')
local action = t.actions(clients.llmstep)[1]
vim.lsp.util.apply_workspace_edit(action.edit, 'utf-16')
r.text = t.text()
vim.cmd('write')

-- Without the Lean client llmstep asks a Lean server of its own.
vim.cmd('undo')
clients.leanls:stop(true)
t.await('the end of the Lean client', function()
  return #vim.lsp.get_clients({ bufnr = t.buffer, name = 'leanls' }) == 0
end)
local alone, problem = run(clients.llmstep, 'llmstep.suggest', place)
r.problem = problem
r.goal_alone = alone and alone.goal
r.status_alone = run(clients.llmstep, 'llmstep.status')
