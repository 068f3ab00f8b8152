-- Strata in Neovim: diagnostics, hover, completion, and a training run started and stopped over LSP.
local server, file, root = vim.env.STRATA_SERVER, vim.env.STRATA_FILE, vim.env.STRATA_ROOT
local notifications, progress = {}, {}

local function fail(what)
  io.stderr:write('not ok: ' .. what .. '\n')
  vim.cmd('cquit 1')
end

local function check(condition, what)
  if not condition then fail(what) end
  io.stdout:write('ok: ' .. what .. '\n')
end

local function eventually(timeout, condition, what)
  check(vim.wait(timeout, condition, 10), what)
end

vim.cmd('edit ' .. vim.fn.fnameescape(file))
vim.bo.filetype = 'strata'
local buffer = vim.api.nvim_get_current_buf()

local client_id = vim.lsp.start_client({
  name = 'strata',
  cmd = { vim.env.STRATA_NODE, server, '--stdio' },
  root_dir = root,
  workspace_folders = { { uri = vim.uri_from_fname(root), name = 'workspace' } },
  handlers = {
    ['strata/run'] = function(_, message) table.insert(notifications, message) end,
    ['$/progress'] = function(_, message) table.insert(progress, message) end,
  },
})
check(client_id ~= nil, 'the server starts')
check(vim.lsp.buf_attach_client(buffer, client_id), 'the buffer is attached')
local client = vim.lsp.get_client_by_id(client_id)
eventually(10000, function() return client.initialized end, 'the server is initialized')

-- Requests go to the server by hand, so that errors are seen as they are.
local function request(method, params, timeout)
  local answers, problem = client.request_sync(method, params, timeout or 10000, buffer)
  if answers == nil then fail(method .. ' is answered: ' .. tostring(problem)) end
  if answers.err then fail(method .. ' succeeds: ' .. answers.err.message) end
  return answers.result
end

local function position(line, character)
  return { textDocument = { uri = vim.uri_from_bufnr(buffer) }, position = { line = line, character = character } }
end

-- The place of `text`: line and column from 0, in the units of an ASCII file.
local function find(text)
  for number, line in ipairs(vim.api.nvim_buf_get_lines(buffer, 0, -1, false)) do
    local column = line:find(text, 1, true)
    if column then return number - 1, column - 1 end
  end
  fail('the file contains ' .. text)
end

local function codes()
  return vim.tbl_map(function(d) return d.code end, vim.diagnostic.get(buffer))
end

-- Hover shows what the layer does to the shape.
local line, column = find('fc1 = linear')
local hover = request('textDocument/hover', position(line, column))
check(hover and hover.contents.value:find('128', 1, true), 'hover shows the size of a layer')

-- An edit that breaks the model gives one exact error; taking it back removes it.
line, column = find('fc2 = linear(10)')
vim.api.nvim_buf_set_text(buffer, line, column + 13, line, column + 15, { '12' })
eventually(5000, function() return #codes() > 0 end, 'a wrong size gives a diagnostic')
check(#codes() == 1, 'one mistake gives one diagnostic, found ' .. table.concat(codes(), ' '))
vim.api.nvim_buf_set_text(buffer, line, column + 13, line, column + 15, { '10' })
eventually(5000, function() return #codes() == 0 end, 'mending it removes the diagnostic')

-- Completion behind a pipeline offers layers.
line, column = find('x |> fc1')
local list = request('textDocument/completion', position(line, column + 5))
local labels = {}
for _, item in ipairs(list.items or list) do labels[item.label] = true end
check(labels['fc1'] and labels['relu'], 'completion offers layers and functions')

-- The lens offers training, and its command starts a run.
local function lens_command(name)
  local lenses = request('textDocument/codeLens', { textDocument = { uri = vim.uri_from_bufnr(buffer) } })
  for _, lens in ipairs(lenses) do
    if lens.command.command == name then return lens.command end
  end
end
local command = lens_command('strata.train')
check(command ~= nil, 'a lens offers training')
local run = request('workspace/executeCommand', { command = command.command, arguments = command.arguments }, 30000)
check(run and run.folder ~= nil, 'the command answers with the run')

local function seen(kind)
  for _, message in ipairs(notifications) do
    for _, event in ipairs(message.events) do
      if event.type == kind then return true end
    end
  end
  return false
end
eventually(30000, function() return seen('step') end, 'losses arrive as strata/run notifications')
eventually(5000, function() return #progress > 0 end, 'progress arrives')

-- Stop ends it, and the summary says so.
request('workspace/executeCommand', { command = 'strata.stop', arguments = { { folder = run.folder } } })
eventually(10000, function() return seen('done') end, 'stop ends the run')

-- What was stopped can be resumed, from a lens of its own, where it stopped.
local resume
eventually(10000, function()
  resume = lens_command('strata.resume')
  return resume ~= nil
end, 'a lens offers to resume')
request('workspace/executeCommand', { command = resume.command, arguments = resume.arguments }, 30000)
local function resumed()
  for _, message in ipairs(notifications) do
    for _, event in ipairs(message.events) do
      if event.type == 'start' and event.fromStep > 0 then return true end
    end
  end
  return false
end
eventually(30000, resumed, 'the run goes on where it stopped')
client.request_sync('workspace/executeCommand', { command = 'strata.stop', arguments = { { folder = run.folder } } }, 10000, buffer)
eventually(20000, function() return notifications[#notifications].summary.resumable end, 'and can be stopped again')

-- A file with an error doesn't train, and the reason is the error.
line, column = find('fc2 = linear(10)')
vim.api.nvim_buf_set_text(buffer, line, column + 13, line, column + 15, { '12' })
local refused = client.request_sync('workspace/executeCommand', command, 10000, buffer)
check(refused and refused.err and refused.err.message:find("can't train", 1, true), 'a file with an error is refused')

client.request_sync('shutdown', nil, 5000, buffer)
client.notify('exit')
vim.cmd('quitall!')
