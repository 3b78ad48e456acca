// Files that change and vanish while they are packed, by a process that does nothing else. Odoo never rewrites a file,
// but its collector removes them and other hands do worse: what comes out must be whole or named.
#include <fcntl.h>
#include <unistd.h>

#include <map>
#include <sstream>
#include <thread>

#include "tests/unit/agent/jobs/backup/backup_scene.h"

namespace backstay::testing {
namespace {

class BackupRace : public BackupScene {
protected:
    // {store_fname: SHA-1 of what the archive holds under that name}
    std::map<std::string, std::string> archived() const {
        const std::string out = folder_.path() + "/unpacked";
        std::filesystem::remove_all(out);
        std::filesystem::create_directories(out);
        server_->run("zstd -dcq " + stored("one", "filestore.tar.zst") + " | tar -C " + out + " -x");
        std::istringstream lines(shell("cd " + out + " && find . -type f -printf '%P\\n' | xargs -r sha1sum"));
        std::map<std::string, std::string> found;
        for (std::string line; std::getline(lines, line);) found.emplace(line.substr(42), line.substr(0, 40));
        return found;
    }
};

TEST_F(BackupRace, WhateverHappensToFilesMeanwhileEachIsWholeOrNamed) {
    std::vector<std::string> names;
    std::vector<std::string> contents;
    // Small ones are read ahead whole, large ones are streamed.
    for (int i = 0; i < 60; ++i) {
        contents.push_back("race " + std::to_string(i) + std::string(i % 6 == 0 ? 3 << 20 : 20'000, 'r'));
        names.push_back(attach(contents.back()));
    }
    std::atomic<bool> over = false;
    std::thread racing([&] {
        for (std::size_t i = 0; !over; i = (i + 1) % names.size()) {
            const std::string path = filestore_ + "/" + names[i];
            const std::string aside = path + ".aside";
            switch (i % 3) {
                case 0:  // shrinks, and is whole again
                    EXPECT_EQ(::truncate(path.c_str(), 1000), 0);
                    std::ofstream(path, std::ios::binary | std::ios::trunc) << contents[i];
                    break;
                case 1:  // vanishes, and comes back
                    EXPECT_EQ(::rename(path.c_str(), aside.c_str()), 0);
                    std::this_thread::yield();
                    EXPECT_EQ(::rename(aside.c_str(), path.c_str()), 0);
                    break;
                default:  // is overwritten in place, and put right again
                    std::ofstream(path, std::ios::binary | std::ios::in) << "XXXX";
                    std::ofstream(path, std::ios::binary | std::ios::in) << contents[i];
                    break;
            }
        }
    });
    std::map<std::string, int> met;
    const std::int64_t deadline = steady_ms() + 60'000;
    for (int round = 0; round < 40 && steady_ms() < deadline; ++round) {
        if (round >= 3 && met["missing"] > 0 && met["damaged"] > 0) break;
        std::filesystem::remove_all(folder_.path() + "/one/v1");
        const auto outcome = back_up();
        ASSERT_TRUE(outcome) << outcome.error().message();
        std::map<std::string, std::string> named;
        for (const ManifestFileProblem& problem : outcome->manifest.filestore->missing_files) {
            named[problem.store_fname] = problem.problem;
            ++met[problem.problem];
        }
        EXPECT_EQ(verdict().status, named.empty() ? "green" : "amber");
        const auto packed = archived();
        for (const std::string& name : names) {
            const auto found = packed.find(name);
            const bool whole = found != packed.end() && found->second == name.substr(3);
            EXPECT_NE(whole, named.contains(name)) << name << " is " << (whole ? "whole" : "not whole") << " and named "
                                                   << (named.contains(name) ? named.at(name) : "nowhere");
            EXPECT_EQ(found == packed.end(), named.contains(name) && named.at(name) == "missing") << name;
        }
    }
    over = true;
    racing.join();
    EXPECT_GT(met["missing"], 0);
    EXPECT_GT(met["damaged"], 0);
}

}  // namespace
}  // namespace backstay::testing
