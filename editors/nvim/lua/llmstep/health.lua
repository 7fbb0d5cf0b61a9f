-- `:checkhealth llmstep`: what Neovim needs of llmstep, then what `llmstep doctor` says.
local M = {}

local REPORT = { ok = 'ok', note = 'warn', missing = 'error' }

function M.check()
  local health = vim.health
  health.start('llmstep')
  if vim.fn.has('nvim-0.11') == 0 then return health.error('Neovim 0.11 or newer is needed.') end
  local options = require('llmstep').options
  local program = options.cmd[1]
  if vim.fn.executable(program) == 0 then
    return health.error(program .. ' cannot be run.', { 'Install it: pipx install llmstep', 'Or set `cmd` to its place.' })
  end
  health.ok(vim.fn.exepath(program) .. ' is there.')
  for _, client in ipairs(vim.lsp.get_clients({ name = 'llmstep' })) do
    health.ok('It runs for ' .. (client.root_dir or 'a single file') .. '.')
  end
  if vim.fs.basename(program):match('^llmstep') then
    local done = vim.system({ program, 'doctor', '--json', vim.fn.getcwd() }, { text = true }):wait(120000)
    local understood, report = pcall(vim.json.decode, done.stdout or '')
    if not understood then return health.warn('llmstep doctor gave no report: ' .. vim.trim(done.stderr or '')) end
    for _, finding in ipairs(report.findings) do
      local advice = finding.advice ~= vim.NIL and finding.advice ~= '' and { finding.advice } or nil
      health[REPORT[finding.grade] or 'info'](finding.topic .. ': ' .. finding.text, advice)
    end
  end
end

return M
