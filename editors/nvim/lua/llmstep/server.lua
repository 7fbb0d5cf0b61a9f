-- What Neovim is told of the server: how it is started, for which project, and who answers for goals.
local M = {}

local MARKERS = { 'lean-toolchain', 'lakefile.toml', 'lakefile.lean', '.git' }

--- The folder of a buffer's project. A file of a dependency belongs to the project that has it, and a file outside of
--- every project, such as Lean's own library, to the project whose llmstep runs: no second one is started.
local function root(buffer, start)
  local path = vim.api.nvim_buf_get_name(buffer)
  local project = path:match('^(.-)[/\\]%.lake[/\\]packages[/\\]') or vim.fs.root(buffer, MARKERS)
  local running = vim.lsp.get_clients({ name = 'llmstep' })[1]
  start(project or running and running.root_dir or vim.fs.dirname(path))
end

--- Answers the server's question for a goal through the Lean client of a name. With an error of the code "method not
--- found" llmstep asks its own Lean server.
local function goal_from(name)
  local function not_here(why)
    return nil, vim.lsp.rpc_response_error(vim.lsp.protocol.ErrorCodes.MethodNotFound, why)
  end
  return function(_, params)
    local buffer = vim.uri_to_bufnr(params.textDocument.uri)
    local lean = vim.lsp.get_clients({ bufnr = buffer, name = name })[1]
    if not lean then return not_here('no Lean client is attached') end
    -- Neovim runs handlers of requests in a coroutine, so that this one may wait without blocking the editor.
    local me = coroutine.running()
    local sent = lean:request('$/lean/plainGoal', params, function(problem, answer)
      coroutine.resume(me, problem, answer)
    end, buffer)
    if not sent then return not_here('the Lean client has stopped') end
    local problem, answer = coroutine.yield()
    if problem then return not_here(problem.message) end
    return answer or vim.NIL
  end
end

--- The table for `vim.lsp.config`.
---@param options llmstep.Options
function M.config(options)
  local settings = vim.deepcopy(options.settings)
  local handlers = {}
  if options.lean then
    settings.goalProvider = settings.goalProvider or 'client'
    handlers['llmstep/plainGoal'] = goal_from(options.lean)
  end
  if options.ghost_text then
    settings.inlineCompletion = vim.tbl_extend('keep', settings.inlineCompletion or {}, { enabled = true })
  end
  return {
    cmd = options.cmd,
    filetypes = options.filetypes,
    root_dir = root,
    get_language_id = function() return 'lean4' end,
    settings = { llmstep = settings },
    handlers = handlers,
  }
end

return M
