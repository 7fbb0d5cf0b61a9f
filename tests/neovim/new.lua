-- Neovim 0.11: the blocks of the documentation, then menu, hint, prefix.
local t = ...
local r = t.record
r.version = vim.version().major .. '.' .. vim.version().minor
vim.g.mapleader = ' '
vim.cmd('filetype on')

vim.lsp.config('*', { settings = { llmstep = t.settings } }) -- the tests' model and Lean; the blocks come on top
t.run_block('llmstep by itself')
t.run_block('hints and a key that accepts one')
t.run_block('a command for suggestions with a prefix')

local progress = {}
vim.api.nvim_create_autocmd('LspProgress', {
  callback = function(event) table.insert(progress, event.data.params.value) end,
})
local notices = {}
vim.notify = function(message) table.insert(notices, message) end

vim.cmd('edit ' .. vim.fn.fnameescape(os.getenv('FILE')))
t.buffer = vim.api.nvim_get_current_buf()
r.filetype = vim.bo.filetype
local client = t.await('the server', function()
  local it = vim.lsp.get_clients({ bufnr = t.buffer, name = 'llmstep' })[1]
  return it and it.initialized and it
end)
r.root = client.root_dir
local original = t.text()
t.place('sorry')

--- The user opens the menu and takes the entry with this title, or the preferred one.
local function choose(title)
  vim.lsp.buf.code_action({
    apply = true,
    filter = function(action) return title and action.title == title or not title and action.isPreferred end,
  })
end

-- A jump into a dependency, or into the library of Lean, and back.
r.clients = {}
for _, path in ipairs({ os.getenv('DEPENDENCY'), os.getenv('LIBRARY') }) do
  vim.cmd('edit ' .. vim.fn.fnameescape(path))
  t.await('the server at ' .. path, function() return #vim.lsp.get_clients({ bufnr = 0, name = 'llmstep' }) > 0 end)
  vim.wait(300)
  table.insert(r.clients, #vim.lsp.get_clients({ name = 'llmstep' }))
end
vim.cmd('buffer ' .. t.buffer)
t.place('sorry')

choose('llmstep: suggest the next step')
r.last_progress = t.await('the end of the run', function()
  local last = progress[#progress]
  return last and last.kind == 'end' and last
end)
r.first_progress = progress[1]
r.actions = t.actions(client)

local function hints() return vim.lsp.inlay_hint.get({ bufnr = t.buffer }) end
t.await('the hint', function() return #hints() > 0 end)
r.hints = vim.tbl_map(function(each) return each.inlay_hint end, hints())

choose()
t.await('the edit', function() return t.text() ~= original end)
r.by_menu = t.text()
t.await('the hint to go', function() return #hints() == 0 end)

-- Undone, the goal is back; what was known for it is not.
vim.cmd('undo')
r.undone = t.text()
t.place('sorry')
vim.cmd('LlmstepSuggest exact')
r.summary = t.await('the summary', function() return notices[1] end)
r.prefixed = t.titles(t.actions(client))
t.await('the hint', function() return #hints() > 0 end)
vim.api.nvim_feedkeys(' la', 'x', false)
t.await('the accepted hint', function() return t.text() ~= original end)
r.by_hint = t.text()
vim.cmd('write')

-- The key where there is no hint.
t.await('the hint to go', function() return #hints() == 0 end)
vim.api.nvim_feedkeys('gg la', 'x', false)
r.notice = notices[#notices]
