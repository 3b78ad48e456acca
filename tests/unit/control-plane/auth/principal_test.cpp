#include "control-plane/auth/principal.h"

#include <gtest/gtest.h>

namespace backstay::auth {
namespace {

TEST(Roles, GrantWhatTheContractSays) {
    const Permissions viewer = Permissions::of(Role::viewer);
    EXPECT_EQ(viewer.words(), "view:backups view:storage");
    const Permissions developer = Permissions::of(Role::developer);
    EXPECT_TRUE(developer.has(Permission::manage_backups));
    EXPECT_TRUE(developer.has(Permission::manage_restores));
    EXPECT_FALSE(developer.has(Permission::manage_storage));
    const Permissions admin = Permissions::of(Role::admin);
    EXPECT_TRUE(admin.has(Permission::manage_storage));
    EXPECT_FALSE(admin.has(Permission::manage_organization));
    EXPECT_TRUE(Permissions::of(Role::owner).has(Permission::manage_organization));
}

TEST(Roles, AreReadAndWrittenByTheirWords) {
    for (const Role role : {Role::viewer, Role::developer, Role::admin, Role::owner}) {
        EXPECT_EQ(parse_role(to_string(role)), role);
    }
    EXPECT_FALSE(parse_role("root"));
    EXPECT_FALSE(parse_role(""));
}

TEST(Permissions, OfWordsContainWhatTheyImply) {
    const auto permissions = Permissions::parse("manage:storage manage:restores");
    ASSERT_TRUE(permissions);
    EXPECT_TRUE(permissions->has(Permission::view_storage));
    EXPECT_TRUE(permissions->has(Permission::view_backups));
    EXPECT_FALSE(permissions->has(Permission::manage_backups));
    EXPECT_FALSE(Permissions::parse("manage:everything"));
    EXPECT_EQ(Permissions::parse("")->words(), "");
}

TEST(Permissions, MeetJoinAndTakeAway) {
    const Permissions both = Permissions::of(Role::owner).meet(*Permissions::parse("view:backups manage:keys"));
    EXPECT_EQ(both.words(), "view:backups manage:keys");
    EXPECT_EQ(both.without(Permission::manage_keys).words(), "view:backups");
    EXPECT_EQ(both.join(*Permissions::parse("view:storage")).words(), "view:backups view:storage manage:keys");
}

TEST(Principal, RestoresIntoProductionOnlyAsAdministrator) {
    Principal principal;
    principal.role = Role::developer;
    principal.permissions = Permissions::of(Role::developer);
    EXPECT_FALSE(principal.may_restore_production());
    principal.role = Role::admin;
    EXPECT_TRUE(principal.may_restore_production());
    principal.permissions = Permissions::of(Role::viewer);
    EXPECT_FALSE(principal.may_restore_production());
}

TEST(Principal, OfOneProjectSeesNoOther) {
    static const Principal kOfAll;  // static: GCC 12 with sanitizers takes a local one for uninitialized
    EXPECT_TRUE(kOfAll.may_see_project("p1"));
    Principal principal;
    principal.project_id = "p1";
    EXPECT_TRUE(principal.may_see_project("p1"));
    EXPECT_FALSE(principal.may_see_project("p2"));
}

}  // namespace
}  // namespace backstay::auth
