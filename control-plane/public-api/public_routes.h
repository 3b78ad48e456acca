// /api/public/v1: what customers' scripts see, with an API key only. Names, errors and limits are those that users of
// OEC.sh know (contract/semantics.md 1.2, 13).
#pragma once

#include "common/crypto/secret_box.h"
#include "control-plane/api/routes.h"
#include "control-plane/browse/browser.h"
#include "control-plane/relay/storage_desk.h"

namespace backstay::public_api {

// Listing and showing backups.
void add_public_backup_routes(api::RouteTable& routes);

// GET …/backups/{backupId}/download, there and below /api. What these name outlives the routes.
struct DownloadParts {
    const SecretBox& box;
    browse::Browser& browser;
    relay::StorageDesk& desk;
};
void add_download_routes(api::RouteTable& routes, const DownloadParts& parts);

}  // namespace backstay::public_api
