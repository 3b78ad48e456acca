// Folders are known again after renames, and after the machine has started anew with its disks in another order.
#include "agent/jobs/restore/folders.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

namespace fs = std::filesystem;
using restore::folder_identity;

std::string identity(const std::string& path) {
    const auto found = folder_identity(path);
    return found && *found ? **found : std::string();
}

void run(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

// An image of a file system, mounted through whatever loop device is free.
class Disk {
public:
    Disk(const std::string& image, const std::string& place) : place_(place) {
        fs::create_directory(place);
        run(fmt::format("mount -o loop {} {}", image, place));
    }
    ~Disk() { EXPECT_EQ(umount(place_.c_str()), 0); }
    Disk(const Disk&) = delete;
    Disk& operator=(const Disk&) = delete;

private:
    std::string place_;
};

dev_t device(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(stat(path.c_str(), &status), 0);
    return status.st_dev;
}

TEST(FolderIdentity, StaysThroughRenamesAndBelongsToOneFolderOnly) {
    const testing::TempDir folder;
    const std::string one = folder.path() + "/one";
    fs::create_directory(one);
    fs::create_directory(folder.path() + "/two");
    const std::string before = identity(one);
    EXPECT_NE(before, "");
    EXPECT_NE(before, identity(folder.path() + "/two"));
    fs::rename(one, folder.path() + "/three");
    EXPECT_EQ(identity(folder.path() + "/three"), before);
    EXPECT_EQ(identity(one), "");
}

TEST(FolderIdentity, StaysWhenTheDeviceGetsAnotherNumber) {
    const testing::TempDir folder;
    const std::string image = folder.path() + "/image";
    run(fmt::format("truncate -s 16M {0} && mkfs.ext4 -q {0}", image));
    std::string before;
    dev_t first = 0;
    {
        const Disk disk(image, folder.path() + "/disk");
        fs::create_directory(folder.path() + "/disk/filestore");
        before = identity(folder.path() + "/disk/filestore");
        first = device(folder.path() + "/disk");
    }
    // Takes the place that the first one had.
    const std::string other = folder.path() + "/other";
    run(fmt::format("truncate -s 16M {0} && mkfs.ext4 -q {0}", other));
    const Disk in_between(other, folder.path() + "/between");
    const Disk disk(image, folder.path() + "/disk");
    ASSERT_NE(device(folder.path() + "/disk"), first) << "the case is not given";
    EXPECT_EQ(identity(folder.path() + "/disk/filestore"), before);
}

}  // namespace
}  // namespace backstay
