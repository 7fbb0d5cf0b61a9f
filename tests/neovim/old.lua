-- Neovim 0.7: client made by hand, actions chosen from the menu, which is `vim.ui.select`.
local t = ...
local r = t.record
r.version = vim.version().major .. '.' .. vim.version().minor

t.open('sorry')
local id = vim.lsp.start_client({
  name = 'llmstep',
  cmd = { os.getenv('PYTHON'), '-m', 'llmstep', 'lsp' },
  root_dir = vim.fn.getcwd(),
  init_options = t.settings,
  get_language_id = function() return 'lean4' end,
})
vim.lsp.buf_attach_client(t.buffer, id)
local client = vim.lsp.get_client_by_id(id)
t.await('the server', function() return client.initialized end)
r.commands = client.server_capabilities.executeCommandProvider.commands

--- The user opens the menu and takes the entry that `wanted` picks.
local function choose(wanted)
  local menu
  vim.ui.select = function(items, options, done)
    menu = vim.tbl_map(options.format_item, items)
    for index, item in ipairs(items) do
      if wanted(item[2], index) then return done(item, index) end
    end
    error('nothing to choose among ' .. vim.inspect(menu))
  end
  vim.lsp.buf.code_action()
  t.await('the menu', function() return menu end)
  return menu
end

r.progress = {}
local ended
vim.api.nvim_create_autocmd('User', {
  pattern = 'LspProgressUpdate',
  callback = function()
    for _, each in ipairs(vim.lsp.util.get_progress_messages()) do
      if each.progress then
        table.insert(r.progress, { title = each.title, message = each.message })
        ended = ended or each.done
      end
    end
  end,
})
r.first_menu = choose(function(action) return action.title == 'llmstep: suggest the next step' end)
t.await('the end of the run', function() return ended end)
r.actions = t.actions(client)

local before = t.text()
r.second_menu = choose(function(_, index) return index == 1 end)
t.await('the edit', function() return t.text() ~= before end)
r.text = t.text()
vim.cmd('write')
