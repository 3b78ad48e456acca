// Backups as the contract writes them, as the text of their JSON.
#pragma once

#include <string>
#include <vector>

#include "control-plane/api/operation_answers.h"
#include "control-plane/operations/shown_backup.h"

namespace backstay::api {

Result<std::string> backup_answer(Names& names, const operations::ShownBackup& shown);
// The same for a page of a list, with few questions to the store.
Result<std::vector<std::string>> backup_answers(Names& names, const std::vector<operations::BackupRow>& rows);

}  // namespace backstay::api
