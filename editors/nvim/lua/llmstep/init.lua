-- llmstep in Neovim: a language server beside Lean's own, a command, keys and hints.
local M = {}

---@class llmstep.Keys
---@field suggest string|false ask for steps, and choose one
---@field accept string|false insert the step of the hint
---@field prove string|false search a whole proof

---@class llmstep.Options
---@field cmd string[] what starts the server
---@field filetypes string[]
---@field settings table the server's settings, by their names without `llmstep.`
---@field lean string|false the Lean client that is asked for goals; with false llmstep asks a Lean server of its own
---@field hints boolean whether the best step is shown behind its goal
---@field ghost_text boolean whether it is offered as ghost text as well (Neovim 0.12)
---@field keys llmstep.Keys|false keys of normal mode in Lean buffers
local DEFAULTS = {
  cmd = { 'llmstep', 'lsp' },
  filetypes = { 'lean', 'lean4' },
  settings = {},
  lean = 'leanls',
  hints = true,
  ghost_text = false,
  keys = { suggest = '<leader>ls', accept = '<leader>la', prove = '<leader>lp' },
}

--- The options in force; those of `setup` over the defaults.
M.options = DEFAULTS

local DESCRIPTIONS = {
  suggest = 'llmstep: suggest the next step',
  accept = 'llmstep: insert the step of the hint',
  prove = 'llmstep: complete the proof',
}

local function attach(client, buffer)
  if M.options.hints and client:supports_method('textDocument/inlayHint') then
    vim.lsp.inlay_hint.enable(true, { bufnr = buffer })
  end
  if M.options.ghost_text then
    vim.lsp.inline_completion.enable(true, { bufnr = buffer })
  end
  for name, key in pairs(M.options.keys or {}) do
    if key then
      local run = require('llmstep.commands')[name]
      vim.keymap.set('n', key, function() run() end, { buffer = buffer, desc = DESCRIPTIONS[name] })
    end
  end
end

--- Start llmstep in Lean buffers. What is not given is as in DEFAULTS.
---@param options llmstep.Options|nil
function M.setup(options)
  if vim.fn.has('nvim-0.11') == 0 then
    return vim.notify('llmstep.nvim needs Neovim 0.11 or newer.', vim.log.levels.ERROR)
  end
  vim.validate('options', options, 'table', true)
  for name in pairs(options or {}) do
    if DEFAULTS[name] == nil then
      vim.notify(('llmstep has no option %q. :help llmstep-options has them all.'):format(name), vim.log.levels.WARN)
    end
  end
  M.options = vim.tbl_deep_extend('force', DEFAULTS, options or {})
  if M.options.ghost_text and not vim.lsp.inline_completion then
    vim.notify('Ghost text needs Neovim 0.12 or newer.', vim.log.levels.WARN)
    M.options.ghost_text = false
  end
  vim.api.nvim_create_autocmd('LspAttach', {
    group = vim.api.nvim_create_augroup('llmstep', {}),
    callback = function(event)
      local client = vim.lsp.get_client_by_id(event.data.client_id)
      if client and client.name == 'llmstep' then attach(client, event.buf) end
    end,
  })
  require('llmstep.commands').register()
  vim.lsp.config('llmstep', require('llmstep.server').config(M.options))
  vim.lsp.enable('llmstep')
end

return M
