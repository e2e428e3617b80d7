-- Health of a LoadTest for Argo CD. A run that did not pass is Degraded, so that a sync that waits for it fails.
local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local function is(name)
  return conditions[name] ~= nil and conditions[name].status == "True"
end

if next(conditions) == nil or status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "waiting for the director"}
end
if is("Reconciling") then
  return {status = "Progressing", message = (status.phase or "") .. ": " .. (status.message or "")}
end
if is("Stalled") then
  return {status = "Degraded", message = conditions.Stalled.message or conditions.Stalled.reason}
end
if conditions.Admitted ~= nil and conditions.Admitted.reason == "Suspended" then
  return {status = "Suspended", message = conditions.Admitted.message or "runPolicy.suspend"}
end
if is("Finished") then
  local passed = status.verdict == "Passed"
  return {status = passed and "Healthy" or "Degraded",
          message = (status.verdict or "") .. ": " .. (status.message or "")}
end
return {status = "Progressing", message = status.message or ""}
