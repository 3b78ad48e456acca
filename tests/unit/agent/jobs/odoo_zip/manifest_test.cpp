#include <gtest/gtest.h>

#include "agent/jobs/odoo_zip/export.h"

namespace backstay::odoo_zip {
namespace {

TEST(OdooManifestText, HasOdoosKeysAndNumbersWhereOdooHasThem) {
    OdooManifest manifest;
    manifest.db_name = "prod";
    manifest.version = manifest.major_version = "17.0";
    manifest.version_info = {"17", "0", "0", "final", "0", ""};
    manifest.pg_version = "15.18";
    manifest.modules = {{"base", "17.0.1.3"}};
    EXPECT_EQ(odoo_manifest_text(manifest),
              R"({"odoo_dump":"1","db_name":"prod","version":"17.0","version_info":[17,0,0,"final",0,""],)"
              R"("major_version":"17.0","pg_version":"15.18","modules":{"base":"17.0.1.3"}})");
}

TEST(OdooManifestText, LeavesTheWordsOfIntermediateSeries) {
    OdooManifest manifest;
    manifest.version_info = {"saas~17", "2", "0", "final", "0", "e"};
    EXPECT_NE(odoo_manifest_text(manifest).find(R"(["saas~17",2,0,"final",0,"e"])"), std::string::npos);
}

}  // namespace
}  // namespace backstay::odoo_zip
