-- Neovim 0.11 and later with the plugin: menu of code actions, hint, keys, `:Llmstep`, help and health.
local t = ...
local r = t.record
r.version = vim.version().major .. '.' .. vim.version().minor
vim.g.mapleader = ' '
vim.cmd('filetype on')

local notices = {}
vim.notify = function(message) table.insert(notices, message) end
local function noticed(what, text)
  return t.await(what, function()
    for _, notice in ipairs(notices) do
      if notice:find(text, 1, true) then return notice end
    end
  end)
end

vim.lsp.config('*', { settings = { llmstep = t.settings } }) -- the tests' model and Lean
t.add_plugin()
t.run_block('setup')

local progress = {}
vim.api.nvim_create_autocmd('LspProgress', {
  callback = function(event) table.insert(progress, event.data.params.value) end,
})

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

--- The user opens the menu of code actions and takes the entry with this title, or the preferred one.
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
  for _, each in ipairs(progress) do
    if each.kind == 'end' and each.message and each.message:find('generated') then return each end
  end
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

--- The user takes the entry that begins so from the next list.
local function take(start)
  vim.ui.select = function(items, options, done)
    r.prompt = options.prompt
    r.list = vim.tbl_map(options.format_item, items)
    for index, item in ipairs(items) do
      if vim.startswith(options.format_item(item), start) then return done(item, index) end
    end
    error('nothing to choose among ' .. vim.inspect(r.list))
  end
end

-- Undone, the goal is back; what was known for it is not. The key for steps, which lists them.
vim.cmd('undo')
r.undone = t.text()
t.place('sorry')
take('')
vim.api.nvim_feedkeys(' ls', 'x', false)
t.await('the chosen step', function() return t.text() ~= original end)
r.by_key = t.text()
r.listed = r.list

-- With a prefix and without one, nothing chosen; then another hint, and the key that accepts it.
vim.cmd('undo')
t.place('sorry')
local shown
vim.ui.select = function(items, options) shown = vim.tbl_map(options.format_item, items) end
vim.cmd('Llmstep suggest exact')
r.prefixed = t.await('the list', function() return shown end)
shown = nil
vim.cmd('Llmstep')
t.await('the other list', function() return shown end)
vim.cmd('Llmstep next')
r.turned = noticed('the next step', '2 of ')
vim.cmd('Llmstep previous')
noticed('the step before', '1 of ')
vim.api.nvim_feedkeys(' la', 'x', false)
t.await('the accepted hint', function() return t.text() ~= original end)
r.by_hint = t.text()

-- A whole proof, a file without `sorry`, the models, a wrong word.
vim.cmd('undo')
t.place('sorry')
vim.cmd('Llmstep prove')
t.await('the proof', function() return t.text() ~= original end)
vim.cmd('write')
r.proved = t.text()
vim.cmd('Llmstep fill')
r.filled = noticed('the count of sorries', 'sorries')
take('starter (active)')
vim.cmd('Llmstep model')
r.model = noticed('the model', 'now uses')
vim.cmd('Llmstep wrong')
r.wrong = notices[#notices]
r.words = vim.fn.getcompletion('Llmstep s', 'cmdline')

vim.cmd('helptags ALL')
vim.cmd('help llmstep-options')
r.help = vim.api.nvim_get_current_line()
vim.cmd('helpclose')
vim.cmd('checkhealth llmstep')
r.health = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n')
require('llmstep').setup({ hint = true })
r.unknown = notices[#notices]
