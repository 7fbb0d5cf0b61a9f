-- `:Llmstep WORD …`: one command; each word of it is a function of this module, which keys use as well.
local M = {}

local function say(message, level) vim.notify(message, level or vim.log.levels.INFO) end

--- The client of this buffer; nil, with a message, where there is none.
local function here()
  local client = vim.lsp.get_clients({ bufnr = 0, name = 'llmstep' })[1]
  if not client then say('llmstep does not run in this buffer. :checkhealth llmstep tells why.', vim.log.levels.WARN) end
  return client
end

--- Run a command of the server; `done` is called with its answer, and a failure is told.
local function run(command, argument, done)
  local client = here()
  if not client then return end
  client:exec_cmd({ title = command, command = command, arguments = { argument } }, nil, function(problem, answer)
    if problem then
      local data = type(problem.data) == 'table' and problem.data or {}
      return say(vim.trim(problem.message .. ' ' .. (data.hint or '')), vim.log.levels.ERROR)
    end
    if done then done(answer ~= vim.NIL and answer or nil, client) end
  end)
end

local function place(more)
  local client = vim.lsp.get_clients({ bufnr = 0, name = 'llmstep' })[1]
  local at = vim.lsp.util.make_position_params(0, client and client.offset_encoding or 'utf-16')
  return vim.tbl_extend('error', at, more or {})
end

local function document() return { textDocument = { uri = vim.uri_from_bufnr(0) } } end

--- Make edits in a buffer that is as it was when they were asked for.
local function insert(edits, buffer, tick, client)
  if vim.api.nvim_buf_get_changedtick(buffer) ~= tick then
    return say('The file has changed. Ask again.', vim.log.levels.WARN)
  end
  vim.lsp.util.apply_text_edits(edits, buffer, client.offset_encoding)
end

local function choose(answer, buffer, tick, client)
  if #answer.suggestions == 0 then return say(answer.summary) end
  local function title(step) return step.title end
  vim.ui.select(answer.suggestions, { prompt = answer.summary, format_item = title }, function(step)
    if step then insert({ step.edit }, buffer, tick, client) end
  end)
end

--- Ask for steps at the cursor, all of which begin with `prefix`, and choose one to insert.
function M.suggest(prefix)
  local buffer, tick = vim.api.nvim_get_current_buf(), vim.b.changedtick
  local wanted = place(prefix and prefix ~= '' and { prefix = prefix } or nil)
  run('llmstep.suggest', wanted, function(answer, client) choose(answer, buffer, tick, client) end)
end

--- Insert the step that the hint at the cursor shows; where there is none, ask for steps.
function M.accept()
  local buffer, tick = vim.api.nvim_get_current_buf(), vim.b.changedtick
  run('llmstep.accept', place(), function(shown, client)
    if not shown then return M.suggest() end
    insert({ shown.edit }, buffer, tick, client)
  end)
end

local function turn(step)
  run('llmstep.choose', place({ step = step }), function(shown)
    if not shown then return M.suggest() end
    say(('%d of %d: %s%s'):format(shown.index + 1, shown.count, shown.text, shown.verdict == 'closes' and ' ✓' or ''))
  end)
end

--- Have the hint show the next step, or the one before.
function M.next() turn(1) end
function M.previous() turn(-1) end

--- List the steps that Lean rejected at the cursor, with its reasons.
function M.rejected()
  local client = here()
  if not client then return end
  client:request('llmstep/known', place(), function(problem, known)
    if problem or not known or known == vim.NIL or #known.rejected == 0 then
      return say('No rejected step is known here.')
    end
    local function line(each) return each.text .. '\n    ' .. each.reason:gsub('\n', '\n    ') end
    say(table.concat(vim.tbl_map(line, known.rejected), '\n'))
  end, 0)
end

--- Search a whole proof of the goal at the cursor, and insert it.
function M.prove()
  local buffer, tick = vim.api.nvim_get_current_buf(), vim.b.changedtick
  run('llmstep.prove', place(), function(answer, client)
    local partial = answer.partial ~= vim.NIL and answer.partial or nil
    if partial then
      return say(('The proof is complete except for %d goals. The code actions (gra) offer it.'):format(#partial.goals))
    elseif not answer.proof or answer.proof == vim.NIL then
      local rounds = (answer.rounds or 0) > 0
      return say(('No proof was found in %d %s.'):format(rounds and answer.rounds or answer.expansions, rounds and 'rounds' or 'expansions'))
    end
    insert({ answer.edit }, buffer, tick, client)
  end)
end

--- Search a proof of each `sorry` of the file, and insert those that were found.
function M.fill()
  local buffer, tick = vim.api.nvim_get_current_buf(), vim.b.changedtick
  run('llmstep.fillSorries', document(), function(answer, client)
    local edits = vim.tbl_map(function(each) return each.edit end, answer.proved)
    if #edits > 0 then insert(edits, buffer, tick, client) end
    say(('%d of %d sorries have a proof.'):format(#edits, #edits + #answer.failed))
  end)
end

--- Use another model, by name, or choose one of those on this machine.
function M.model(name)
  local function use(model)
    run('llmstep.selectModel', { model = model, load = true }, function() say('llmstep now uses ' .. model .. '.') end)
  end
  if name and name ~= '' then return use(name) end
  run('llmstep.models', nil, function(all)
    local present = vim.tbl_filter(function(each) return each.cached or each.bundled end, all)
    local function line(each) return ('%s%s: %s'):format(each.name, each.active and ' (active)' or '', each.summary) end
    vim.ui.select(present, { prompt = 'Model', format_item = line }, function(model)
      if model then use(model.name) end
    end)
  end)
end

--- End what is running.
function M.stop() run('llmstep.stop') end

--- Start llmstep's own Lean servers anew.
function M.restart() run('llmstep.restartLean') end

--- Build the imports of the file, which Lean says are stale.
function M.build() run('llmstep.buildImports', document()) end

local WORDS = { 'suggest', 'accept', 'next', 'previous', 'rejected', 'prove', 'fill', 'model', 'stop', 'restart', 'build' }

--- Make the command `:Llmstep`.
function M.register()
  vim.api.nvim_create_user_command('Llmstep', function(given)
    local word, rest = given.args:match('^(%S*)%s*(.*)$')
    word = word == '' and 'suggest' or word
    if not vim.tbl_contains(WORDS, word) then
      return say(('llmstep has no command %q. It has %s.'):format(word, table.concat(WORDS, ', ')), vim.log.levels.ERROR)
    end
    M[word](rest)
  end, {
    nargs = '*',
    desc = 'llmstep: steps for the Lean goal at the cursor',
    complete = function(start)
      return vim.tbl_filter(function(word) return vim.startswith(word, start) end, WORDS)
    end,
  })
end

return M
